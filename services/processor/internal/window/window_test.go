package window

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/counts"
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
func naive(recs []logrec.Record) map[naiveKey]*counts.Row {
	rows := map[naiveKey]*counts.Row{}
	for _, rec := range recs {
		k := naiveKey{rec.Timestamp / nsPerSecond / 10 * 10, rec.Service, rec.Level}
		if rows[k] == nil {
			rows[k] = &counts.Row{Service: k.service, Level: k.level}
		}
		w := rows[k]
		w.Lines++
		w.Bytes += uint64(len(rec.Message))
		if rec.EvalTime == 0 {
			w.Unevaluated++
		}
		if c := rec.ResponseStatus; c >= 100 && c < 600 {
			w.Status[c/100-1]++
		}
		if rec.HasResponseTime {
			w.Times.Count++
			w.Times.SumMS += rec.ResponseTimeMS
			w.Times.MaxMS = max(w.Times.MaxMS, rec.ResponseTimeMS)
		}
	}
	return rows
}

func requireNaive(t *testing.T, recs []logrec.Record, windows []Window) {
	t.Helper()
	want, seen := naive(recs), 0
	for _, w := range windows {
		for _, r := range w.Rows {
			n := want[naiveKey{w.Start, r.Service, r.Level}]
			require.NotNil(t, n)
			requirePercentiles(t, recs, w.Start, &r)
			require.InEpsilon(t, 1+n.Times.SumMS, 1+r.Times.SumMS, 1e-12)
			r.Times.SumMS, r.Times.Bins, n.Times.SumMS = 0, nil, 0
			require.Equal(t, *n, r)
			seen++
		}
	}
	require.Len(t, want, seen)
}

func requirePercentiles(t *testing.T, recs []logrec.Record, start int64, r *counts.Row) {
	t.Helper()
	var times []float64
	for _, rec := range recs {
		if rec.HasResponseTime && rec.Service == r.Service && rec.Level == r.Level && startOf(rec.Timestamp, Seconds) == start {
			times = append(times, rec.ResponseTimeMS)
		}
	}
	if len(times) == 0 {
		require.Empty(t, r.Times.Bins)
		return
	}
	slices.Sort(times)
	require.InEpsilon(t, times[int(0.95*float64(len(times)-1))], r.Times.Quantile(0.95), 2*counts.Accuracy)
}

func TestFoldAgainstNaive(t *testing.T) {
	t.Parallel()
	recs := records(rand.New(rand.NewPCG(1, 2)), 20_000)
	s := NewSet(math.MinInt64)
	for chunk := range slices.Chunk(recs, 997) {
		s.Fold(chunk)
	}
	requireNaive(t, recs, s.Changed().Windows)
}

// table is MySQL, as far as a Set can tell.
type table struct {
	windows            map[int64]Window
	errors, hourErrors map[int64]ErrorWindow
	hours              map[naiveKey]Hour
}

func newTable() *table {
	return &table{windows: map[int64]Window{}, errors: map[int64]ErrorWindow{}, hourErrors: map[int64]ErrorWindow{}, hours: map[naiveKey]Hour{}}
}

func (db *table) write(s *Set) {
	starts := s.Missing()
	var found Changes
	for _, start := range starts.Windows {
		for part := range slices.Chunk(db.windows[start].Rows, 7) { // in parts, as MySQL may have it
			found.Windows = append(found.Windows, Window{start, part})
		}
	}
	for _, h := range db.hours {
		if slices.Contains(starts.Hours, h.Start) {
			found.Hours = append(found.Hours, h)
		}
	}
	for _, start := range starts.Errors {
		found.Errors = append(found.Errors, db.errors[start])
	}
	for _, start := range starts.HourErrors {
		found.HourErrors = append(found.HourErrors, db.hourErrors[start])
	}
	s.Load(starts, found)
	c := s.Changed()
	for _, w := range c.Windows {
		db.windows[w.Start] = w
	}
	for _, h := range c.Hours {
		db.hours[naiveKey{start: h.Start, service: h.Service}] = h
	}
	for _, w := range c.Errors {
		db.errors[w.Start] = w
	}
	for _, w := range c.HourErrors {
		db.hourErrors[w.Start] = w
	}
	s.Written()
}

