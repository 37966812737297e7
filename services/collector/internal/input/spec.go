// Package input reads topics that applications already have, on any Kafka, and sends their records home to logs.raw: lines, position and
// dead letters in one transaction (internal/exact), so that each message is sent once under kill -9 and rebalances.
//
// Positions lie with the lines, on logs.positions of Logmill's own Kafka, since a transaction does not reach across clusters. Whoever is
// assigned a partition opens its writer, which fences the owner before; the group's offsets are for displays of lag.
package input

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Format is what the values of a topic are.
type Format string

// Formats. Auto looks at the message's content-type header, then at its first byte.
const (
	Auto Format = "auto"
	JSON Format = "json" // a record, an array of records, or NDJSON
	OTLP Format = "otlp" // ExportLogsServiceRequest, protobuf
	Text Format = "text" // one record a message
)

var formats = []Format{Auto, JSON, OTLP, Text}

// Topic is one to be read.
type Topic struct {
	Name    string
	Service string // of records that do not name theirs; default: the topic's name
	Format  Format
}

// ParseTopics reads KAFKA_INPUT_TOPICS: name[:service[:format]], comma-separated. The error joins all problems.
func ParseTopics(specs []string) ([]Topic, error) {
	var out []Topic
	var problems []error
	seen := map[string]bool{}
	for _, s := range specs {
		parts := append(strings.Split(strings.TrimSpace(s), ":"), "", "")
		t := Topic{Name: parts[0], Service: parts[1], Format: Format(parts[2])}
		if t.Service == "" {
			t.Service = t.Name
		}
		if t.Format == "" {
			t.Format = Auto
		}
		switch {
		case t.Name == "" || len(parts) > 5:
			problems = append(problems, fmt.Errorf("KAFKA_INPUT_TOPICS: %q is not name[:service[:format]]", s))
		case seen[t.Name]:
			problems = append(problems, fmt.Errorf("KAFKA_INPUT_TOPICS: %s is there twice", t.Name))
		case !slices.Contains(formats, t.Format):
			problems = append(problems, fmt.Errorf("KAFKA_INPUT_TOPICS: %s: format %q is not one of auto, json, otlp, text", t.Name, t.Format))
		}
		seen[t.Name] = true
		out = append(out, t)
	}
	if len(out) > maxTopics {
		problems = append(problems, fmt.Errorf("KAFKA_INPUT_TOPICS: %d topics; at most %d are possible", len(out), maxTopics))
	}
	return out, errors.Join(problems...)
}
