package counts

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/logmill/logmill/shared/logrec"
)

var update = flag.Bool("update", false, "write golden files anew")

// window is what some services said in 10 s.
func window(rng *rand.Rand, services int) (rows []Row) {
	for i := range services {
		for _, l := range []logrec.Level{logrec.LevelAbsent, logrec.LevelInfo, logrec.LevelWarn, logrec.LevelError, logrec.LevelFatal}[rng.IntN(3):] {
			if rng.IntN(2) == 0 {
				continue
			}
			r := Row{Service: fmt.Sprintf("service-%d", i), Level: l, Lines: 1 + rng.Uint64N(9), Bytes: rng.Uint64N(1000)}
			if rng.IntN(9) == 0 {
				r.Unevaluated = r.Lines
			}
			if rng.IntN(3) == 0 {
				times := make([]float64, rng.IntN(4))
				for k := range times {
					times[k] = math.Round(math.Exp(rng.NormFloat64()+3)*1000) / 1000
				}
				r.Times.Observe(times)
				r.Status[1+rng.IntN(4)] = r.Times.Count
			}
			rows = append(rows, r)
		}
	}
	Sort(rows)
	return rows
}

func decode(data []byte) (rows []Row, err error) {
	err = Each(data, func(r *Row) { rows = append(rows, r.Clone()) })
	return rows, err
}

func decodeTexts(data []byte) (texts []Text, err error) {
	err = EachText(data, func(t *Text) { texts = append(texts, *t) })
	return texts, err
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rows := window(rand.New(rand.NewPCG(seed, 1)), int(seed))
		got, err := decode(Encode(rows))
		require.NoError(t, err)
		require.Equal(t, len(rows), len(got))
		for i := range rows {
			if len(rows[i].Times.Bins) == 0 {
				rows[i].Times.Bins, got[i].Times.Bins = nil, nil
			}
		}
		require.Equal(t, rows, got, seed)
	}
}

// TestBoundaries: values at the ends of what there is.
func TestBoundaries(t *testing.T) {
	t.Parallel()
	rows := []Row{
		{Lines: math.MaxUint64, Bytes: math.MaxUint64, Unevaluated: math.MaxUint64, Status: [5]uint64{1, 2, 3, 4, math.MaxUint64}},
		{Service: "a", Level: logrec.LevelFatal, Times: Times{Count: 1, SumMS: -1, MaxMS: -1, Zero: 1, Bins: []Bin{}}},
		{Service: "a/é", Times: Times{Count: 3, SumMS: math.MaxFloat64, MaxMS: math.MaxFloat64, Bins: []Bin{{math.MinInt32, 1}, {0, math.MaxUint32}, {math.MaxInt32, 1}}}},
		{Service: "b", Times: Times{Count: 1, SumMS: 7, MaxMS: 7, Bins: []Bin{}}}, // its bin is not known: of a sketch that was damaged
	}
	got, err := decode(Encode(rows))
	require.NoError(t, err)
	for i := range got {
		if got[i].Times.Bins == nil {
			got[i].Times.Bins = rows[i].Times.Bins
		}
	}
	require.Equal(t, rows, got)
}

func TestTextsRoundTrip(t *testing.T) {
	t.Parallel()
	texts := []Text{{"a", "connection from # closed", 3}, {"a", "connection to # failed", math.MaxUint64}, {"b", "connection to # failed", 1}, {"c", "", 9}, {"é", "ü", 2}}
	got, err := decodeTexts(EncodeTexts(texts))
	require.NoError(t, err)
	require.Equal(t, texts, got)
}

func TestBinsRoundTrip(t *testing.T) {
	t.Parallel()
	var want, got Times
	require.Empty(t, EncodeBins(&want))
	require.NoError(t, got.ReadBins(nil))
	want.Observe([]float64{0, 1, 2, 2, 900})
	require.NoError(t, got.ReadBins(EncodeBins(&want)))
	require.Equal(t, Times{Zero: want.Zero, Bins: want.Bins}, got)
	require.ErrorIs(t, got.ReadBins([]byte{1, 0, 1}), ErrDamaged)
}

// TestGolden: values of every version so far are read for ever.
func TestGolden(t *testing.T) {
	t.Parallel()
	rows := []Row{
		{Service: "api", Level: logrec.LevelInfo, Lines: 300, Bytes: 70_000, Status: [5]uint64{0, 200, 0, 7, 0}, Times: Times{Count: 3, SumMS: 21.5, MaxMS: 19, Zero: 1, Bins: []Bin{{45, 1}, {147, 1}}}},
		{Service: "api", Level: logrec.LevelError, Lines: 1, Bytes: 20, Unevaluated: 1, Times: single(12.5)},
		{Service: "api-gateway", Level: logrec.LevelAbsent, Lines: 2, Bytes: 9},
	}
	texts := []Text{{"api", "no route to #", 12}, {"api", "no row #", 1}, {"api-gateway", "no route to #", 3}}
	for name, made := range map[string][]byte{"window.v1": Encode(rows), "texts.v1": EncodeTexts(texts), "bins.v1": EncodeBins(&rows[0].Times)} {
		file := filepath.Join("testdata", name+".hex")
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(hex.EncodeToString(made)+"\n"), 0o600))
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		golden, err := hex.DecodeString(strings.TrimSpace(string(text)))
		require.NoError(t, err)
		require.Equal(t, golden, made, name)
	}
	golden, err := hex.DecodeString("0101")
	require.NoError(t, err)
	require.ErrorIs(t, Each(golden, nil), ErrDamaged)
	require.ErrorIs(t, Each([]byte{2, 0, 0}, nil), ErrVersion)
	require.ErrorIs(t, EachText([]byte{1, 2, 0}, nil), ErrVersion)
}

