package search

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/services/api/internal/tally"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

func printed(values []tally.Value) (key string) {
	for _, v := range values {
		key += fmt.Sprintf("%q %v;", v.Text, !v.None)
	}
	return key
}

// requireFigures compares a group's or a step's figures.
func requireFigures(t *testing.T, at string, lines naive.Lines, measures []query.Measure, got tally.Point) {
	t.Helper()
	require.EqualValues(t, len(lines), got.Count, at)
	for i, m := range measures {
		want, off := naive.Figure(lines, m)
		if math.IsNaN(want) {
			require.True(t, math.IsNaN(got.Figures[i]), "%s: %s is %v", at, m, got.Figures[i])
			continue
		}
		require.InDelta(t, want, got.Figures[i], off, "%s: %s", at, m)
	}
}

// requireTable compares a whole table with sums over lines.
func requireTable(t *testing.T, at string, lines naive.Lines, w Wanted, sums Sums, i int) {
	t.Helper()
	table, step := sums.Tables[i], sums.Steps[i]
	groups := naive.Groups(lines, w.By)
	require.EqualValues(t, len(lines), table.Total, at)
	require.Equal(t, len(groups), table.Known, at)
	require.Len(t, table.Groups, min(w.Limit, len(groups)), at)
	shown := int64(0)
	for k, g := range table.Groups {
		require.True(t, k == 0 || table.Groups[k-1].Count >= g.Count, at)
		of, ok := groups[printed(g.Values)]
		require.True(t, ok, "%s: %s", at, printed(g.Values))
		shown += g.Count
		requireFigures(t, at, of, w.Measures, g.Point)
		if step == 0 {
			require.Nil(t, g.Points)
			continue
		}
		steps := naive.Steps(of, step)
		for p, point := range g.Points {
			requireFigures(t, at, steps[sums.Starts[i]+int64(p)*step], w.Measures, point)
			delete(steps, sums.Starts[i]+int64(p)*step)
		}
		require.Empty(t, steps, at)
	}
	require.Equal(t, table.Total-shown, table.Others, at)
}

func randomWanted(r *naive.Random, span int64) Wanted {
	w := Wanted{By: r.By(), Limit: 1 + r.IntN(50)}
	for range r.IntN(4) {
		w.Measures = append(w.Measures, r.Measure())
	}
	switch r.IntN(4) {
	case 0:
		w.Step = span/int64(1+r.IntN(30)) + 1
	case 1:
		w.Points = 1 + r.IntN(40)
	case 2:
		w.Step = minute * int64(1+r.IntN(3))
	}
	return w
}

func linesOf(hits []Hit, from, to int64) (out naive.Lines) {
	for _, h := range hits {
		if h.Key.Time >= from && h.Key.Time < to {
			out = append(out, h.Record)
		}
	}
	return out
}

// TestSumsEqualNaiveSums asks for random tables of random queries, with budgets and caches small and large, over worlds of microseconds and of
// minutes, and compares with sums over all lines, one by one. Each is asked for twice: the second time finds what the first left in memory.
func TestSumsEqualNaiveSums(t *testing.T) {
	t.Parallel()
	summed, parts := 0, 0
	for seed := range rounds(40) {
		r := naive.NewRandom(uint64(seed) + 5000)
		spread := int64(5000)
		if seed%2 == 0 {
			spread, r.Span = 40e9, 100*100e9 // blocks of a hundred seconds
		}
		w := makeSpread(t, r, 1+r.IntN(14), 60, spread, func(id uint64) int32 { return int32(id % 2) })
		budget := ample
		if r.IntN(3) == 0 {
			budget.Rows = int64(1 + r.IntN(200))
		}
		e := w.engine(budget, int64(r.IntN(3))*300_000)
		for range 20 {
			q := randomQuery(r, w)
			if seed%2 == 0 {
				q.Start, q.End = q.Start*10_000_000, min(q.End, math.MaxInt64/20_000_000)*10_000_000
				if r.IntN(2) == 0 {
					q.Start, q.End = floor(q.Start, minute), floor(q.End, minute)+minute
				}
			}
			if r.IntN(2) == 0 {
				q.Filter = query.AllOf(query.Equal(query.Field{Name: "service"}, "svc-1", "svc-2"), &query.Not{X: query.Equal(query.Field{Name: "level"}, "info")})
			}
			q.Explain = true
			wanted := []Wanted{randomWanted(r, 70_000*spread/5000), {By: []query.Field{{Name: "level"}}, Step: minute, Limit: 10}}
			if r.IntN(2) == 0 {
				wanted = wanted[1:]
			}
			all := w.naively(&query.Query{Filter: q.Filter, Start: math.MinInt64, End: math.MaxInt64})
			for range 2 {
				at := fmt.Sprintf("seed %d, %s, %+v, %+v", seed, query.Print(q.Filter), q, wanted)
				s, n := summedUp(t, e, all, *q, wanted, at)
				summed, parts = summed+s, parts+n
			}
		}
	}
	require.Greater(t, summed, 100, "blocks counted by their summaries")
	require.Greater(t, parts, 50, "partial answers")
}

