package tally

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
)

// rows are the rows of a block that are summed up, ascending.
type rows struct {
	list []int32 // nil: all
	n    int
}

func rowsOf(found scan.Bitmap, total int) rows {
	n := found.Count()
	if n == total {
		return rows{nil, n}
	}
	return rows{found.First(make([]int32, 0, n), n), n}
}

func (r rows) at(i int) int {
	if r.list == nil {
		return i
	}
	return int(r.list[i])
}

// coded is a field of some rows as numbers that stand for its values: 0 for none.
type coded struct {
	of   []uint32 // a row each; nil: no row has a value
	n    int      // codes are below it
	text func(code uint32) string
}

var nothing = coded{n: 1}

// codes gives a field's values codes.
func codes(v scan.View, f query.Field, r rows) (coded, error) {
	name := f.Name
	if f.Attribute {
		name = block.AttributePrefix + f.Name
	}
	c, err := v.Column(name)
	switch {
	case err != nil:
		return nothing, err
	case c == nil && f.Attribute:
		return restCodes(v, f.Name, r)
	case c == nil:
		return nothing, nil
	case c.Codes.Any():
		return dictionary(c, r), nil
	case c.Ints != nil:
		return gather(c, r, c.Ints, func(v int64) string { return strconv.FormatInt(v, 10) }), nil
	case c.Floats != nil:
		return gather(c, r, c.Floats, func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }), nil
	}
	return gatherTexts(c, r), nil
}

// dictionary takes the column's own codes.
func dictionary(c *vector.Column, r rows) coded {
	out := coded{of: make([]uint32, r.n), n: c.Texts.Len() + 1, text: func(code uint32) string { return textOf(c, int(code)-1) }}
	switch k := &c.Codes; {
	case k.C8 != nil:
		take(c, r, k.C8, out.of)
	case k.C16 != nil:
		take(c, r, k.C16, out.of)
	default:
		take(c, r, k.C32, out.of)
	}
	return out
}

func take[C uint8 | uint16 | uint32](c *vector.Column, r rows, codes []C, out []uint32) {
	switch {
	case c.Valid() == nil && r.list == nil:
		for i, code := range codes[:len(out)] {
			out[i] = uint32(code) + 1
		}
	case c.Valid() == nil:
		for i, row := range r.list {
			out[i] = uint32(codes[row]) + 1
		}
	default:
		for i := range out {
			if k := c.Index(r.at(i)); k >= 0 {
				out[i] = uint32(codes[k]) + 1
			}
		}
	}
}

// textOf is a text of the dictionary as answers show it.
func textOf(c *vector.Column, i int) string {
	if c.JSON {
		return plain(c.Texts.String(i))
	}
	return c.Texts.String(i)
}

// plain is the text of a JSON value: a string's own, of anything else the JSON.
func plain(raw string) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal([]byte(raw), &s) != nil {
		return raw
	}
	return s
}

// gather gives numbers codes in the order in which they come.
func gather[T int64 | float64](c *vector.Column, r rows, values []T, text func(T) string) coded {
	known := map[T]uint32{}
	var seen []T
	out := coded{of: make([]uint32, r.n), text: func(code uint32) string { return text(seen[code-1]) }}
	for i := range out.of {
		k := c.Index(r.at(i))
		if k < 0 {
			continue
		}
		code, ok := known[values[k]]
		if !ok {
			seen = append(seen, values[k])
			code = uint32(len(seen))
			known[values[k]] = code
		}
		out.of[i] = code
	}
	out.n = len(seen) + 1
	return out
}

// gatherTexts gives texts codes. Different JSON of one text may have two: groups are by text.
func gatherTexts(c *vector.Column, r rows) coded {
	known := map[string]uint32{}
	var seen []int
	out := coded{of: make([]uint32, r.n), text: func(code uint32) string { return textOf(c, seen[code-1]) }}
	for i := range out.of {
		k := c.Index(r.at(i))
		if k < 0 {
			continue
		}
		b := c.Texts.Bytes(k)
		code, ok := known[string(b)]
		if !ok {
			seen = append(seen, k)
			code = uint32(len(seen))
			known[string(b)] = code
		}
		out.of[i] = code
	}
	out.n = len(seen) + 1
	return out
}

// restCodes reads an attribute that has no column of its own.
func restCodes(v scan.View, name string, r rows) (coded, error) {
	c, err := v.Column(block.RestColumn)
	if err != nil || c == nil {
		return nothing, err
	}
	known := map[string]uint32{}
	var seen []string
	out := coded{of: make([]uint32, r.n), text: func(code uint32) string { return seen[code-1] }}
	for i := range out.of {
		object, ok := c.Text(r.at(i))
		if !ok {
			continue
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal([]byte(object), &fields) != nil {
			continue
		}
		raw, ok := fields[name]
		if !ok {
			continue
		}
		text := plain(string(raw))
		code, ok := known[text]
		if !ok {
			seen = append(seen, text)
			code = uint32(len(seen))
			known[text] = code
		}
		out.of[i] = code
	}
	out.n = len(seen) + 1
	return out, nil
}

// numbers are a field's values, NaN for none; nil when no row has one.
func numbers(v scan.View, f query.Field, r rows) ([]float64, error) {
	if f.Attribute {
		return numbersOfTexts(v, f, r)
	}
	c, err := v.Column(f.Name)
	if err != nil || c == nil || c.Ints == nil && c.Floats == nil {
		return nil, err
	}
	out := make([]float64, r.n)
	for i := range out {
		switch k := c.Index(r.at(i)); {
		case k < 0:
			out[i] = math.NaN()
		case c.Floats != nil:
			out[i] = c.Floats[k]
		default:
			out[i] = float64(c.Ints[k])
		}
	}
	return out, nil
}

func numbersOfTexts(v scan.View, f query.Field, r rows) ([]float64, error) {
	c, err := codes(v, f, r)
	if err != nil || c.of == nil {
		return nil, err
	}
	byCode := make([]float64, c.n)
	byCode[0] = math.NaN()
	for code := 1; code < c.n; code++ {
		byCode[code] = math.NaN()
		if v, ok := query.ParseNumber(c.text(uint32(code))); ok {
			byCode[code] = v
		}
	}
	out := make([]float64, r.n)
	for i, code := range c.of {
		out[i] = byCode[code]
	}
	return out, nil
}
