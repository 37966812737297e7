// Package export writes lines as files: NDJSON, CSV, Parquet. Each is written as it comes, in bounded memory.
package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/logrec"
)

// Format of a file; also the ending of its name.
type Format string

// The formats.
const (
	NDJSON  Format = "ndjson"
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

const (
	// MaxFields of a CSV file.
	MaxFields = 100

	// rowGroup is how many rows the Parquet writer holds in memory.
	rowGroup = 50_000
)

// ParseFormat reads a format's name; NDJSON for none.
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return NDJSON, nil
	case NDJSON, CSV, Parquet:
		return f, nil
	}
	return "", fmt.Errorf("%.40q is none of ndjson, csv, parquet", s)
}

// ContentType is its media type.
func (f Format) ContentType() string {
	return map[Format]string{NDJSON: "application/x-ndjson", CSV: "text/csv; charset=utf-8; header=present", Parquet: "application/vnd.apache.parquet"}[f]
}

// Writer writes lines. Close ends the file; what it writes to stays open.
type Writer interface {
	Write(lines []search.Hit) error
	Close() error
}

// New makes a writer. fields are the columns of CSV, nil for all; object is a line as JSON shows it.
func New(f Format, w io.Writer, fields []query.Field, object func(*search.Hit) any) Writer {
	switch f {
	case CSV:
		return newTable(w, fields)
	case Parquet:
		return &parquetWriter{parquet.NewGenericWriter[row](w, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(rowGroup), parquet.CreatedBy("logmill", "", ""))}
	}
	return &objects{json.NewEncoder(w), object}
}

// objects is NDJSON.
type objects struct {
	to     *json.Encoder
	object func(*search.Hit) any
}

func (o *objects) Write(lines []search.Hit) error {
	for i := range lines {
		if err := o.to.Encode(o.object(&lines[i])); err != nil {
			return err
		}
	}
	return nil
}

func (o *objects) Close() error { return nil }

// columns are those of a CSV file when nothing is said; attributes are one JSON object.
var columns = []string{"id", "timestamp", "observed", "level", "service", "message", "trace_id", "span_id", "user_id", "request_method", "request_path", "response_status",
	"response_time_ms", "team", "env", "host", "pattern_id"}

const attributes = "attributes"

// table is CSV after RFC 4180.
type table struct {
	to     *csv.Writer
	fields []query.Field
	all    bool
	cells  []string
	begun  bool
}

func newTable(w io.Writer, fields []query.Field) *table {
	t := &table{to: csv.NewWriter(w), fields: fields}
	if len(fields) == 0 {
		t.all = true
		for _, name := range columns {
			t.fields = append(t.fields, query.Field{Name: name})
		}
	}
	return t
}

func (t *table) head() error {
	if t.begun {
		return nil
	}
	t.begun = true
	for _, f := range t.fields {
		t.cells = append(t.cells, f.String())
	}
	if t.all {
		t.cells = append(t.cells, attributes)
	}
	return t.to.Write(t.cells)
}

func (t *table) Write(lines []search.Hit) error {
	if err := t.head(); err != nil {
		return err
	}
	for i := range lines {
		t.cells = t.cells[:0]
		for _, f := range t.fields {
			t.cells = append(t.cells, cell(f, &lines[i]))
		}
		if t.all {
			t.cells = append(t.cells, object(lines[i].Record.Attributes))
		}
		if err := t.to.Write(t.cells); err != nil {
			return err
		}
	}
	t.to.Flush()
	return t.to.Error()
}

func (t *table) Close() error {
	if err := t.head(); err != nil {
		return err
	}
	t.to.Flush()
	return t.to.Error()
}

