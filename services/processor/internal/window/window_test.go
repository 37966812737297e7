package window

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

const base = int64(1_800_000_000)

func records(r *rand.Rand, n int) []logrec.Record {
	recs := make([]logrec.Record, n)
	for i := range recs {
		rec := &recs[i]
		rec.Timestamp = (base+r.Int64N(300))*nsPerSecond + r.Int64N(nsPerSecond)
		rec.Service = fmt.Sprintf("s%d", r.IntN(5))
		rec.Level = logrec.Level(1 + r.IntN(6))
		rec.Message = fmt.Sprintf("request %d failed at node-%d", r.IntN(1000), r.IntN(9))
		rec.EvalTime = int64(r.IntN(3))
		rec.ResponseStatus = int32(r.IntN(700))
		if rec.HasResponseTime = r.IntN(2) == 0; rec.HasResponseTime {
			rec.ResponseTimeMS = r.ExpFloat64() * 100
		}
	}
	return recs
}

type naiveKey struct {
	start   int64
	service string
	level   logrec.Level
}

// naive counts one record at a time, by the definition.
func naive(recs []logrec.Record) map[naiveKey]*Row {
	rows := map[naiveKey]*Row{}
	for _, rec := range recs {
		k := naiveKey{rec.Timestamp / nsPerSecond / 10 * 10, rec.Service, rec.Level}
		if rows[k] == nil {
			rows[k] = &Row{Start: k.start, Service: k.service, Level: k.level}
		}
		w := rows[k]
		w.Count++
		w.Bytes += uint64(len(rec.Message))
		if rec.EvalTime == 0 {
			w.Unevaluated++
		}
		if c := rec.ResponseStatus; c >= 100 && c < 600 {
			w.Status[c/100-1]++
		}
		if rec.HasResponseTime {
			w.RTCount++
			w.RTSum += rec.ResponseTimeMS
			w.RTMax = max(w.RTMax, rec.ResponseTimeMS)
		}
	}
	return rows
}

func requireNaive(t *testing.T, recs []logrec.Record, rows []Row) {
	t.Helper()
	want := naive(recs)
	require.Len(t, rows, len(want))
	for _, r := range rows {
		w := want[naiveKey{r.Start, r.Service, r.Level}]
		require.NotNil(t, w)
		require.InEpsilon(t, 1+w.RTSum, 1+r.RTSum, 1e-12)
		r.RTSum, w.RTSum = 0, 0
		requirePercentiles(t, recs, r)
		r.Sketch = nil
		require.Equal(t, *w, r)
	}
}

func requirePercentiles(t *testing.T, recs []logrec.Record, r Row) {
	t.Helper()
	var times []float64
	for _, rec := range recs {
		if rec.HasResponseTime && rec.Service == r.Service && rec.Level == r.Level && startOf(rec.Timestamp, Seconds) == r.Start {
			times = append(times, rec.ResponseTimeMS)
		}
	}
	if len(times) == 0 {
		require.Nil(t, r.Sketch)
		return
	}
	slices.Sort(times)
	s, err := DecodeSketch(r.Sketch)
	require.NoError(t, err)
	require.InDelta(t, len(times), s.GetCount(), 1e-9)
	got, err := s.GetValueAtQuantile(0.95)
	require.NoError(t, err)
	want := times[int(0.95*float64(len(times)-1))]
	require.InEpsilon(t, want, got, 2*RelativeAccuracy)
}

func TestFoldAgainstNaive(t *testing.T) {
	t.Parallel()
	recs := records(rand.New(rand.NewPCG(1, 2)), 20_000)
	s := NewSet()
	for chunk := range slices.Chunk(recs, 997) {
		s.Fold(chunk)
	}
	rows, _, err := s.Changed()
	require.NoError(t, err)
	requireNaive(t, recs, rows)
}

// table is MySQL, as far as a Set can tell.
type table struct {
	rows   map[naiveKey]Row
	errors map[string]ErrorRow
}

func (db *table) write(t *testing.T, s *Set) {
	t.Helper()
	starts, errorStarts := s.Missing()
	var rows []Row
	for _, r := range db.rows {
		if slices.Contains(starts, r.Start) {
			rows = append(rows, r)
		}
	}
	var texts []ErrorRow
	for _, e := range db.errors {
		if slices.Contains(errorStarts, e.Start) {
			texts = append(texts, e)
		}
	}
	require.Zero(t, s.Load(starts, rows, errorStarts, texts))
	changed, changedTexts, err := s.Changed()
	require.NoError(t, err)
	for _, r := range changed {
		db.rows[naiveKey{r.Start, r.Service, r.Level}] = r
	}
	for _, e := range changedTexts {
		db.errors[fmt.Sprint(e.Start, e.Service, e.Hash)] = e
	}
	s.Written()
}

