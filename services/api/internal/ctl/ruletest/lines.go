package ruletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

// Open reads a file that a test names.
type Open func(name string) ([]byte, error)

// reader makes the records of a test.
type reader struct {
	doc    *yamldoc.Doc
	test   *Test
	open   Open
	parser logrec.Parser
	out    []logrec.Record
}

// lines are the test's records in the order of time. Mistakes are added to the document.
func (r *reader) lines() []logrec.Record {
	for i := range r.test.input {
		in := &r.test.input[i]
		switch {
		case in.line != nil:
			r.series(in)
		case in.file != "":
			body, err := r.open(in.file)
			if err == nil && len(body) > maxFileBytes {
				err = fmt.Errorf("%s has %d bytes, at most %d are read", in.file, len(body), maxFileBytes)
			}
			if err != nil {
				r.doc.Wrong(in.node, "%v", err)
				continue
			}
			r.body(in, in.file, body)
		default:
			r.body(in, "ndjson", []byte(in.ndjson))
		}
		if len(r.out) > maxLines {
			r.doc.Wrong(in.node, "the test has more than %d lines", maxLines)
			return nil
		}
	}
	slices.SortStableFunc(r.out, func(a, b logrec.Record) int { return int(min(1, max(-1, a.EvalTime-b.EvalTime))) })
	for i := range r.out {
		r.out[i].SrcOffset = int64(i)
	}
	return r.out
}

// keep takes a record at its time.
func (r *reader) keep(rec *logrec.Record, ns int64) {
	k := *rec
	k.Attributes = slices.Clone(rec.Attributes)
	k.Timestamp, k.Observed, k.EvalTime = ns, ns, ns
	if k.Level == logrec.LevelAbsent {
		k.Level = logrec.LevelInfo // what the processor makes of a line whose level nobody can tell
	}
	r.out = append(r.out, k)
}

// series makes the lines of one line that is repeated. ${n} in its texts is the line's number, from 0; vary's values take turns.
func (r *reader) series(in *input) {
	line := maps.Clone(in.line)
	var rec logrec.Record
	var last []byte
	for n := range in.times {
		if len(r.out) > maxLines {
			return
		}
		for field, values := range in.vary {
			line[field] = values[n%int64(len(values))]
		}
		raw, err := json.Marshal(line)
		if err != nil { // cannot happen: every value is JSON
			r.doc.Wrong(in.node, "%v", err)
			return
		}
		if raw = bytes.ReplaceAll(raw, []byte("${n}"), strconv.AppendInt(nil, n, 10)); !bytes.Equal(raw, last) {
			if err := r.parse(raw, &rec); err != nil {
				r.doc.Wrong(in.node, "line: %v", err)
				return
			}
			last = raw
		}
		r.keep(&rec, r.test.start+int64(in.at)+n*int64(in.every))
	}
}

func (r *reader) parse(raw []byte, rec *logrec.Record) error {
	if err := r.parser.ParseObject(raw, rec); err != nil {
		return err
	}
	if rec.Timestamp != 0 {
		return errors.New("a line of a series has no time of its own: at and every give it")
	}
	return logrec.Validate(rec)
}

// body takes NDJSON. A line's time is its "at", a duration after the input's at. Lines with times of the clock keep their distances: the
// first of them is at the input's at. Others follow the line before, at the distance every.
func (r *reader) body(in *input, name string, body []byte) {
	begin := r.test.start + int64(in.at)
	shift, first := int64(0), true
	last := begin - int64(in.every)
	err := r.parser.ParseBody(body, func(line int, rec *logrec.Record, err error) bool {
		if err != nil {
			r.doc.Wrong(in.node, "%s, line %d: %v", name, line, err)
			return false
		}
		if at, ok := relative(rec); ok {
			last = begin + int64(at)
		} else if rec.Timestamp != 0 {
			if first {
				shift, first = begin-rec.Timestamp, false
			}
			last = rec.Timestamp + shift
		} else {
			last += int64(in.every)
		}
		if last < r.test.start || last > r.test.start+int64(maxAfter) {
			r.doc.Wrong(in.node, "%s, line %d: comes before the start, or more than %s after it", name, line, rule.Duration(maxAfter))
			return false
		}
		r.keep(rec, last)
		return len(r.out) <= maxLines
	})
	if err != nil {
		r.doc.Wrong(in.node, "%s: %v", name, err)
	}
}

// relative takes the attribute "at" out of a record, if it is a duration.
func relative(rec *logrec.Record) (time.Duration, bool) {
	i := slices.IndexFunc(rec.Attributes, func(a logrec.Attr) bool { return a.Key == "at" && a.Kind == logrec.String })
	if i < 0 {
		return 0, false
	}
	at, err := rule.ParseDuration(rec.Attributes[i].Value)
	if err != nil {
		return 0, false
	}
	rec.Attributes = slices.Delete(rec.Attributes, i, i+1)
	return at, true
}
