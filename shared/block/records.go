package block

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// Records materialises the given rows, in the order asked for; nil means all. Every column is decoded once.
func (r *Reader) Records(rows []int) ([]logrec.Record, error) {
	if rows == nil {
		rows = make([]int, r.rows)
		for i := range rows {
			rows[i] = i
		}
	}
	for _, row := range rows {
		if row < 0 || row >= r.rows {
			return nil, fmt.Errorf("row %d of a block of %d", row, r.rows)
		}
	}
	out := make([]logrec.Record, len(rows))
	for _, name := range r.names {
		if err := r.column(name, rows, out); err != nil {
			return nil, err
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Attributes, func(a, b logrec.Attr) int { return strings.Compare(a.Key, b.Key) })
	}
	return out, nil
}

func (r *Reader) column(name string, rows []int, out []logrec.Record) error {
	if set, ok := IntFields[name]; ok {
		values, valid, err := r.Ints(name)
		for i, row := range rows {
			if err == nil && (valid == nil || valid[row]) {
				set(&out[i], values[row])
			}
		}
		return err
	}
	if name == "response_time_ms" {
		return r.responseTime(rows, out)
	}
	c, err := r.Strings(name)
	if err != nil {
		return err
	}
	if field, ok := TextFields[name]; ok {
		for i, row := range rows {
			*field(&out[i]), _ = c.Get(row)
		}
		return nil
	}
	return attributesOf(name, c, rows, out)
}

// IntFields and TextFields are the records' fields by the names of their columns.
var IntFields = map[string]func(*logrec.Record, int64){
	"timestamp":       func(r *logrec.Record, v int64) { r.Timestamp = v },
	"observed":        func(r *logrec.Record, v int64) { r.Observed = v },
	"level":           func(r *logrec.Record, v int64) { r.Level = logrec.Level(v) },
	"response_status": func(r *logrec.Record, v int64) { r.ResponseStatus = int32(v) },
	"pattern_id":      func(r *logrec.Record, v int64) { r.PatternID = v },
	"eval_time":       func(r *logrec.Record, v int64) { r.EvalTime = v },
	"src_offset":      func(r *logrec.Record, v int64) { r.SrcOffset = v },
	"src_row":         func(r *logrec.Record, v int64) { r.SrcRow = int32(v) },
}

var TextFields = map[string]func(*logrec.Record) *string{
	"service":        func(r *logrec.Record) *string { return &r.Service },
	"message":        func(r *logrec.Record) *string { return &r.Message },
	"trace_id":       func(r *logrec.Record) *string { return &r.TraceID },
	"span_id":        func(r *logrec.Record) *string { return &r.SpanID },
	"user_id":        func(r *logrec.Record) *string { return &r.UserID },
	"request_method": func(r *logrec.Record) *string { return &r.RequestMethod },
	"request_path":   func(r *logrec.Record) *string { return &r.RequestPath },
	"team":           func(r *logrec.Record) *string { return &r.Team },
	"env":            func(r *logrec.Record) *string { return &r.Env },
	"host":           func(r *logrec.Record) *string { return &r.Host },
}

func (r *Reader) responseTime(rows []int, out []logrec.Record) error {
	values, valid, err := r.Floats("response_time_ms")
	for i, row := range rows {
		if err == nil && (valid == nil || valid[row]) {
			out[i].ResponseTimeMS, out[i].HasResponseTime = values[row], true
		}
	}
	return err
}

// attributesOf adds a column's cells to the records; columns that this version does not know are passed over.
func attributesOf(name string, c StringColumn, rows []int, out []logrec.Record) error {
	if !IsAttribute(name) {
		return nil
	}
	for i, row := range rows {
		cell, ok := c.Get(row)
		if !ok {
			continue
		}
		var err error
		if out[i].Attributes, err = AppendAttributes(out[i].Attributes, name, cell, c.JSON); err != nil {
			return fmt.Errorf("%w: column %s: %w", ErrDamaged, name, err)
		}
	}
	return nil
}

// IsAttribute tells whether a column holds attributes: one of them, or the rest.
func IsAttribute(column string) bool {
	return column == RestColumn || strings.HasPrefix(column, AttributePrefix)
}

// AppendAttributes adds what a cell of such a column holds; isJSON is said of the column, whose cells are JSON texts then.
func AppendAttributes(attrs []logrec.Attr, column, cell string, isJSON bool) ([]logrec.Attr, error) {
	key, own := strings.CutPrefix(column, AttributePrefix)
	if !own {
		return appendRest(attrs, cell)
	}
	a, err := attributeOf(key, cell, isJSON)
	if err != nil {
		return attrs, err
	}
	return append(attrs, a), nil
}

func attributeOf(key, cell string, isJSON bool) (logrec.Attr, error) {
	if !isJSON {
		return logrec.Attr{Key: key, Value: cell}, nil
	}
	if !strings.HasPrefix(cell, `"`) {
		return logrec.Attr{Key: key, Value: cell, Kind: logrec.JSON}, nil
	}
	a := logrec.Attr{Key: key}
	return a, json.Unmarshal([]byte(cell), &a.Value)
}

func appendRest(attrs []logrec.Attr, cell string) ([]logrec.Attr, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(cell), &object); err != nil {
		return attrs, err
	}
	for key, raw := range object {
		a, err := attributeOf(key, string(raw), true)
		if err != nil {
			return attrs, err
		}
		attrs = append(attrs, a)
	}
	return attrs, nil
}