// requireHours: hours are the sums of their windows, from a moment on.
func (db *table) requireHours(t *testing.T, from int64) {
	t.Helper()
	want := map[naiveKey]Hour{}
	for _, w := range db.windows {
		for _, r := range w.Rows {
			k := naiveKey{start: startOf(w.Start*nsPerSecond, HourSeconds), service: r.Service}
			h, seen := want[k]
			if !seen {
				h = Hour{Start: k.start, Service: k.service, Last: w.Start}
			}
			h.Levels[r.Level] += r.Lines
			for i, n := range r.Status {
				h.Status[i] += n
			}
			h.Bytes, h.Unevaluated, h.Last = h.Bytes+r.Bytes, h.Unevaluated+r.Unevaluated, max(h.Last, w.Start)
			h.Times.Add(&r.Times)
			if k.start >= from {
				want[k] = h
			}
		}
	}
	require.Len(t, db.hours, len(want))
	for k, h := range db.hours {
		w := want[k]
		require.InEpsilon(t, 1+w.Times.SumMS, 1+h.Times.SumMS, 1e-9)
		h.Times.SumMS, w.Times.SumMS = 0, 0
		require.Equal(t, w, h)
	}
	minutes, hours := uint64(0), uint64(0)
	for _, w := range db.errors {
		if w.Start >= from {
			minutes += counts.TextLines(w.Texts)
		}
	}
	for _, w := range db.hourErrors {
		hours += counts.TextLines(w.Texts)
	}
	require.Equal(t, minutes, hours)
}

// TestLateRecordsAndCrashes: records in any order, sets that are thrown away after each write, and windows that are forgotten
// and loaded again, give the same windows as one fold of everything.
func TestLateRecordsAndCrashes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	recs := records(r, 10_000)
	for i := range recs { // over a few hours
		recs[i].Timestamp += r.Int64N(40) * 300 * nsPerSecond
	}
	db, from := newTable(), base+HourSeconds
	s := NewSet(from)
	for chunk := range slices.Chunk(recs, 101) {
		s.Fold(chunk)
		switch r.IntN(3) {
		case 0:
			db.write(s)
		case 1:
			db.write(s)
			s = NewSet(from)
		}
	}
	db.write(s)
	requireNaive(t, recs, slices.Collect(maps.Values(db.windows)))
	errors := 0
	for _, rec := range recs {
		if rec.Level >= logrec.LevelError {
			errors++
		}
	}
	counted := uint64(0)
	for _, w := range db.errors {
		counted += counts.TextLines(w.Texts)
	}
	require.EqualValues(t, errors, counted)
	db.requireHours(t, from)
}

// TestOnlyChangedWindowsAreWritten: a window whole, of hours the rows that changed.
func TestOnlyChangedWindowsAreWritten(t *testing.T) {
	t.Parallel()
	s := NewSet(math.MinInt64)
	s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "a", Level: 1}, {Timestamp: base * nsPerSecond, Service: "b", Level: 1}, {Timestamp: (base + 10) * nsPerSecond, Service: "b", Level: 1}})
	s.Load(s.Missing(), Changes{})
	s.Written()
	s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "b", Level: 1}})
	require.Equal(t, []Window{{base, []counts.Row{{Service: "a", Level: 1, Lines: 1, Unevaluated: 1}, {Service: "b", Level: 1, Lines: 2, Unevaluated: 2}}}}, s.Changed().Windows)
	require.Equal(t, []Hour{{Start: base, Service: "b", Last: base + 10, Levels: [7]uint64{1: 3}, Unevaluated: 3}}, s.Changed().Hours)
}

func TestIdleWindowsAreForgotten(t *testing.T) {
	t.Parallel()
	s := NewSet(math.MinInt64)
	s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "a", Level: logrec.LevelError, Message: "x"}})
	for range keepWrites + 2 {
		s.Fold([]logrec.Record{{Timestamp: math.MaxInt64, Service: "a", Level: 1}})
		s.Written()
	}
	require.Equal(t, 2, s.Cells(), "of 2262, a window and an hour")
}

func TestErrorTextsAreBounded(t *testing.T) {
	t.Parallel()
	s := NewSet(math.MinInt64)
	for i := range 3 * maxTexts {
		s.Fold([]logrec.Record{{Timestamp: base * nsPerSecond, Service: "a", Level: logrec.LevelFatal, Message: strings.Repeat("x", i+1)}})
	}
	texts := s.Changed().Errors[0].Texts
	require.Len(t, texts, maxTexts+1)
	other := slices.IndexFunc(texts, func(x counts.Text) bool { return x.Message == OtherText })
	require.EqualValues(t, 2*maxTexts, texts[other].Lines)
}

func TestAbsurdTimesDoNotMakeInfinity(t *testing.T) {
	t.Parallel()
	s := NewSet(math.MinInt64)
	rec := logrec.Record{Timestamp: 1, Service: "a", Level: 1, HasResponseTime: true, ResponseTimeMS: math.MaxFloat64}
	s.Fold([]logrec.Record{rec, rec, rec})
	require.Equal(t, math.MaxFloat64, s.Changed().Windows[0].Rows[0].Times.SumMS)
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
		s := NewSet(math.MinInt64)
		s.Fold(recs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(recs)), "ns/line")
}
