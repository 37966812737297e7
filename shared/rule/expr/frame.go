package expr

import (
	"encoding/json"
	"fmt"

	"github.com/logmill/logmill/shared/block"
)

// Source is a set of records by columns, such as a *block.Reader. Absent columns are all NULL.
type Source interface {
	Rows() int
	Ints(name string) (values []int64, valid []bool, err error)
	Floats(name string) (values []float64, valid []bool, err error)
	Strings(name string) (block.StringColumn, error)
	Columns() []string
}

// Frame evaluates predicates over all records of a Source at once. Columns are decoded when first needed, results are kept: one
// predicate of many rules costs once. Not safe for concurrent use.
type Frame struct {
	src     Source
	rows    int
	words   int
	present map[string]bool
	numbers map[string]*numbers
	texts   map[string]*block.StringColumn
	masks   []*Mask // by Predicate.id
	finds   map[*finder]*finding
	err     error // the first column that could not be read
}

// NewFrame makes a frame.
func NewFrame(src Source) *Frame {
	f := &Frame{src: src, rows: src.Rows(), words: (src.Rows() + 63) / 64, present: map[string]bool{},
		numbers: map[string]*numbers{}, texts: map[string]*block.StringColumn{}, finds: map[*finder]*finding{}}
	for _, c := range src.Columns() {
		f.present[c] = true
	}
	return f
}

// Rows is the number of records.
func (f *Frame) Rows() int { return f.rows }

// Err is the first column that could not be read; its values were taken as NULL.
func (f *Frame) Err() error { return f.err }

func (f *Frame) fail(name string, err error) {
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("reading column %s: %w", name, err)
	}
}

// numbers is a column as floating-point numbers.
type numbers struct {
	v     []float64
	valid []uint64
}

// number gives a column of numbers.
func (f *Frame) number(name string) *numbers {
	if n, ok := f.numbers[name]; ok {
		return n
	}
	n := &numbers{v: make([]float64, f.rows), valid: make([]uint64, f.words)}
	f.numbers[name] = n
	if !f.present[name] {
		return n
	}
	var valid []bool
	if name == "response_time_ms" {
		v, ok, err := f.src.Floats(name)
		f.fail(name, err)
		if err != nil {
			return n
		}
		n.v, valid = v, ok
	} else {
		v, ok, err := f.src.Ints(name)
		f.fail(name, err)
		if err != nil {
			return n
		}
		for i, x := range v {
			n.v[i] = float64(x)
		}
		valid = ok
	}
	setBits(n.valid, valid, f.rows)
	return n
}

// setBits packs valid; nil means all.
func setBits(words []uint64, valid []bool, rows int) {
	if valid == nil {
		for i := range words {
			words[i] = ^uint64(0)
		}
		if r := rows % 64; r != 0 && len(words) > 0 {
			words[len(words)-1] = 1<<r - 1
		}
		return
	}
	for i, ok := range valid {
		if ok {
			words[i>>6] |= 1 << (i & 63)
		}
	}
}

// Text gives a column of texts, or an attribute's.
func (f *Frame) Text(c *Column) *block.StringColumn {
	name := c.Name
	if c.Name == attributesColumn {
		name = block.AttributePrefix + c.Attribute
	}
	if t, ok := f.texts[name]; ok {
		return t
	}
	t := &block.StringColumn{}
	switch {
	case f.present[name]:
		got, err := f.src.Strings(name)
		f.fail(name, err)
		if err == nil {
			*t = got
		}
		if t.JSON {
			t.Dict = plainTexts(t.Dict)
		}
	case c.Name == attributesColumn && f.present[block.RestColumn]:
		f.restOf(c.Attribute, t)
	}
	if t.Codes == nil {
		t.Codes = make([]int32, f.rows)
		for i := range t.Codes {
			t.Codes[i] = -1
		}
	}
	f.texts[name] = t
	return t
}

// plainTexts are JSON values as texts: strings without quotes, all else as it is written.
func plainTexts(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = c
		if len(c) > 0 && c[0] == '"' {
			var s string
			if json.Unmarshal([]byte(c), &s) == nil {
				out[i] = s
			}
		}
	}
	return out
}

// restOf collects one attribute from the objects of attributes_rest.
func (f *Frame) restOf(key string, t *block.StringColumn) {
	c, err := f.src.Strings(block.RestColumn)
	f.fail(block.RestColumn, err)
	if err != nil {
		return
	}
	codes := make([]int32, len(c.Dict)) // of each object's value of key
	for i, cell := range c.Dict {
		var object map[string]json.RawMessage
		codes[i] = -1
		if err := json.Unmarshal([]byte(cell), &object); err != nil {
			f.fail(block.RestColumn, err)
			continue
		}
		if raw, ok := object[key]; ok {
			codes[i] = int32(len(t.Dict))
			t.Dict = append(t.Dict, plainTexts([]string{string(raw)})...)
		}
	}
	t.Codes = make([]int32, f.rows)
	for row, code := range c.Codes {
		t.Codes[row] = -1
		if code >= 0 {
			t.Codes[row] = codes[code]
		}
	}
}

// record is one row as an Env.
type record struct {
	f   *Frame
	row int
}

// Column is the record's value.
func (r *record) Column(c *Column) Value {
	if columns[c.Name] == Number {
		n := r.f.number(c.Name)
		if n.valid[r.row>>6]>>(r.row&63)&1 == 0 {
			return Value{}
		}
		return Value{Type: Number, N: n.v[r.row]}
	}
	t := r.f.Text(c)
	if code := t.Codes[r.row]; code >= 0 {
		return TextOf(t.Dict[code])
	}
	return Value{}
}

// Aggregate never stands in an expression over records.
func (*record) Aggregate(*Aggregate) Value { return Value{} }
