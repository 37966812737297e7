package block

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// textColumn is a column of texts, or of ids, of all inputs, and how it is to be written.
type textColumn struct {
	name     string
	logical  logical
	optional bool
	width    int // of ids as bytes; 0 = text
	cols     []StringColumn
	defined  int // rows with a value
}

// read gathers a text column of all inputs; where it is not optional, a record without a value is an error.
func (m *Merger) read(name string, optional bool) (*textColumn, error) {
	c := &textColumn{name: name, logical: logicalText, optional: optional}
	for i, r := range m.in {
		s, err := r.Strings(name)
		if err == nil && !optional && slices.ContainsFunc(s.Codes, func(code int32) bool { return code < 0 }) {
			err = missing(name)
		}
		if err != nil {
			return nil, &InputError{i, err}
		}
		c.add(s)
	}
	return c, nil
}

func (c *textColumn) add(s StringColumn) {
	c.cols = append(c.cols, s)
	for _, code := range s.Codes {
		if code >= 0 {
			c.defined++
		}
	}
}

// write writes a column and returns its distinct values, or all of them when there are more than most distinct ones.
func (m *Merger) write(c *textColumn, most int) (values []string, err error) {
	w := &m.b.w
	col := w.begin(c.name, typeBytes, c.logical, c.optional)
	if c.width > 0 {
		col.typ, col.logical, col.width = typeFixed, logicalNone, c.width
	}
	known := m.unify(c, most)
	w.defined, w.texts = w.defined[:0], w.texts[:0]
	if known {
		m.byAppearance()
		return w.dict.values, w.dictionary(col, m.rows)
	}
	m.inOrder(c)
	if c.width > 0 {
		return w.texts, w.plainFixed(col, m.rows)
	}
	return w.texts, w.plain(col, m.rows)
}

// unify puts the inputs' dictionaries into one, while it has at most so many values, and all rows' codes into m.codes.
func (m *Merger) unify(c *textColumn, most int) bool {
	d := &m.b.w.dict
	entries := 0
	for _, s := range c.cols {
		entries += len(s.Dict)
	}
	d.reset(min(entries, most))
	m.codes = m.codes[:0]
	for _, s := range c.cols {
		m.entries = m.entries[:0]
		for _, v := range s.Dict {
			m.entries = append(m.entries, d.code(v))
			if len(d.values) > most {
				return false
			}
		}
		for _, code := range s.Codes {
			if code >= 0 {
				code = m.entries[code]
			}
			m.codes = append(m.codes, code)
		}
	}
	return true
}

// byAppearance gives the dictionary's values codes in the order in which the rows use them, and sets the rows' codes.
func (m *Merger) byAppearance() {
	d := &m.b.w.dict
	m.final = m.final[:0]
	for range d.values {
		m.final = append(m.final, -1)
	}
	m.names = append(m.names[:0], d.values...)
	d.values, d.codes = d.values[:0], d.codes[:0]
	for row := range m.rows {
		code := m.codes[m.at(row)]
		m.b.define(code >= 0)
		if code < 0 {
			continue
		}
		if m.final[code] < 0 {
			m.final[code] = int32(len(d.values))
			d.values = append(d.values, m.names[code])
		}
		d.codes = append(d.codes, m.final[code])
	}
}

// inOrder sets w.texts to the rows' values.
func (m *Merger) inOrder(c *textColumn) {
	all := m.names[:0]
	m.codes = m.codes[:0]
	for _, s := range c.cols {
		for _, code := range s.Codes {
			m.codes = append(m.codes, code)
			v := ""
			if code >= 0 {
				v = s.Dict[code]
			}
			all = append(all, v)
		}
	}
	m.names = all
	for row := range m.rows {
		at := m.at(row)
		is := m.codes[at] >= 0
		m.b.define(is)
		if is {
			m.b.w.texts = append(m.b.w.texts, all[at])
		}
	}
}

// required writes a column that every record has a value in; values is told what it holds.
func (m *Merger) required(name string, share int, values func([]string)) func() error {
	return func() error {
		c, err := m.read(name, false)
		if err != nil {
			return err
		}
		found, err := m.write(c, mostTexts(m.rows, share))
		values(found)
		return err
	}
}

