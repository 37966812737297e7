// Package query is what a search asks for: its filter, read from text, its order and its place to go on. It knows no HTTP and no SQL.
package query

import (
	"cmp"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// Query is a search for log records.
type Query struct {
	Filter     Node  // nil: all
	Start, End int64 // of timestamp, ns: Start included, End not
	Oldest     bool  // oldest first; else newest first
	Limit      int
	Offset     int
	After      *Key   // go on behind this record, in the query's order
	Count      bool   // count all matches, not only those of the page
	Explain    bool   // say how the answer came about
	Source     string // of sums: blocks, windows where they can; "" = what is faster
}

// Fingerprint tells queries with other filters or another order apart: a cursor of one makes no sense to another.
func (q *Query) Fingerprint() uint32 {
	text := Print(q.Filter)
	if q.Oldest {
		text += " oldest"
	}
	return crc32.ChecksumIEEE([]byte(text))
}

// Key orders records: by time, ties by where they came from.
type Key struct {
	Time int64 // ns
	ID   logrec.ID
}

// Compare orders keys oldest first.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Time, o.Time), cmp.Compare(k.ID.Stream, o.ID.Stream), cmp.Compare(k.ID.Partition, o.ID.Partition),
		cmp.Compare(k.ID.Offset, o.ID.Offset), cmp.Compare(k.ID.Row, o.ID.Row))
}

// Equal is a filter for lines whose field has one of the values, compared as the language does; All without values.
func Equal(f Field, values ...string) Node {
	var of []Node
	for _, v := range values {
		of = append(of, &Term{f, Is{v}})
	}
	if of == nil {
		return All{}
	}
	return AnyOf(of...)
}

// Contains is a filter for lines whose message has the text in it, in any case, words or not: what grep -i finds. All for an empty text.
func Contains(text string) Node {
	if text == "" {
		return All{}
	}
	return &Term{Message, Wildcard{[]string{"", text, ""}}}
}

// Levels is a filter for levels, by their names; >=warn means warn and worse. The error is for people.
func Levels(names ...string) (Node, error) {
	var of []Node
	for _, text := range names {
		name, orWorse := strings.CutPrefix(text, ">=")
		l, err := levelName(value{parts: []string{name}})
		if err != nil {
			return nil, errors.New(err.Message) // a list of names has no places
		}
		if orWorse {
			of = append(of, &Term{Field{Name: "level"}, Range{Lo: Bound{Text: l}, Hi: Bound{Open: true}}})
		} else {
			of = append(of, &Term{Field{Name: "level"}, Is{l}})
		}
	}
	if of == nil {
		return All{}, nil
	}
	return AnyOf(of...), nil
}