// TestSizes: what a window of the bench corpus takes, in bytes; growth is meant to be noticed.
func TestSizes(t *testing.T) {
	t.Parallel()
	rows := window(rand.New(rand.NewPCG(1, 2)), 34)
	require.InDelta(t, 650, len(Encode(rows)), 20, "%d rows", len(rows))
	require.Len(t, Encode(nil), 3)
}

// TestTimesAgainstASort: percentiles of values that were added up in any parts are within 1 % of the sorted values.
func TestTimesAgainstASort(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	var all []float64
	var sum Times
	for range 200 {
		part := make([]float64, rng.IntN(100))
		for i := range part {
			part[i] = math.Exp(2 * rng.NormFloat64())
			if rng.IntN(10) == 0 {
				part[i] = 0
			}
		}
		all = append(all, part...)
		var o Times
		o.Observe(part)
		sum.Add(&o)
	}
	slices.Sort(all)
	require.EqualValues(t, len(all), sum.Count)
	for _, q := range []float64{0, 0.05, 0.5, 0.95, 0.99, 1} {
		require.InDelta(t, all[int(q*float64(len(all)-1))], sum.Quantile(q), 1e-9+Accuracy*1.01*all[int(q*float64(len(all)-1))], q)
	}
	require.Equal(t, all[len(all)-1], sum.MaxMS)
	require.Zero(t, new(Times).Quantile(0.5))
}

func TestAbsurdTimes(t *testing.T) {
	t.Parallel()
	var s Times
	for range 3 {
		s.Observe([]float64{math.MaxFloat64, -math.MaxFloat64, math.MaxFloat64, 5e-324})
	}
	require.Equal(t, math.MaxFloat64, s.SumMS)
	require.EqualValues(t, 3, s.Zero)
	require.Equal(t, math.MaxFloat64, s.MaxMS)
	var wide Times
	for i := range 5000 {
		wide.Add(&Times{Count: 1, Bins: []Bin{{int32(i), 1}}})
	}
	require.Len(t, wide.Bins, maxBins)
	require.EqualValues(t, 5000-maxBins+1, wide.Bins[0].Count)
}

// TestOldSketches: what builds before wrote is read as the same bins.
func TestOldSketches(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	old, err := ddsketch.LogCollapsingLowestDenseDDSketch(Accuracy, maxBins)
	require.NoError(t, err)
	var values []float64
	for range 1000 {
		values = append(values, math.Max(0, math.Exp(rng.NormFloat64())-0.5))
		require.NoError(t, old.Add(values[len(values)-1]))
	}
	data, err := proto.Marshal(old.ToProto())
	require.NoError(t, err)
	var want, got Times
	want.Observe(values)
	require.NoError(t, got.ReadSketch(data))
	require.Equal(t, want.Zero, got.Zero)
	require.Equal(t, want.Bins, got.Bins)
	require.NoError(t, got.ReadSketch(nil))
	require.Error(t, got.ReadSketch([]byte{0xff}))
	other, err := ddsketch.LogCollapsingLowestDenseDDSketch(0.02, maxBins)
	require.NoError(t, err)
	data, err = proto.Marshal(other.ToProto())
	require.NoError(t, err)
	require.ErrorIs(t, got.ReadSketch(data), errMapping)
}

// FuzzEach: no value makes the reader panic or take memory without bound, and what it accepts is written and read again as the same.
func FuzzEach(f *testing.F) {
	f.Add(Encode(window(rand.New(rand.NewPCG(1, 2)), 3))[2:])
	f.Add(Encode(window(rand.New(rand.NewPCG(1, 2)), 200))[2:])
	f.Add(EncodeTexts([]Text{{"a", "x", 1}, {"b", "xy", 2}})[2:])
	f.Fuzz(func(t *testing.T, body []byte) {
		for codec := range byte(2) {
			data := append([]byte{version, codec}, body...)
			if rows, err := decode(data); err == nil {
				Sort(rows)
				if !slices.ContainsFunc(rows, func(r Row) bool { return r.Level > logrec.LevelFatal }) && distinct(rows) {
					again, err := decode(Encode(rows))
					require.NoError(t, err)
					require.Equal(t, Encode(rows), Encode(again))
				}
			}
			if texts, err := decodeTexts(data); err == nil {
				again, err := decodeTexts(EncodeTexts(texts))
				require.NoError(t, err)
				require.Equal(t, EncodeTexts(texts), EncodeTexts(again))
			}
		}
	})
}

func distinct(rows []Row) bool {
	for i := 1; i < len(rows); i++ {
		if rows[i].Service == rows[i-1].Service && rows[i].Level == rows[i-1].Level {
			return false
		}
	}
	return true
}

func BenchmarkEncode(b *testing.B) {
	rows := window(rand.New(rand.NewPCG(1, 2)), 34)
	b.ReportAllocs()
	for b.Loop() {
		_ = Encode(rows)
	}
	b.ReportMetric(float64(len(Encode(rows))), "B/window")
	b.ReportMetric(float64(len(rows)), "rows/window")
}

func BenchmarkEach(b *testing.B) {
	data := Encode(window(rand.New(rand.NewPCG(1, 2)), 34))
	b.ReportAllocs()
	for b.Loop() {
		if err := Each(data, func(*Row) {}); err != nil {
			b.Fatal(err)
		}
	}
}