// summedUp asks until the whole range is covered, and compares each part.
func summedUp(t *testing.T, e *Engine, all []Hit, q query.Query, wanted []Wanted, at string) (summed, partial int) {
	t.Helper()
	for range 1000 {
		sums, err := e.Aggregate(context.Background(), &q, wanted)
		if err != nil {
			require.ErrorIs(t, err, ErrSteps, at)
			return summed, partial
		}
		summed += sums.Explain.Summed
		require.LessOrEqual(t, sums.Start, sums.From)
		for i, w := range wanted {
			requireTable(t, at, linesOf(all, sums.From, sums.End), w, sums, i)
		}
		if sums.From == sums.Start {
			require.False(t, sums.Partial, at)
			require.Len(t, linesOf(all, q.Start, q.End), len(linesOf(all, sums.Start, sums.End)), "%s: an open range ends at the lines", at)
			return summed, partial
		}
		partial++
		require.True(t, sums.Partial, at)
		require.Contains(t, sums.Reason, "rows read")
		require.Less(t, sums.From, q.End, "it goes on")
		q.End = sums.From
	}
	t.Fatal("no end of parts")
	return 0, 0
}

// TestTheSecondTimeNothingIsRead: what asks by minute, service and level is counted in memory.
func TestTheSecondTimeNothingIsRead(t *testing.T) {
	t.Parallel()
	r := naive.NewRandom(77)
	r.Span = 100 * 300e9
	w := makeSpread(t, r, 20, 50, 30e9, func(id uint64) int32 { return int32(id % 2) })
	e := w.engine(ample, 64<<20)
	q := all(0)
	q.Filter, q.Explain = query.AnyOf(query.Equal(query.Field{Name: "level"}, "error"), query.Equal(query.Field{Name: "service"}, "svc-0")), true
	wanted := []Wanted{{By: []query.Field{{Name: "service"}}, Step: 2 * minute, Limit: 100}}
	first, err := e.Aggregate(t.Context(), q, wanted)
	require.NoError(t, err)
	require.Positive(t, first.Explain.Read)
	second, err := e.Aggregate(t.Context(), q, wanted)
	require.NoError(t, err)
	require.Zero(t, second.Explain.Read)
	require.Positive(t, second.Explain.Summed)
	require.Zero(t, second.Explain.Columns)
	require.Equal(t, len(first.Tables[0].Groups), len(second.Tables[0].Groups))
	for i, g := range first.Tables[0].Groups {
		require.Equal(t, g.Points, second.Tables[0].Groups[i].Points)
	}
}

func TestSumsNameDamageAndShortage(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(2), 6, 30)
	w.data[3][len(w.data[3])/2] ^= 1
	sums, err := w.engine(ample, 1<<20).Aggregate(t.Context(), all(0), []Wanted{{Limit: 1}})
	require.NoError(t, err)
	require.True(t, sums.Partial)
	require.Contains(t, sums.Reason, "block 3 is left out: the block is damaged")
	_, err = w.engine(ample, 1<<20).Aggregate(t.Context(), all(0), []Wanted{{Step: 1, Limit: 1}})
	require.ErrorIs(t, err, ErrSteps)
}

// TestATimeLimitBetweenParts: what was summed up is told, and where to go on.
func TestATimeLimitBetweenParts(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(4), 30, 30)
	at := time.Unix(0, 0)
	e := New(w, w, Config{Budget: Budget{40, math.MaxInt64, time.Hour}, Cache: 1 << 20}, func() time.Time { at = at.Add(time.Hour); return at })
	q, total := all(0), int64(0)
	for range 100 {
		sums, err := e.Aggregate(t.Context(), q, []Wanted{{Limit: 1}})
		require.NoError(t, err)
		if len(sums.Tables[0].Groups) > 0 {
			total += sums.Tables[0].Groups[0].Count
		}
		if sums.From == sums.Start {
			require.EqualValues(t, len(w.lines), total)
			return
		}
		require.True(t, sums.Partial)
		q.End = sums.From
	}
	t.Fatal("no end")
}

// TestAMinuteHasItsFirstMomentAndNotTheNextOnes, in summaries as in columns.
func TestAMinuteHasItsFirstMomentAndNotTheNextOnes(t *testing.T) {
	t.Parallel()
	w := &world{set: &index.Set{}, data: map[uint64][]byte{}, filters: map[uint64][]byte{}}
	builder, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	var recs []logrec.Record
	for i := range int64(5) {
		for _, off := range []int64{-1, 0, 1} {
			recs = append(recs, logrec.Record{Timestamp: 100*minute + i*minute + off, Level: logrec.LevelInfo, Service: "s", Message: "m", SrcRow: int32(3*i + off + 1)})
		}
	}
	blk, err := builder.Build(recs)
	require.NoError(t, err)
	w.data[1] = blk.Data
	b := &scan.Block{ID: 1, Stream: 1, Rows: blk.Meta.Rows, Bytes: len(blk.Data), MinTime: blk.Meta.MinTime, MaxTime: blk.Meta.MaxTime, LevelMask: blk.Meta.LevelMask, Checksum: blk.Meta.Checksum, Services: w.places([]string{"s"})}
	w.set.Newest, w.set.Oldest = []*scan.Block{b}, []*scan.Block{b}
	e, q := w.engine(ample, 1<<20), all(0)
	q.Explain = true
	for round := range 2 {
		for _, step := range []int64{minute, minute / 2} {
			sums, err := e.Aggregate(t.Context(), q, []Wanted{{Step: step, Limit: 1}})
			require.NoError(t, err)
			require.Equal(t, step == minute && round > 0, sums.Explain.Summed == 1)
			counts := map[int64]int64{}
			for i, p := range sums.Tables[0].Groups[0].Points {
				counts[floor(sums.Starts[0]+int64(i)*step, minute)] += p.Count
			}
			require.Equal(t, map[int64]int64{99 * minute: 1, 100 * minute: 3, 101 * minute: 3, 102 * minute: 3, 103 * minute: 3, 104 * minute: 2}, counts)
		}
	}
}
