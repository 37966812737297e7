package pipeline

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRowsInBoth compares with looking at each row.
func TestRowsInBoth(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	some := func() (rows Rows) {
		for at := r.IntN(4); at < 40; at += 2 + r.IntN(6) {
			last := at + r.IntN(4)
			rows = append(rows, Range{at, last})
			at = last
		}
		if len(rows) > 0 && r.IntN(2) == 0 {
			rows[len(rows)-1].Last = toEnd
		}
		return rows
	}
	for range 2000 {
		a, b := some(), some()
		both := a.and(b)
		for row := range 60 {
			require.Equal(t, a.Has(row) && b.Has(row), both.Has(row), "%v and %v: row %d", a, b, row)
		}
	}
}