// optional writes a column unless it is empty; values, which may be nil, is told what it holds.
func (m *Merger) optional(name string, values func([]string)) func() error {
	return func() error {
		c, err := m.read(name, true)
		if err != nil || c.defined == 0 {
			return err
		}
		found, err := m.write(c, mostTexts(c.defined, dictionaryShareText))
		if values != nil {
			values(found)
		}
		return err
	}
}

// ids writes a column of ids: as bytes when all inputs have them so.
func (m *Merger) ids(name string, width int, values func([]string, int)) func() error {
	return func() error {
		c, err := m.readIDs(name, width)
		if err != nil || c.defined == 0 {
			return err
		}
		most := mostTexts(c.defined, dictionaryShareText)
		if c.width > 0 {
			most = mostIDs(c.defined)
		}
		found, err := m.write(c, most)
		if values != nil {
			values(found, c.width)
		}
		return err
	}
}

func (m *Merger) readIDs(name string, width int) (*textColumn, error) {
	c := &textColumn{name: name, logical: logicalText, optional: true, width: width}
	for i, r := range m.in {
		s, have, err := r.strings(name, false)
		if err != nil {
			return nil, &InputError{i, err}
		}
		before := c.defined
		c.add(s)
		if c.defined > before && have != width {
			return m.read(name, true)
		}
	}
	return c, nil
}

// attributes writes the attributes' columns. Where there are too many names for columns of their own, records decide which have one.
func (m *Merger) attributes() error {
	names := map[string]struct{}{}
	for _, r := range m.in {
		for _, n := range r.AttributeNames() {
			names[n] = struct{}{}
		}
		if r.layout.Has(RestColumn) || len(names) > MaxAttributeColumns {
			return m.attributesByRecord()
		}
	}
	sorted := make([]string, 0, len(names))
	for n := range names {
		sorted = append(sorted, n)
	}
	slices.Sort(sorted)
	for _, n := range sorted {
		if err := m.attribute(n); err != nil {
			return err
		}
	}
	return nil
}

// attribute writes one attribute's column, as JSON when it is JSON in any input.
func (m *Merger) attribute(name string) error {
	c, err := m.read(AttributePrefix+name, true)
	if err != nil || c.defined == 0 {
		return err
	}
	isJSON := slices.ContainsFunc(c.cols, func(s StringColumn) bool { return s.JSON })
	if isJSON {
		c.logical = logicalJSON
		for _, s := range c.cols {
			for k := range s.Dict {
				if !s.JSON {
					s.Dict[k] = quote(s.Dict[k])
				}
			}
		}
	}
	found, err := m.write(c, mostTexts(c.defined, dictionaryShareText))
	if err != nil {
		return err
	}
	for _, cell := range found {
		a, err := attributeOf(name, cell, isJSON)
		if err != nil {
			return fmt.Errorf("%w: attribute %s: %w", ErrDamaged, name, err)
		}
		m.b.filter.pair(name, a.Value)
	}
	return nil
}

// attributesByRecord goes the way of the Builder.
func (m *Merger) attributesByRecord() error {
	all := make([]logrec.Record, 0, m.rows)
	for i, r := range m.in {
		part := make([]logrec.Record, r.rows)
		rows := make([]int, r.rows)
		for k := range rows {
			rows[k] = k
		}
		for _, name := range r.names {
			if name != RestColumn && !strings.HasPrefix(name, AttributePrefix) {
				continue
			}
			c, err := r.Strings(name)
			if err == nil {
				err = attributesOf(name, c, rows, part)
			}
			if err != nil {
				return &InputError{i, err}
			}
		}
		all = append(all, part...)
	}
	recs := make([]logrec.Record, m.rows)
	for row := range recs {
		recs[row] = all[m.at(row)]
		slices.SortFunc(recs[row].Attributes, func(a, b logrec.Attr) int { return cmp.Compare(a.Key, b.Key) })
		for _, a := range recs[row].Attributes {
			m.b.filter.pair(a.Key, a.Value)
		}
	}
	return m.b.attributes(recs)
}
