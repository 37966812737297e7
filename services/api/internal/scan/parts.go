package scan

import (
	"iter"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
)

// Parts are token filters of parts of a column's texts: a rare word rules most of a large block out. Immutable.
type Parts struct {
	Rows    int // of a part
	Filters [][]byte
}

// Parted is a View that may have them.
type Parted interface {
	View
	Parts(column string) *Parts // nil: not made
	// Wish says that they would have spared most of a search.
	Wish(column string)
}

// NewParts makes the filters of a column; nil when each value has no text of its own, or some rows have none: there is little to gain then.
func NewParts(c *vector.Column, rows int, w *block.Words) (*Parts, error) {
	n := c.Texts.Len()
	if n == 0 || n != c.Rows() || c.Codes.Any() || c.Valid() != nil {
		return nil, nil
	}
	p := &Parts{Rows: rows}
	for from := 0; from < n; from += rows {
		f, err := w.Filter(texts(&c.Texts, from, min(from+rows, n)))
		if err != nil {
			return nil, err
		}
		p.Filters = append(p.Filters, f)
	}
	return p, nil
}

func texts(t *vector.Texts, from, to int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := from; i < to && yield(unsafeString(t.Bytes(i))); i++ {
		}
	}
}

// Size is what they take in memory, bytes.
func (p *Parts) Size() (n int) {
	for _, f := range p.Filters {
		n += len(f) + 24
	}
	return n + 64
}

// narrow takes the rows of parts that lack one of the words out of cand.
func (p *Parts) narrow(words []string, cand Bitmap) {
	for i, f := range p.Filters {
		for _, w := range words {
			if !block.MayContain(f, w) {
				cand.ClearRange(i*p.Rows, min((i+1)*p.Rows, 64*len(cand)))
				break
			}
		}
	}
}

const (
	// spanRows are searched as one text, when a row of theirs is wanted.
	spanRows = 1 << 10

	// fewSpans: a search whose hits lie in one of so many spans, or fewer, would have been spared most of them.
	fewSpans = 4
)

// spans are the ranges of rows, of whole spans, in which some are wanted.
func spans(wanted Bitmap, rows int) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		from := -1
		for at := 0; at < rows; at += spanRows {
			if any := !wanted[at>>6 : min(at+spanRows, rows+63)>>6].Empty(); any && from < 0 {
				from = at
			} else if !any && from >= 0 {
				if !yield(from, at) {
					return
				}
				from = -1
			}
		}
		if from >= 0 {
			yield(from, rows)
		}
	}
}

// spanned is how many rows these are.
func spanned(wanted Bitmap, rows int) (n int) {
	for from, to := range spans(wanted, rows) {
		n += to - from
	}
	return n
}

// rare tells whether rows were found in few of the spans that were searched.
func rare(found, searched Bitmap, rows int) bool {
	n := spanned(searched, rows)
	return n >= fewSpans*spanRows && fewSpans*spanned(found, rows) <= n
}
