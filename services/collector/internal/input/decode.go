package input

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// message is one of the topic.
type message struct {
	offset      int64
	time        int64 // Kafka's, ns
	key, value  []byte
	contentType string
}

// decode appends a message's records to b. What cannot be read, wholly or in part, is the error; the records beside it are good.
func (t Topic) decode(b *contract.Batch, m message) error {
	first, rejected := len(b.Records), len(b.Rejected)
	var err error
	switch t.format(m) {
	case OTLP:
		err = b.DecodeOTLP(m.value)
	case JSON:
		err = b.DecodeJSON(m.value)
	default:
		err = text(b, m.value)
	}
	if err != nil {
		return err
	}
	for i := first; i < len(b.Records); i++ {
		r := &b.Records[i]
		if r.Service == "" || r.Service == logrec.UnknownService {
			r.Service = t.Service
		}
		if r.Observed == 0 {
			r.Observed = m.time // when Kafka had it: what lies there for days is no news to alert rules
		}
	}
	return rejections(b.Rejected[rejected:])
}

func (t Topic) format(m message) Format {
	if t.Format != Auto {
		return t.Format
	}
	switch ct := strings.ToLower(m.contentType); {
	case strings.HasPrefix(ct, contract.ContentTypeOTLP):
		return OTLP
	case strings.HasPrefix(ct, "text/"):
		return Text
	case strings.Contains(ct, "json"):
		return JSON
	}
	if v := bytes.TrimLeft(m.value, " \t\r\n"); len(v) > 0 && (v[0] == '{' || v[0] == '[' && bytes.IndexByte(v, '{') > 0 && v[len(bytes.TrimRight(v, " \t\r\n"))-1] == ']') {
		return JSON
	}
	return Text
}

// text makes the value one record. Binary values are not text.
func text(b *contract.Batch, value []byte) error {
	value = bytes.TrimRight(value, "\r\n")
	if len(value) == 0 {
		return nil // a tombstone or an empty line says nothing
	}
	if bytes.IndexByte(value, 0) >= 0 || !utf8.Valid(value) {
		return errors.New("the value is neither text in UTF-8 nor in a format that its content-type header names")
	}
	rec := logrec.Record{Message: string(value)}
	if err := logrec.Validate(&rec); err != nil {
		return err
	}
	b.Records = append(b.Records, rec)
	return nil
}

func rejections(bad []contract.Rejected) error {
	if len(bad) == 0 {
		return nil
	}
	var reasons []string
	for _, r := range bad[:min(len(bad), 5)] {
		reasons = append(reasons, fmt.Sprintf("record %d: %s %s", r.Row+1, r.Field, r.Reason))
	}
	return fmt.Errorf("%d records cannot be read: %s", len(bad), strings.Join(slices.Compact(reasons), "; "))
}
