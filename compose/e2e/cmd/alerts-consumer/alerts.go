package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is what this program needs of a CloudEvent on alerts.fired; the whole is described by alert.schema.json.
type event struct {
	ID       string `json:"id"`
	Source   string `json:"source"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Data     struct {
		Status      string            `json:"status"`
		Reason      string            `json:"reason"`
		Early       bool              `json:"early"`
		Fingerprint string            `json:"fingerprint"`
		Severity    string            `json:"severity"`
		StartsAt    time.Time         `json:"startsAt"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Rule        struct {
			Name string `json:"name"`
		} `json:"rule"`
	} `json:"data"`

	sequence int64
	raw      []byte
}

func parse(value []byte) (e event, err error) {
	if err = json.Unmarshal(value, &e); err != nil {
		return e, err
	}
	if e.sequence, err = strconv.ParseInt(e.Sequence, 10, 64); err != nil || e.Data.Fingerprint == "" {
		return e, fmt.Errorf("not an alert event: id %q, sequence %q", e.ID, e.Sequence)
	}
	e.raw = value
	return e, nil
}

// alerts are the last event of each alert, by source and fingerprint.
type alerts map[[2]string]event

// take tells whether an event is news. An event that comes again has the same source and id, and an id ends in its sequence: so one
// comparison finds repeats and what has been overtaken.
func (a alerts) take(e event) bool {
	key := [2]string{e.Source, e.Data.Fingerprint}
	if last, ok := a[key]; ok && e.sequence <= last.sequence {
		return false
	}
	if a[key] = e; e.Data.Status == "resolved" {
		a[key] = event{sequence: e.sequence} // of what is over only the number is needed; a program that runs for months forgets it after a week
	}
	return true
}

// firing are the alerts that fire, oldest first.
func (a alerts) firing() []event {
	var out []event
	for e := range maps.Values(a) {
		if e.Data.Status == "firing" {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(x, y event) int { return x.Data.StartsAt.Compare(y.Data.StartsAt) })
	return out
}

func printJSON(e event) { _, _ = os.Stdout.Write(append(slices.Clip(e.raw), '\n')) }

// printText is for people: what happened, how bad, since when, and what somebody did about it.
func printText(e event) {
	what, _ := strings.CutPrefix(strings.TrimSuffix(e.Type, ".v1"), "logmill.alert.")
	fmt.Printf("%-8s %-8s since %s  %s", what, e.Data.Severity, e.Data.StartsAt.Format(time.RFC3339), e.Data.Annotations["summary"])
	for _, k := range []string{"acknowledged_by", "note", "silenced_by"} {
		if v := e.Data.Annotations[k]; v != "" {
			fmt.Printf("  %s=%q", k, v)
		}
	}
	if e.Data.Reason == "catch_up" {
		fmt.Print("  (decided a while ago)")
	}
	fmt.Println()
}