// cell is a field's text, "" without one.
func cell(f query.Field, h *search.Hit) string {
	r := h.Record
	if f.Attribute {
		for _, a := range r.Attributes {
			if a.Key == f.Name {
				return a.Value
			}
		}
		return ""
	}
	switch f.Name {
	case "id":
		return h.Key.ID.String()
	case "timestamp":
		return moment(r.Timestamp)
	case "observed":
		return moment(r.Observed)
	case "level":
		return r.Level.String()
	case "response_status":
		return integer(int64(r.ResponseStatus))
	case "pattern_id":
		return integer(r.PatternID)
	case "response_time_ms":
		if r.HasResponseTime {
			return strconv.FormatFloat(r.ResponseTimeMS, 'f', -1, 64)
		}
		return ""
	}
	return text(f.Name, r)
}

func text(name string, r *logrec.Record) string {
	switch name {
	case "service":
		return r.Service
	case "message":
		return r.Message
	case "trace_id":
		return r.TraceID
	case "span_id":
		return r.SpanID
	case "user_id":
		return r.UserID
	case "request_method":
		return r.RequestMethod
	case "request_path":
		return r.RequestPath
	case "team":
		return r.Team
	case "env":
		return r.Env
	case "host":
		return r.Host
	}
	return ""
}

func moment(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// integer is 0 for none.
func integer(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// object is attributes in JSON, "" without any.
func object(of []logrec.Attr) string {
	if len(of) == 0 {
		return ""
	}
	out := make(map[string]json.RawMessage, len(of))
	for _, a := range of {
		out[a.Key] = json.RawMessage(a.Value)
		if a.Kind != logrec.JSON || !json.Valid(out[a.Key]) {
			out[a.Key], _ = json.Marshal(a.Value) // a string always has a JSON form
		}
	}
	raw, _ := json.Marshal(out) // valid JSON and strings only
	return string(raw)
}

// row is a line in Parquet.
type row struct {
	ID             string            `parquet:"id"`
	Timestamp      int64             `parquet:"timestamp,timestamp(nanosecond)"`
	Observed       int64             `parquet:"observed,timestamp(nanosecond)"`
	Level          string            `parquet:"level,dict"`
	Service        string            `parquet:"service,dict"`
	Message        string            `parquet:"message"`
	TraceID        string            `parquet:"trace_id,optional"`
	SpanID         string            `parquet:"span_id,optional"`
	UserID         string            `parquet:"user_id,optional"`
	RequestMethod  string            `parquet:"request_method,optional,dict"`
	RequestPath    string            `parquet:"request_path,optional,dict"`
	ResponseStatus int32             `parquet:"response_status,optional"`
	ResponseTimeMS *float64          `parquet:"response_time_ms,optional"`
	Team           string            `parquet:"team,optional,dict"`
	Env            string            `parquet:"env,optional,dict"`
	Host           string            `parquet:"host,optional,dict"`
	PatternID      int64             `parquet:"pattern_id,optional"`
	Attributes     map[string]string `parquet:"attributes"`
}

type parquetWriter struct{ to *parquet.GenericWriter[row] }

func (p *parquetWriter) Write(lines []search.Hit) error {
	rows := make([]row, len(lines))
	for i := range lines {
		rows[i] = rowOf(&lines[i])
	}
	_, err := p.to.Write(rows)
	return err
}

func (p *parquetWriter) Close() error { return p.to.Close() }

func rowOf(h *search.Hit) row {
	r := h.Record
	out := row{ID: h.Key.ID.String(), Timestamp: r.Timestamp, Observed: r.Observed, Level: r.Level.String(), Service: r.Service, Message: r.Message, TraceID: r.TraceID, SpanID: r.SpanID, UserID: r.UserID,
		RequestMethod: r.RequestMethod, RequestPath: r.RequestPath, ResponseStatus: r.ResponseStatus, Team: r.Team, Env: r.Env, Host: r.Host, PatternID: r.PatternID, Attributes: make(map[string]string, len(r.Attributes))}
	if r.HasResponseTime {
		out.ResponseTimeMS = &r.ResponseTimeMS
	}
	for _, a := range r.Attributes {
		out.Attributes[a.Key] = a.Value
	}
	return out
}