// TestLateRecordsAndCrashes: records in any order, sets that are thrown away after each write, and windows that are forgotten
// and loaded again, give the same rows as one fold of everything.
func TestLateRecordsAndCrashes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	recs := records(r, 10_000)
	db := &table{rows: map[naiveKey]Row{}, errors: map[string]ErrorRow{}}
	s := NewSet()
	for chunk := range slices.Chunk(recs, 101) {
		s.Fold(chunk)
		switch r.IntN(3) {
		case 0:
			db.write(t, s)
		case 1:
			db.write(t, s)
			s = NewSet()
		}
	}
	db.write(t, s)
	rows := make([]Row, 0, len(db.rows))
	for _, row := range db.rows {
		rows = append(rows, row)
	}
	requireNaive(t, recs, rows)
	errors := 0
	for _, rec := range recs {
		if rec.Level >= logrec.LevelError {
			errors++
		}
	}
	counted := uint64(0)
	for _, e := range db.errors {
		counted += e.Count
	}
	require.EqualValues(t, errors, counted)
}

func TestOnlyChangedRowsAreWritten(t *testing.T) {
	t.Parallel()
	s := NewSet()
	s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "a", Level: 1}, {Timestamp: base * nsPerSecond, Service: "b", Level: 1}})
	s.Load([]int64{base}, nil, nil, nil)
	s.Written()
	s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "b", Level: 1}})
	rows, _, err := s.Changed()
	require.NoError(t, err)
	require.Equal(t, []Row{{Start: base, Service: "b", Level: 1, Count: 2, Unevaluated: 2}}, rows)
}

func TestIdleWindowsAreForgotten(t *testing.T) {
	t.Parallel()
	s := NewSet()
	s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "a", Level: logrec.LevelError, Message: "x"}})
	for range keepWrites + 2 {
		s.Fold([]logrec.Record{{Timestamp: math.MaxInt64, Service: "a", Level: 1}})
		s.Written()
	}
	require.Equal(t, 1, s.Cells())
}

func TestErrorTextsAreBounded(t *testing.T) {
	t.Parallel()
	s := NewSet()
	for i := range 3 * maxTexts {
		s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "a", Level: logrec.LevelFatal, Message: strings.Repeat("x", i+1)}})
	}
	_, texts, err := s.Changed()
	require.NoError(t, err)
	require.Len(t, texts, maxTexts+1)
	other := slices.IndexFunc(texts, func(e ErrorRow) bool { return e.Message == OtherText })
	require.EqualValues(t, 2*maxTexts, texts[other].Count)
}

func TestAbsurdTimesDoNotMakeInfinity(t *testing.T) {
	t.Parallel()
	s := NewSet()
	rec := logrec.Record{Timestamp: 1, Service: "a", Level: 1, HasResponseTime: true, ResponseTimeMS: math.MaxFloat64}
	s.Fold([]logrec.Record{rec, rec, rec})
	rows, _, err := s.Changed()
	require.NoError(t, err)
	require.Equal(t, math.MaxFloat64, rows[0].RTSum)
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"took 12 ms":                                   "took # ms",
		"10.251.73.220:50010 refused":                  "# refused",
		"blk_-38865049064139660 lost":                  "blk_-# lost",
		"order 4bf92f35-77b3-4da6-a3ce-929d0e0e4736 x": "order # x",
		"id deadbeef01 and feedface":                   "id # and feedface",
		"v2 of web1":                                   "v# of web#",
		"first line\n\tat second":                      "first line",
		"":                                             "",
		"über 9":                                       "über #",
	} {
		require.Equal(t, want, string(mask(nil, in)), in)
	}
	require.LessOrEqual(t, len(mask(nil, strings.Repeat("é", 400))), maxText)
}

func TestStartOf(t *testing.T) {
	t.Parallel()
	for ns, want := range map[int64]int64{0: 0, 1: 0, 10*nsPerSecond - 1: 0, 10 * nsPerSecond: 10, -1: -10, -10 * nsPerSecond: -10, math.MaxInt64: 9223372030} {
		require.Equal(t, want, startOf(ns, 10), ns)
	}
}

func BenchmarkFold(b *testing.B) {
	recs := records(rand.New(rand.NewPCG(1, 2)), 8192)
	slices.SortFunc(recs, func(a, c logrec.Record) int { return int(a.Timestamp - c.Timestamp) })
	b.ReportAllocs()
	for b.Loop() {
		s := NewSet()
		s.Fold(recs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(recs)), "ns/line")
}
