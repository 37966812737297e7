package pipeline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/logmill/logmill/shared/contract"
)

// Rows are places of records in a message, from 0, as ranges in order.
type Rows []Range

// Range is First to Last, both included.
type Range struct{ First, Last int }

// toEnd is the Last of a range that ends with the message.
const toEnd = math.MaxInt

// rowsOf are the rows of rejected records, which come in order.
func rowsOf(bad []contract.Rejected) Rows {
	var rows Rows
	for _, b := range bad {
		last := b.Row
		if b.Rest {
			last = toEnd
		}
		if n := len(rows); n > 0 && rows[n-1].Last == b.Row-1 {
			rows[n-1].Last = last
			continue
		}
		rows = append(rows, Range{b.Row, last})
	}
	return rows
}

// Has tells whether a row is one of them.
func (rs Rows) Has(row int) bool {
	i, found := slices.BinarySearchFunc(rs, row, func(r Range, row int) int { return r.First - row })
	return found || i > 0 && row <= rs[i-1].Last
}

// and are the rows that are in both.
func (rs Rows) and(other Rows) Rows {
	var both Rows
	for i, j := 0, 0; i < len(rs) && j < len(other); {
		a, b := rs[i], other[j]
		if r := (Range{max(a.First, b.First), min(a.Last, b.Last)}); r.First <= r.Last {
			both = append(both, r)
		}
		if a.Last < b.Last {
			i++
		} else {
			j++
		}
	}
	return both
}

// String is how they are stored: 3,7-9,12-
func (rs Rows) String() string {
	var b strings.Builder
	for i, r := range rs {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(r.First))
		switch r.Last {
		case r.First:
		case toEnd:
			b.WriteByte('-')
		default:
			b.WriteString("-" + strconv.Itoa(r.Last))
		}
	}
	return b.String()
}

// ParseRows reads String back; "" is none.
func ParseRows(text string) (Rows, error) {
	var rows Rows
	for part := range strings.SplitSeq(text, ",") {
		if text == "" {
			break
		}
		first, last, isRange := strings.Cut(part, "-")
		r := Range{Last: toEnd}
		var err error
		if r.First, err = strconv.Atoi(first); err == nil && !isRange {
			r.Last = r.First
		} else if err == nil && last != "" {
			r.Last, err = strconv.Atoi(last)
		}
		if err != nil || r.Last < r.First || len(rows) > 0 && r.First <= rows[len(rows)-1].Last {
			return nil, fmt.Errorf("reading rows %.40q: not ranges in order", text)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// keep drops, of what the newest message brought, the records that are not among rows. They change places, so that each keeps its memory.
func keep(b *contract.Batch, from int, rows Rows) {
	kept := from
	for i := from; i < len(b.Records); i++ {
		if rows.Has(int(b.Records[i].SrcRow)) {
			b.Records[kept], b.Records[i] = b.Records[i], b.Records[kept]
			kept++
		}
	}
	b.Records = b.Records[:kept]
}
