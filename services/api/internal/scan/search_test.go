package scan

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block/vector"
)

// messages are as many as a merged block has, of the kinds that the bench corpus has.
func messages(n int) *vector.Texts {
	r := rand.New(rand.NewPCG(1, 2))
	t := &vector.Texts{Offsets: []uint32{0}}
	kinds := []string{
		"request %x expired %d seconds ago in pipeline ingest-%d", "queue depth %d was queued behind %d others (zone a, build %x)",
		"index segment %x reached %d %% of its quota while the other members of the group went on, %d", "payment %x was acknowledged by 10.%d.7.%d",
		"connection from 10.1.%d.9 closed by peer with code %d (zone a, build %08x)", "checkpoint %d took %d ms longer than expected in pipeline ingest-%d",
	}
	for range n {
		t.Data = fmt.Appendf(t.Data, kinds[r.IntN(len(kinds))], r.Uint32(), r.IntN(1000), r.IntN(1_000_000))
		t.Offsets = append(t.Offsets, uint32(len(t.Data)))
	}
	return t
}

// TestSearchInMuchText: where columns are sampled, searches find what asking each text finds.
func TestSearchInMuchText(t *testing.T) {
	t.Parallel()
	texts := messages(4000)
	require.Greater(t, len(texts.Data), sampleFrom)
	copy(texts.Data[len(texts.Data)-40:], "zQ ZqXx") // not in the sample
	r := rand.New(rand.NewPCG(3, 4))
	hits := 0
	for range 300 {
		at := r.IntN(len(texts.Data) - 12)
		part := strings.Trim(string(texts.Data[at:at+1+r.IntN(11)]), " ")
		if part == "" {
			continue
		}
		for _, m := range []matcher{newPhrase(query.Is{Text: "x" + part}), newPhrase(query.Wildcard{Parts: []string{"", strings.ToUpper(part), ""}}), must(newExpression(regexp.QuoteMeta(part)))} {
			var want, got []int
			for i := range texts.Len() {
				if m.match(texts.Bytes(i)) {
					want = append(want, i)
				}
			}
			search(texts, 0, texts.Len(), m, func(i int) { got = append(got, i) })
			require.Equal(t, want, got, "%q", part)
			hits += len(got)
		}
	}
	require.Greater(t, hits, 1000)
}

func must(e *expression, err error) *expression {
	if err != nil {
		panic(err)
	}
	return e
}

// BenchmarkSearch looks in the messages of a block for what is not there.
func BenchmarkSearch(b *testing.B) {
	t := messages(65536)
	expression, err := newExpression(`token=zz[0-9a-f]{6}`)
	require.NoError(b, err)
	for name, m := range map[string]matcher{
		"phrase":     newPhrase(query.Is{Text: "quantum flux capacitor overheated"}),
		"expression": expression,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(t.Data)))
			for b.Loop() {
				search(t, 0, t.Len(), m, func(int) { b.Fatal("found") })
			}
		})
	}
}
