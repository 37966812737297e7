package expr

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
)

// texts are records that have a message only.
type texts struct{ block.StringColumn }

func (t texts) Rows() int                                  { return len(t.Codes) }
func (texts) Columns() []string                            { return []string{"message"} }
func (texts) Ints(string) ([]int64, []bool, error)         { return nil, nil, nil }
func (texts) Floats(string) ([]float64, []bool, error)     { return nil, nil, nil }
func (t texts) Strings(string) (block.StringColumn, error) { return t.StringColumn, nil }

func word(rng *rand.Rand, letters string, most int) string {
	b := make([]byte, rng.IntN(most+1))
	for i := range b {
		b[i] = letters[rng.IntN(len(letters))]
	}
	return string(b)
}

// TestManyTextsAtOnce compares the search for many texts at once with strings.Contains, over texts of few letters, so that they overlap and hold
// each other, over any bytes, with NULLs, and over dictionaries with few entries and with one a record.
func TestManyTextsAtOnce(t *testing.T) {
	t.Parallel()
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	hits := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 6))
		letters := []string{"ab", "abc", "abcdefghij ", string(every)}[rng.IntN(4)]
		var col block.StringColumn
		for range 1 + rng.IntN(200) {
			col.Dict = append(col.Dict, word(rng, letters, 30))
		}
		for range 1 + rng.IntN(300) {
			col.Codes = append(col.Codes, int32(rng.IntN(len(col.Dict)+1)-1))
		}
		set := NewSet()
		var want []string
		var preds []*Predicate
		for range findTogether + rng.IntN(60) {
			text := word(rng, letters, 5) + letters[:1]
			n := &Binary{Op: "like", L: &Column{Name: "message"}, R: &Literal{Value: "%" + strings.NewReplacer("\\", "\\\\", "%", "\\%", "_", "\\_").Replace(text) + "%"}}
			want, preds = append(want, text), append(preds, set.Predicate(n))
		}
		f := NewFrame(texts{col})
		for k, p := range preds {
			m := p.Over(f)
			for row, code := range col.Codes {
				null, is := code < 0, code >= 0 && strings.Contains(col.Dict[code], want[k])
				require.Equal(t, is, m.True[row>>6]>>(row&63)&1 == 1, "seed %d, %q", seed, want[k])
				require.Equal(t, !null && !is, m.False[row>>6]>>(row&63)&1 == 1, "seed %d, %q", seed, want[k])
				if is {
					hits++
				}
			}
		}
	}
	require.Greater(t, hits, 10_000)
}

// TestTooManyTexts: what does not fit into the table is searched for all the same.
func TestTooManyTexts(t *testing.T) {
	t.Parallel()
	set := NewSet()
	var preds []*Predicate
	long := strings.Repeat("x", 4000)
	for k := range 40 {
		preds = append(preds, set.Predicate(&Binary{Op: "like", L: &Column{Name: "message"}, R: &Literal{Value: fmt.Sprintf("%%%s%d.%%", long, k)}}))
	}
	f := NewFrame(texts{block.StringColumn{Dict: []string{long + "3.", long + "39."}, Codes: []int32{0, 1}}})
	for k, p := range preds {
		require.Equal(t, map[int]uint64{3: 1, 39: 2}[k], p.Over(f).True[0], k)
	}
}
