package vector_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

// corpus has every column, dense and sparse, with and without a dictionary.
func corpus(n int, seed uint64) []logrec.Record {
	rng := rand.New(rand.NewPCG(seed, 5))
	maybe := func(oneIn int, s string) string {
		if rng.IntN(oneIn) > 0 {
			return ""
		}
		return s
	}
	out := make([]logrec.Record, n)
	for i := range out {
		out[i] = logrec.Record{
			Timestamp: 1700000000000000000 + int64(i)*rng.Int64N(1e6), Observed: rng.Int64() - rng.Int64(), Level: logrec.Levels[rng.IntN(6)], Service: fmt.Sprintf("service-%d", rng.IntN(300)),
			Message: fmt.Sprintf("request %d failed: ümlaut %x", rng.IntN(1e6), rng.Uint64()), SrcOffset: int64(i / 7), SrcRow: int32(i % 7),
			TraceID: maybe(2, fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())), SpanID: maybe(3, fmt.Sprintf("%016x", rng.Uint64())), UserID: maybe(9, fmt.Sprint(rng.IntN(1e9))),
			RequestMethod: maybe(4, "GET"), RequestPath: maybe(4, fmt.Sprintf("/things/%d", rng.IntN(5000))), Team: "core", Host: maybe(3, fmt.Sprintf("h%d", rng.IntN(3))), PatternID: rng.Int64N(3),
			EvalTime: rng.Int64N(2) * rng.Int64(), ResponseStatus: int32(rng.IntN(2) * (200 + rng.IntN(400))),
		}
		if rng.IntN(5) == 0 {
			out[i].ResponseTimeMS, out[i].HasResponseTime = rng.ExpFloat64()*100, true
		}
		for k := range rng.IntN(4) {
			out[i].Attributes = append(out[i].Attributes, logrec.Attr{Key: fmt.Sprintf("a%d", rng.IntN(90)*4+k), Value: fmt.Sprint(rng.IntN(50)), Kind: logrec.AttrKind(rng.IntN(2))})
		}
	}
	return out
}

func words(rows int) int { return (rows + 63) / 64 }

func build(t testing.TB, recs []logrec.Record) []byte {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	blk, err := b.Build(recs)
	require.NoError(t, err)
	return blk.Data
}

// samples are blocks of every kind: sizes around words of a bitmap, extreme values, and those that earlier versions wrote.
func samples(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	for i, n := range []int{1, 2, 63, 64, 65, 129, 1000, 4001} {
		out[fmt.Sprint(n)] = build(t, corpus(n, uint64(i)))
	}
	out["large"] = build(t, corpus(70_000, 99))
	out["extreme"] = build(t, []logrec.Record{{Timestamp: math.MinInt64}, {Timestamp: -1, Message: strings.Repeat("x", 300_000)}, {Timestamp: math.MaxInt64, TraceID: "no hex", Message: "m"}})
	files, err := filepath.Glob("../testdata/*.parquet")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		out[filepath.Base(f)] = data
	}
	return out
}

// TestColumnsAreWhatTheOtherReaderSays compares each column, value by value.
func TestColumnsAreWhatTheOtherReaderSays(t *testing.T) {
	t.Parallel()
	for name, data := range samples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := block.Open(data)
			require.NoError(t, err)
			l, err := vector.ReadLayout(data)
			require.NoError(t, err)
			require.Equal(t, want.Rows(), l.Rows())
			require.Equal(t, want.Columns(), l.Names())
			for _, column := range l.Names() {
				c, err := l.Column(data, column)
				require.NoError(t, err, column)
				compare(t, want, c, column)
			}
			absent, err := l.Column(data, "attr.nothing")
			require.NoError(t, err)
			require.Nil(t, absent)
		})
	}
}

