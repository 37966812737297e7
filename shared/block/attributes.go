package block

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/logmill/logmill/shared/logrec"
)

// Names of attribute columns.
const (
	AttributePrefix = "attr."
	RestColumn      = "attributes_rest"
)

// attributeColumns gathers attributes by name.
type attributeColumns struct {
	index map[string]int
	all   []*attribute
}

// attribute is one name's cells: which rows have it, and its values.
type attribute struct {
	name  string
	rows  []int32
	cells []*logrec.Attr
	json  bool // some value is not a plain text
}

func (b *Builder) attributes(recs []logrec.Record) error {
	a := &b.attrs
	a.gather(recs)
	if len(a.all) == 0 {
		return nil
	}
	slices.SortFunc(a.all, func(x, y *attribute) int {
		return cmp.Or(cmp.Compare(len(y.rows), len(x.rows)), cmp.Compare(x.name, y.name))
	})
	own := a.all[:min(len(a.all), MaxAttributeColumns)]
	rest := a.all[len(own):]
	slices.SortFunc(own, func(x, y *attribute) int { return cmp.Compare(x.name, y.name) })
	for _, at := range own {
		if err := b.attributeColumn(at, len(recs)); err != nil {
			return err
		}
	}
	if len(rest) == 0 {
		return nil
	}
	return b.restOf(rest, len(recs))
}

func (a *attributeColumns) gather(recs []logrec.Record) {
	clear(a.index)
	if a.index == nil {
		a.index = map[string]int{}
	}
	a.all = a.all[:0]
	for i := range recs {
		for k := range recs[i].Attributes {
			at := &recs[i].Attributes[k]
			c := a.column(at.Key)
			c.rows, c.cells = append(c.rows, int32(i)), append(c.cells, at)
			c.json = c.json || at.Kind == logrec.JSON
		}
	}
}

func (a *attributeColumns) column(name string) *attribute {
	if i, ok := a.index[name]; ok {
		return a.all[i]
	}
	a.index[name] = len(a.all)
	c := &attribute{name: name}
	a.all = append(a.all, c)
	return c
}

func (b *Builder) attributeColumn(a *attribute, rows int) error {
	b.rowsDefined(a.rows, rows)
	b.w.texts = b.w.texts[:0]
	l := logicalText
	for _, c := range a.cells {
		v := c.Value
		if a.json {
			v, l = jsonOf(c), logicalJSON
		}
		b.w.texts = append(b.w.texts, v)
	}
	return b.w.strings(AttributePrefix+string([]byte(a.name)), l, true, rows, dictionaryShareText)
}

func (b *Builder) rowsDefined(present []int32, rows int) {
	b.w.defined = slices.Grow(b.w.defined[:0], rows)[:rows]
	clear(b.w.defined)
	for _, r := range present {
		b.w.defined[r] = 1
	}
}

// jsonOf is an attribute's value as JSON.
func jsonOf(a *logrec.Attr) string {
	if a.Kind == logrec.JSON {
		return a.Value
	}
	return quote(a.Value)
}

func quote(s string) string {
	q, err := json.Marshal(s)
	if err != nil { // cannot happen: any string has a JSON form
		return `""`
	}
	return string(q)
}

// restOf writes one object a row with the attributes that have no column of their own.
func (b *Builder) restOf(rest []*attribute, rows int) error {
	slices.SortFunc(rest, func(x, y *attribute) int { return cmp.Compare(x.name, y.name) })
	objects := map[int32][]byte{}
	for _, a := range rest {
		for i, r := range a.rows {
			o := objects[r]
			if o == nil {
				o = append(o, '{')
			} else {
				o = append(o, ',')
			}
			o = append(append(append(o, quote(a.name)...), ':'), jsonOf(a.cells[i])...)
			objects[r] = o
		}
	}
	b.w.texts, b.w.defined = b.w.texts[:0], b.w.defined[:0]
	for r := range int32(rows) {
		o, ok := objects[r]
		b.define(ok)
		if ok {
			b.w.texts = append(b.w.texts, string(append(o, '}')))
		}
	}
	return b.w.strings(RestColumn, logicalJSON, true, rows, dictionaryShareText)
}
