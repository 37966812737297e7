package block

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

func open(t testing.TB, blocks ...[]byte) []*Reader {
	t.Helper()
	out := make([]*Reader, len(blocks))
	for i, data := range blocks {
		r, err := Open(data)
		require.NoError(t, err)
		out[i] = r
	}
	return out
}

func merge(t testing.TB, blocks ...[]byte) Block {
	t.Helper()
	m, err := NewMerger(Options{})
	require.NoError(t, err)
	blk, err := m.Merge(open(t, blocks...))
	require.NoError(t, err)
	return blk
}

// varied is records of every shape: ids that are hex and not, attributes of both kinds, many and few, values that repeat and not.
func varied(n int, rng *rand.Rand) []logrec.Record {
	out := corpus(n, rng.Uint64())
	for i := range out {
		r := &out[i]
		if rng.IntN(3) == 0 {
			r.Timestamp, r.EvalTime = r.Timestamp+rng.Int64N(2e9)*1000, 0
		}
		if rng.IntN(200) == 0 {
			r.TraceID, r.Timestamp = "no hex", r.Timestamp+1
		}
		if rng.IntN(4) == 0 {
			r.SpanID, r.UserID = fmt.Sprintf("%016x", rng.IntN(50)), fmt.Sprintf("u%d", rng.IntN(30))
		}
		for range rng.IntN(4) {
			a := logrec.Attr{Key: fmt.Sprintf("k%d", rng.IntN(12)), Value: fmt.Sprint(rng.IntN(5)), Kind: logrec.AttrKind(rng.IntN(10) / 9)}
			if !slices.ContainsFunc(r.Attributes, func(b logrec.Attr) bool { return a.Key == b.Key }) {
				r.Attributes = append(r.Attributes, a)
			}
		}
		if rng.IntN(n) == 0 {
			r.Attributes = odd()[4].Attributes
		}
		r.Message = r.Message[:len(r.Message)-rng.IntN(2)*min(len(r.Message), 90)]
	}
	return out
}

// TestMergeIsBuild: blocks merged are the block that a Builder makes of their records, byte for byte, and their tokens are in its filter.
func TestMergeIsBuild(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 3))
	m, err := NewMerger(Options{}) // one for all: nothing may be left over
	require.NoError(t, err)
	for round := range 60 {
		recs := varied(1+rng.IntN(400), rng)
		if round%7 == 0 {
			recs = append(recs, odd()...)
		}
		var parts [][]byte
		for rest := recs; len(rest) > 0; {
			n := 1 + rng.IntN(len(rest))
			parts = append(parts, build(t, slices.Clone(rest[:n])).Data)
			rest = rest[n:]
		}
		want := build(t, recs)
		got, err := m.Merge(open(t, parts...))
		require.NoError(t, err)
		require.Equal(t, want.Meta, got.Meta, round)
		require.True(t, bytes.Equal(want.Data, got.Data), "round %d: %d parts", round, len(parts))
		require.Len(t, got.Filter, len(want.Filter))
		requireTokens(t, recs, got.Filter)
	}
}

func requireTokens(t *testing.T, recs []logrec.Record, filter []byte) {
	t.Helper()
	for _, r := range recs {
		EachToken(r.Message, func(tok string) { require.True(t, MayContain(filter, tok), tok) })
		for _, pair := range append([]logrec.Attr{{Key: "trace_id", Value: r.TraceID}, {Key: "user_id", Value: r.UserID}}, r.Attributes...) {
			require.True(t, pair.Value == "" || MayContain(filter, pair.Key+"="+pair.Value), pair)
		}
	}
}

// TestMergeReadsOldFormats: what was stored by earlier versions becomes blocks of this one.
func TestMergeReadsOldFormats(t *testing.T) {
	t.Parallel()
	for name, recs := range goldens() {
		want := build(t, recs)
		old, err := os.ReadFile(filepath.Join("testdata", name+"-v1.parquet"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want.Data, merge(t, old).Data), name)
	}
}

func TestMergeNamesTheDamagedInput(t *testing.T) {
	t.Parallel()
	m, err := NewMerger(Options{})
	require.NoError(t, err)
	_, err = m.Merge(nil)
	require.ErrorIs(t, err, ErrEmpty)
	large := build(t, corpus(MaxRows/2+1, 1)).Data
	_, err = m.Merge(open(t, large, large))
	require.ErrorContains(t, err, "at most 131072")

	good := build(t, corpus(2000, 1)).Data
	rng, found := rand.New(rand.NewPCG(1, 9)), 0
	for range 300 {
		bad := slices.Clone(good)
		for range 8 {
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		}
		r, err := Open(bad)
		if err != nil {
			continue
		}
		var in *InputError
		if _, err := m.Merge(append(open(t, good), r)); errors.As(err, &in) {
			require.Equal(t, 1, in.Input)
			found++
		}
	}
	require.NotZero(t, found)
	blk, err := m.Merge(open(t, good))
	require.NoError(t, err)
	require.True(t, bytes.Equal(good, blk.Data), "a merger is good after damage")
}

// cpu is what this process has used, with its garbage collection: a busy machine does not change it.
// TestAWindowIsNoLossAndNoBound: columns larger than it come back whole.
func TestAWindowIsNoLossAndNoBound(t *testing.T) {
	t.Parallel()
	m, err := NewMerger(Options{Level: 3, Window: 1 << 10})
	require.NoError(t, err)
	parts := [][]byte{build(t, corpus(3000, 1)).Data, build(t, corpus(3000, 2)).Data}
	blk, err := m.Merge(open(t, parts...))
	require.NoError(t, err)
	want := merge(t, parts...)
	require.NotEqual(t, want.Data, blk.Data, "the window is in force")
	a, b := open(t, want.Data)[0], open(t, blk.Data)[0]
	for _, name := range []string{"message", "service", "request_path"} {
		x, err := a.Strings(name)
		require.NoError(t, err)
		y, err := b.Strings(name)
		require.NoError(t, err)
		require.Equal(t, x, y, name)
	}
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMerge makes a block of 65,536 lines of smaller ones.
func BenchmarkMerge(b *testing.B) {
	recs := corpus(65536, 1)
	builder, err := NewBuilder(Options{})
	require.NoError(b, err)
	for _, size := range []int{400, 1600, 4096} {
		var parts [][]byte
		for chunk := range slices.Chunk(slices.Clone(recs), size) {
			blk, err := builder.Build(chunk)
			require.NoError(b, err)
			parts = append(parts, blk.Data)
		}
		for _, o := range []Options{{Level: 1}, {Level: 2}, {Level: 2, Window: 128 << 10}, {Level: 3}, {Level: 3, Window: 512 << 10}, {Level: 3, Window: 128 << 10}} {
			b.Run(fmt.Sprintf("of%d/zstd%d/window%d", size, o.Level, o.Window), func(b *testing.B) {
				m, err := NewMerger(o)
				require.NoError(b, err)
				var blk Block
				b.ReportAllocs()
				began := cpu(b)
				for b.Loop() {
					if blk, err = m.Merge(open(b, parts...)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/65536, "cpu-ns/line")
				b.ReportMetric(float64(len(blk.Data))/65536, "B/line")
			})
		}
	}
}