func compare(t *testing.T, want *block.Reader, c *vector.Column, name string) {
	t.Helper()
	var ok bool
	switch {
	case c.Ints != nil:
		values, valid, err := want.Ints(name)
		require.NoError(t, err)
		ok = equalRows(c, valid, func(row, i int) bool { return values[row] == c.Ints[i] })
	case c.Floats != nil:
		values, valid, err := want.Floats(name)
		require.NoError(t, err)
		ok = equalRows(c, valid, func(row, i int) bool { return values[row] == c.Floats[i] })
	default:
		texts, err := want.Strings(name)
		require.NoError(t, err)
		require.Equal(t, texts.JSON, c.JSON)
		ok = true
		for row := range c.Rows() {
			a, hasA := texts.Get(row)
			b, hasB := c.Text(row)
			ok = ok && a == b && hasA == hasB
		}
	}
	require.True(t, ok, name)
	require.Positive(t, c.Size())
}

func equalRows(c *vector.Column, valid []bool, same func(row, i int) bool) bool {
	n := 0
	for row := range c.Rows() {
		i := c.Index(row)
		if i >= 0 {
			n++
		}
		if (valid == nil || valid[row]) != (i >= 0) || i >= 0 && !same(row, i) {
			return false
		}
	}
	return n == c.Values()
}

func TestSpreadAndFind(t *testing.T) {
	t.Parallel()
	data := build(t, corpus(3000, 7))
	l, err := vector.ReadLayout(data)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, name := range []string{"trace_id", "message", "user_id", "request_path"} {
		c, err := l.Column(data, name)
		require.NoError(t, err)
		dense := make([]uint64, words(c.Values())+1)
		for range 100 {
			i := rng.IntN(c.Values())
			dense[i>>6] |= 1 << (i & 63)
		}
		out := make([]uint64, words(c.Rows()))
		c.Spread(dense[:words(c.Values())], out)
		for row := range c.Rows() {
			i := c.Index(row)
			require.Equal(t, i >= 0 && dense[i>>6]>>(i&63)&1 == 1, out[row>>6]>>(row&63)&1 == 1)
		}
		for i := range c.Texts.Len() {
			if text := c.Texts.Bytes(i); c.Texts.Width == 0 && len(text) > 0 {
				require.Equal(t, i, c.Texts.Find(int(c.Texts.Offsets[i])))
				require.Equal(t, i, c.Texts.Find(int(c.Texts.Offsets[i])+len(text)-1))
			}
		}
	}
}

func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	data := build(t, corpus(300, 1))
	for _, bad := range [][]byte{nil, data[:20], data[:len(data)-1], append([]byte("PAR2"), data[4:]...), []byte("PAR1\xff\xff\xff\x7fPAR1"), []byte("PAR1\x00\x00\x00\x00PAR1")} {
		_, err := vector.ReadLayout(bad)
		require.ErrorIs(t, err, block.ErrDamaged)
	}
}

// FuzzRead changes bytes of a block: errors are damage, and nothing panics.
func FuzzRead(f *testing.F) {
	sample := build(f, corpus(200, 1))
	f.Add(uint32(5), byte(1), uint32(len(sample)-30), byte(0xff), uint32(100), byte(7))
	f.Fuzz(func(t *testing.T, at1 uint32, v1 byte, at2 uint32, v2 byte, at3 uint32, v3 byte) {
		data := append([]byte(nil), sample...)
		for _, c := range []struct {
			at uint32
			v  byte
		}{{at1, v1}, {at2, v2}, {at3, v3}} {
			data[int(c.at)%len(data)] ^= c.v
		}
		l, err := vector.ReadLayout(data)
		if err != nil {
			require.True(t, errors.Is(err, block.ErrDamaged) || errors.Is(err, block.ErrNewer), err)
			return
		}
		for _, name := range l.Names() {
			c, err := l.Column(data, name)
			if err != nil && !errors.Is(err, block.ErrDamaged) {
				t.Fatal(err)
			}
			for row := 0; err == nil && c != nil && row < c.Rows(); row++ {
				if c.Ints == nil && c.Floats == nil {
					c.Text(row)
				}
			}
		}
	})
}

func BenchmarkColumn(b *testing.B) {
	data := build(b, corpus(65536, 1))
	l, err := vector.ReadLayout(data)
	require.NoError(b, err)
	b.Run("layout", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = vector.ReadLayout(data)
		}
	})
	for _, name := range []string{"timestamp", "level", "service", "message", "trace_id", "request_path", "response_time_ms"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(l.RawBytes(name)))
			for b.Loop() {
				_, _ = l.Column(data, name)
			}
		})
	}
}
