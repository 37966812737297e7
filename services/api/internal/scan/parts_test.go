package scan

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/logrec"
)

// TestPartsSpareSearching: a part that lacks a word is not looked at, and a column that has none in any part is not even read.
func TestPartsSpareSearching(t *testing.T) {
	t.Parallel()
	recs := make([]logrec.Record, 10*spanRows)
	for i := range recs {
		recs[i] = logrec.Record{Timestamp: int64(i), Service: "s", Level: logrec.LevelInfo, Message: fmt.Sprintf("common words and %d", i)}
	}
	recs[5*spanRows].Message, recs[9*spanRows].Message = "one needle here", "and a here needle"
	var n names
	m := makeBlock(t, &n, recs, 0)
	ask := func(v *view, text string) []int32 {
		q, err := query.Parse(text)
		require.NoError(t, err)
		p, err := Compile(q.Filter, time.Unix(0, 0), n.all)
		require.NoError(t, err)
		got, err := p.Run(v, &m.block, All(len(recs)))
		require.NoError(t, err)
		return got.First(nil, 3)
	}
	whole := m.view(t)
	require.Equal(t, []int32{5 * spanRows}, ask(whole, `"needle here"`))
	require.Equal(t, 1, whole.wishes, "parts would have spared most of it")
	require.Equal(t, []int32{0, 1, 2}, ask(whole, `"common words"`))
	require.Equal(t, 1, whole.wishes, "and nothing of this")

	v := m.view(t)
	v.split(t, spanRows)
	require.Len(t, v.parts.Filters, 10)
	left := All(len(recs))
	v.parts.narrow([]string{"needle", "here"}, left)
	require.Equal(t, 2*spanRows, left.Count())
	require.Equal(t, []int32{5 * spanRows}, ask(v, `"needle here"`))
	require.Equal(t, []int32{0, 1, 2}, ask(v, `"common words"`))
	require.Zero(t, v.wishes)
	v.read = nil
	require.Empty(t, ask(v, `"needle 17"`))
	require.Empty(t, v.read, "no part has both")
}

// TestSpans are the parts of a bitmap in which something is set.
func TestSpans(t *testing.T) {
	t.Parallel()
	const rows = 5*spanRows + 70
	b := NewBitmap(rows)
	of := func() (out [][2]int) {
		for from, to := range spans(b, rows) {
			out = append(out, [2]int{from, to})
		}
		return out
	}
	require.Empty(t, of())
	b.Set(spanRows)
	b.Set(3*spanRows - 1)
	b.Set(rows - 1)
	require.Equal(t, [][2]int{{spanRows, 3 * spanRows}, {5 * spanRows, rows}}, of())
	require.Equal(t, [][2]int{{0, rows}}, func() [][2]int { b.SetRange(0, rows); return of() }())
}
