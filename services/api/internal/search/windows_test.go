package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
)

// kept is windows of a world's lines, from since on.
type kept struct {
	names   []string
	since   int64
	minutes map[int64]map[int]*metrics.Cell
}

func keep(w *world, since int64) *kept {
	k := &kept{since: since, minutes: map[int64]map[int]*metrics.Cell{}}
	for _, h := range w.lines {
		at := floor(h.Key.Time, minute)
		if at < since {
			continue
		}
		service := slices.Index(k.names, h.Record.Service)
		if service < 0 {
			service = len(k.names)
			k.names = append(k.names, h.Record.Service)
		}
		if k.minutes[at] == nil {
			k.minutes[at] = map[int]*metrics.Cell{}
		}
		if k.minutes[at][service] == nil {
			k.minutes[at][service] = &metrics.Cell{}
		}
		k.minutes[at][service].Levels[h.Record.Level]++
	}
	return k
}

func (k *kept) Names() []string { return k.names }
func (k *kept) Since() int64    { return k.since }

func (k *kept) Minutes(from, to int64, f func(int64, int, *metrics.Cell)) {
	for at, services := range k.minutes {
		for s, c := range services {
			if at >= from && at < to {
				f(at, s, c)
			}
		}
	}
}

// TestWindowsAndBlocksAgree, and a scan of all lines with both: random ranges and filters, windows that begin somewhere, budgets small and large.
func TestWindowsAndBlocksAgree(t *testing.T) {
	t.Parallel()
	used := 0
	for seed := range rounds(10) {
		r := naive.NewRandom(uint64(seed) + 9000)
		r.Span = 100 * 200e9
		w := makeSpread(t, r, 2+r.IntN(14), 60, 50e9, func(id uint64) int32 { return int32(id % 2) })
		since := int64(math.MinInt64)
		if r.IntN(2) == 0 {
			since = minute * int64(r.IntN(8))
		}
		windows := keep(w, since)
		budget := ample
		if r.IntN(3) == 0 {
			budget.Rows = int64(1 + r.IntN(200))
		}
		e := w.engine(budget, 1<<20)
		e.windows = func(context.Context) (Minutes, error) { return windows, nil }
		later := now.Add(1e3 * 60e9)
		if r.IntN(2) == 0 {
			later = now.Add(500e9) // the newest minutes are still being written
		}
		e.now = func() time.Time { return later }
		for range 20 {
			q := &query.Query{Start: r.Int64N(300e9), End: 300e9 + r.Int64N(600e9), Explain: true}
			if r.IntN(3) == 0 {
				q.Start, q.End = math.MinInt64, math.MaxInt64
			}
			q.Filter = query.Node(query.All{})
			switch r.IntN(5) {
			case 0:
				q.Filter = query.AnyOf(query.Equal(query.Field{Name: "level"}, "error"), query.Equal(query.Field{Name: "service"}, "svc-0", "svc-2"))
			case 1:
				q.Filter = &query.Not{X: &query.Term{Field: query.Field{Name: "service"}, Pred: query.Regexp{Source: "[0-3]"}}}
			case 2:
				q.Filter = r.Filter(1)
			case 3: // windows cannot cut a minute
				since := time.Unix(0, r.Int64N(900e9)).UTC().Format(time.RFC3339Nano)
				q.Filter = &query.Term{Field: query.Field{Name: "timestamp"}, Pred: query.Range{Lo: query.Bound{Text: since}, Hi: query.Bound{Open: true}}}
			}
			wanted := []Wanted{{By: []query.Field{{Name: "level"}, {Name: "service"}}[:r.IntN(3)], Step: minute * int64(r.IntN(3)), Limit: 100}}
			all := w.naively(&query.Query{Filter: q.Filter, Start: math.MinInt64, End: math.MaxInt64})
			for _, source := range []string{FromWindows, FromBlocks} {
				asked := *q
				asked.Source = source
				for range 1000 {
					sums, err := e.Aggregate(t.Context(), &asked, wanted)
					require.NoError(t, err)
					if sums.Source == FromWindows {
						used++
					}
					at := fmt.Sprintf("seed %d, %s, from %s, %+v", seed, query.Print(q.Filter), sums.Source, asked)
					require.False(t, source == FromBlocks && sums.Source == FromWindows)
					requireTable(t, at, linesOf(all, sums.From, sums.End), wanted[0], sums, 0)
					if sums.From == sums.Start {
						break
					}
					require.Less(t, sums.From, asked.End, at)
					asked.End = sums.From
				}
			}
		}
	}
	require.Greater(t, used, 30)
}

// TestColdQueriesAskWindows when much would have to be read, and what is in memory once it is there; without windows, blocks.
func TestColdQueriesAskWindows(t *testing.T) {
	t.Parallel()
	r := naive.NewRandom(5)
	r.Span = 100 * 300e9
	w := makeSpread(t, r, 12, 50, 60e9, func(id uint64) int32 { return int32(id % 2) })
	windows := keep(w, math.MinInt64)
	e := w.engine(ample, 64<<20)
	e.fewRows = 10
	e.now = func() time.Time { return now.Add(1e13) }
	e.windows = func(context.Context) (Minutes, error) { return windows, nil }
	wanted := []Wanted{{By: []query.Field{{Name: "service"}}, Limit: 100}}
	q := all(0)
	q.Explain = true
	ask := func() Sums {
		sums, err := e.Aggregate(t.Context(), q, wanted)
		require.NoError(t, err)
		require.EqualValues(t, len(w.lines), sums.Tables[0].Total)
		return sums
	}
	require.Equal(t, FromWindows, ask().Source)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		e.Warm(ctx)
		close(done)
	}()
	require.Eventually(t, func() bool { return ask().Source == FromBlocks }, 20*time.Second, time.Millisecond)
	cancel()
	<-done
	e = w.engine(ample, 64<<20)
	e.fewRows, e.now = 10, func() time.Time { return now.Add(1e13) }
	e.windows = func(context.Context) (Minutes, error) { return nil, errors.New("away") }
	require.Equal(t, FromBlocks, ask().Source)
	e.windows = func(context.Context) (Minutes, error) { return windows, nil }
	wanted[0].By = []query.Field{{Name: "host"}}
	require.Equal(t, FromBlocks, ask().Source)
}
