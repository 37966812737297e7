package block

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

// ErrDamaged is a block that cannot be read.
var ErrDamaged = vector.ErrDamaged

// ErrNewer is a block of a later format than this program knows.
var ErrNewer = vector.ErrNewer

// Reader reads columns of a block, a value a row. Not safe for concurrent use. It keeps the block's bytes; strings that it returns may point
// into buffers of their own column and stay good while they are held.
type Reader struct {
	layout *vector.Layout
	data   []byte
	rows   int
	names  []string
}

// Open reads the footer. Damage is an error (ErrDamaged, ErrNewer), never a panic; whoever has the checksum compares it first.
func Open(data []byte) (*Reader, error) {
	l, err := vector.ReadLayout(data)
	if err != nil {
		return nil, err
	}
	return &Reader{layout: l, data: data, rows: l.Rows(), names: l.Names()}, nil
}

// Rows is the number of records.
func (r *Reader) Rows() int { return r.rows }

// Columns are the columns that some record has a value in; attributes as "attr.<name>".
func (r *Reader) Columns() []string { return r.names }

// decode decodes a column; nil for an absent one.
func (r *Reader) decode(name string) (*vector.Column, error) {
	c, err := r.layout.Column(r.data, name)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", name, err)
	}
	return c, nil
}

// each calls set for each row that has a value, with the value's place; valid is nil when all have.
func each(c *vector.Column, set func(row, value int)) (valid []bool) {
	if c.Valid() == nil {
		for row := range c.Rows() {
			set(row, row)
		}
		return nil
	}
	valid = make([]bool, c.Rows())
	k := 0
	for row := range valid {
		if c.Valid()[row>>6]>>(row&63)&1 == 1 {
			valid[row] = true
			set(row, k)
			k++
		}
	}
	return valid
}

// Ints reads an integer column (timestamp observed response_status pattern_id eval_time src_offset src_row) or level, as its number.
// valid is nil when no value is NULL; an absent column is all NULL, and so is, beside the error, one that cannot be read.
func (r *Reader) Ints(name string) (values []int64, valid []bool, err error) {
	if name == "level" {
		return r.levels()
	}
	c, err := r.decode(name)
	if err == nil && c != nil && c.Ints == nil {
		err = fmt.Errorf("column %s holds no integers", name)
	}
	switch {
	case err != nil || c == nil:
		return make([]int64, r.rows), make([]bool, r.rows), err
	case c.Valid() == nil:
		return c.Ints, nil, nil
	}
	values = make([]int64, r.rows)
	valid = each(c, func(row, k int) { values[row] = c.Ints[k] })
	return values, valid, nil
}

func (r *Reader) levels() (values []int64, valid []bool, err error) {
	c, err := r.Strings("level")
	if err != nil {
		return nil, nil, err
	}
	numbers := make([]int64, len(c.Dict))
	for i, s := range c.Dict {
		l, _ := logrec.ParseLevel(s) // unknown: 0, absent
		numbers[i] = int64(l)
	}
	values = make([]int64, r.rows)
	for i, code := range c.Codes {
		if code >= 0 {
			values[i] = numbers[code]
		}
	}
	return values, nil, nil
}

// Floats reads response_time_ms; valid as for Ints.
func (r *Reader) Floats(name string) (values []float64, valid []bool, err error) {
	c, err := r.decode(name)
	if err == nil && c != nil && c.Floats == nil {
		err = fmt.Errorf("column %s holds no floating-point numbers", name)
	}
	switch {
	case err != nil || c == nil:
		return make([]float64, r.rows), make([]bool, r.rows), err
	case c.Valid() == nil:
		return c.Floats, nil, nil
	}
	values = make([]float64, r.rows)
	valid = each(c, func(row, k int) { values[row] = c.Floats[k] })
	return values, valid, nil
}

// StringColumn is a text column: row i is Dict[Codes[i]], NULL when Codes[i] < 0. A column stored without dictionary has an entry a
// value, in row order. JSON says that each entry is JSON.
type StringColumn struct {
	Dict  []string
	Codes []int32
	JSON  bool
}

// Get is row i, "" for NULL.
func (c StringColumn) Get(i int) (value string, ok bool) {
	if code := c.Codes[i]; code >= 0 {
		return c.Dict[code], true
	}
	return "", false
}

// Strings reads a text column. Ids come as hex text. An absent column is all NULL; so is one that cannot be read.
func (r *Reader) Strings(name string) (c StringColumn, err error) {
	c, _, err = r.strings(name, true)
	return c, err
}

// strings reads a text column; ids as they are stored when asText is false: width bytes each, 0 for texts.
func (r *Reader) strings(name string, asText bool) (out StringColumn, width int, err error) {
	c, err := r.decode(name)
	if err == nil && c != nil && (c.Ints != nil || c.Floats != nil) {
		err = fmt.Errorf("column %s holds no text", name)
	}
	out.Codes = make([]int32, r.rows)
	if err != nil || c == nil {
		for row := range out.Codes {
			out.Codes[row] = -1
		}
		return out, 0, err
	}
	out.Dict, out.JSON = entries(&c.Texts, asText), c.JSON
	fill(out.Codes, c)
	return out, c.Texts.Width, nil
}

// fill sets the rows' codes; without dictionary each value is an entry of its own.
func fill(out []int32, c *vector.Column) {
	switch {
	case c.Codes.C8 != nil:
		fillCodes(out, c, c.Codes.C8)
	case c.Codes.C16 != nil:
		fillCodes(out, c, c.Codes.C16)
	case c.Codes.C32 != nil:
		fillCodes(out, c, c.Codes.C32)
	default:
		for row := range out {
			out[row] = int32(c.Index(row))
		}
	}
}

func fillCodes[C uint8 | uint16 | uint32](out []int32, c *vector.Column, codes []C) {
	if c.Valid() == nil {
		for row, code := range codes {
			out[row] = int32(code)
		}
		return
	}
	for row := range out {
		out[row] = -1
	}
	each(c, func(row, k int) { out[row] = int32(codes[k]) })
}

// entries are the texts, which point into the column; ids as hex, or as they are.
func entries(t *vector.Texts, asText bool) []string {
	out := make([]string, t.Len())
	if t.Width == 0 {
		for i := range out {
			out[i] = text(t.Bytes(i))
		}
		return out
	}
	all, size := text(t.Data), t.Width
	if asText {
		all, size = hex.EncodeToString(t.Data), 2*size
	}
	for i := range out {
		out[i] = all[i*size : (i+1)*size]
	}
	return out
}

// AttributeNames are the attributes that have a column of their own.
func (r *Reader) AttributeNames() []string {
	var out []string
	for _, n := range r.names {
		if name, ok := strings.CutPrefix(n, AttributePrefix); ok {
			out = append(out, name)
		}
	}
	return slices.Clip(out)
}
