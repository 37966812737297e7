package windows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/shared/logrec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database is what processors wrote.
type database struct {
	rng       *rand.Rand
	clock     time.Time
	positions map[Partition]*Position
	rows      map[Partition]map[rowKey]metrics.Window
	errors    map[Partition]map[errorKey]int64
	touched   map[Partition]map[int64]int64 // minute → through
	failing   bool
	wiped     bool // and nobody has looked since
}

type rowKey struct {
	start   int64
	service string
	level   logrec.Level
}

type errorKey struct {
	start         int64
	service, text string
}

var errAway = errors.New("MySQL is away")

const t0 = 1_700_000_040 // s, a minute

func newDatabase(seed uint64) *database {
	t := &database{rng: rand.New(rand.NewPCG(seed, 1)), clock: time.Unix(t0, 0), positions: map[Partition]*Position{}, rows: map[Partition]map[rowKey]metrics.Window{},
		errors: map[Partition]map[errorKey]int64{}, touched: map[Partition]map[int64]int64{}}
	return t
}

func (t *database) meet(p Partition) {
	if t.positions[p] == nil {
		t.positions[p] = &Position{Partition: p}
		t.rows[p], t.errors[p], t.touched[p] = map[rowKey]metrics.Window{}, map[errorKey]int64{}, map[int64]int64{}
	}
}

// write is a processor's transaction: a few rows around a moment.
func (t *database) write(at int64) {
	p := Partition{1, int32(t.rng.IntN(3))}
	t.meet(p)
	t.positions[p].Through += 1 + t.rng.Int64N(100)
	for range 1 + t.rng.IntN(5) {
		k := rowKey{floor(at-t.rng.Int64N(90), second), fmt.Sprintf("s%d", t.rng.IntN(5)), logrec.Levels[t.rng.IntN(len(logrec.Levels))]}
		if k.start < t.positions[p].From {
			continue
		}
		t.rows[p][k] = t.grow(k, t.rows[p][k])
		t.errors[p][errorKey{Minute(k.start), k.service, fmt.Sprintf("text %d", t.rng.IntN(4))}]++
		t.touched[p][Minute(k.start)] = t.positions[p].Through
	}
}

// grow is a row after more lines.
func (t *database) grow(k rowKey, w metrics.Window) metrics.Window {
	w.Start, w.Service, w.Level = k.start, k.service, k.level
	w.Lines += 1 + t.rng.Uint64N(9)
	w.Status[t.rng.IntN(5)]++
	w.Times.Observe([]float64{t.rng.Float64() * 1000})
	return w
}

// change is anything that may happen.
func (t *database) change() {
	t.clock = t.clock.Add(time.Duration(t.rng.IntN(40)) * time.Second)
	switch t.rng.IntN(20) {
	case 0: // an import
		for range t.rng.IntN(30) {
			t.write(t0 - t.rng.Int64N(30*24*3600))
		}
	case 1: // retention
		for _, p := range t.positions {
			p.From = max(p.From, Minute(t.clock.Unix()-t.rng.Int64N(3*24*3600)))
			for k := range t.rows[p.Partition] {
				if k.start < p.From {
					delete(t.rows[p.Partition], k)
				}
			}
			for k := range t.errors[p.Partition] {
				if k.start < p.From {
					delete(t.errors[p.Partition], k)
				}
			}
		}
	case 2: // a long pause, or another database
		switch t.rng.IntN(4) {
		case 0:
			fresh := newDatabase(t.rng.Uint64())
			fresh.clock, fresh.wiped, fresh.failing = t.clock, true, t.failing
			*t = *fresh
		case 1:
			t.clock = t.clock.Add(13 * time.Hour)
			for _, m := range t.touched {
				clear(m) // forgotten after a day; whoever was away starts over
			}
		}
	default:
		t.write(t.clock.Unix())
	}
}

func (t *database) away() error {
	if t.failing && t.rng.IntN(8) == 0 {
		return errAway
	}
	return nil
}

func (t *database) WindowPositions(context.Context) (out []Position, err error) {
	for _, p := range t.positions {
		out = append(out, *p)
	}
	return out, t.away()
}

func (t *database) TouchedMinutes(_ context.Context, p Partition, through int64) (out []int64, err error) {
	for m, at := range t.touched[p] {
		if at > through {
			out = append(out, m)
		}
	}
	slices.Sort(out)
	return out, t.away()
}

func (t *database) WindowSpan(_ context.Context, p Partition) (s Span, err error) {
	for k := range t.rows[p] {
		if s == (Span{}) {
			s = Span{Minute(k.start), Minute(k.start) + minute}
		}
		s = Span{min(s.From, Minute(k.start)), max(s.To, Minute(k.start)+minute)}
	}
	return s, t.away()
}

func (t *database) PartitionWindows(_ context.Context, p Partition, s Span, f func(*metrics.Window)) error {
	for k, w := range t.rows[p] {
		if k.start >= s.From && k.start < s.To {
			f(&w)
		}
	}
	return t.away()
}

func (t *database) PartitionErrors(_ context.Context, p Partition, s Span, f func(*ErrorRow)) error {
	for k, n := range t.errors[p] {
		if k.start >= s.From && k.start < s.To {
			f(&ErrorRow{k.start, k.service, k.text, n})
		}
	}
	return t.away()
}

// report is q answered by the rows themselves, or, with a set, as the api does it: memory where it can, rows for the rest.
func (t *database) report(tb testing.TB, q Query, s *Set) metrics.Report {
	tb.Helper()
	b, err := metrics.NewBuilder(q.Start, q.End, q.Step, true)
	require.NoError(tb, err)
	from, textsFrom := q.End, q.End
	texts := metrics.Errors{}
	if s != nil {
		from, textsFrom = s.Covered(q)
		s.AddErrors(texts, q, textsFrom)
		require.NoError(tb, s.Fill(b, q, from))
	}
	for p := range t.rows {
		for k, w := range t.rows[p] {
			if k.start >= q.Start.Unix() && k.start < from.Unix() && (q.Service == "" || q.Service == k.service) {
				require.NoError(tb, b.Add(w))
			}
		}
		for k, n := range t.errors[p] {
			if k.start >= floor(q.Start.Unix(), minute) && textsFrom.After(q.Start) && k.start < textsFrom.Unix() && (q.Service == "" || q.Service == k.service) {
				texts.Add(k.service, k.text, n)
			}
		}
	}
	return round(b.Report(texts.Top(1000)))
}

// round takes away what adding floats in another order changes.
func round(r metrics.Report) metrics.Report {
	cut := func(f *float64) { *f = float64(int64(*f*10+.5)) / 10 }
	cut(&r.ResponseTime.Avg)
	for i := range r.Series {
		cut(&r.Series[i].AvgMS)
	}
	for i := range r.ByService {
		for k := range r.ByService[i].Series {
			cut(&r.ByService[i].Series[k].AvgMS)
		}
	}
	slices.SortFunc(r.TopServices, func(a, b metrics.TopService) int { return cmp.Compare(a.Service, b.Service) })
	return r
}

func (t *database) query() Query {
	steps := []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 10 * time.Minute, time.Hour}
	q := Query{Step: steps[t.rng.IntN(len(steps))]}
	width := q.Step * time.Duration(1+t.rng.IntN(300))
	end := t.clock.Add(-time.Duration(t.rng.Int64N(int64(24 * time.Hour))))
	if t.rng.IntN(2) == 0 {
		end = t.clock.Add(time.Minute)
	}
	unit := 10 * time.Second
	if q.Step%time.Minute == 0 && t.rng.IntN(4) != 0 {
		unit = time.Minute
	}
	q.End = end.Truncate(unit).UTC()
	q.Start = q.End.Add(-width).Truncate(unit).UTC()
	if t.rng.IntN(3) == 0 {
		q.Service = fmt.Sprintf("s%d", t.rng.IntN(7))
	}
	return q
}

// requireSame says what differs without the hundreds of points that do not.
func requireSame(tb testing.TB, want, got metrics.Report, what string) {
	tb.Helper()
	require.Equal(tb, fmt.Sprint(want.Total, want.ByLevel, want.ByStatus, want.ResponseTime), fmt.Sprint(got.Total, got.ByLevel, got.ByStatus, got.ResponseTime), what)
	require.Equal(tb, want.TopErrors, got.TopErrors, what)
	require.Equal(tb, want.TopServices, got.TopServices, what)
	for i := range want.Series {
		require.Equal(tb, want.Series[i], got.Series[i], what)
	}
	require.True(tb, reflect.DeepEqual(want, got), what)
}

// TestEqualsTheRows: whatever is written, deleted, imported, or fails to be read, answers from memory are those of the rows, with budgets from
// nothing to plenty.
func TestEqualsTheRows(t *testing.T) {
	t.Parallel()
	covered := 0
	for seed := range uint64(60) {
		tab := newDatabase(seed)
		for range 200 { // history before the api starts
			tab.write(t0 - tab.rng.Int64N(10*3600))
		}
		tab.failing = seed%3 == 0
		r := New(tab, []int64{0, 20_000, 60_000, 1 << 30}[seed%4], func() time.Time { return tab.clock })
		for range 80 {
			if !tab.wiped {
				tab.change()
			}
			if !tab.wiped && tab.rng.IntN(3) == 0 {
				continue
			}
			tab.clock = tab.clock.Add(2 * time.Second)
			s, err := r.Fresh(t.Context())
			if errors.Is(err, errAway) {
				continue
			}
			require.NoError(t, err)
			tab.wiped = false
			require.LessOrEqual(t, s.bytes-textBytes*int64(len(s.texts)), r.budget)
			q := tab.query()
			from, _ := s.Covered(q)
			if from.Equal(q.Start) {
				covered++
			}
			requireSame(t, tab.report(t, q, nil), tab.report(t, q, s), fmt.Sprintf("seed %d, %+v", seed, q))
		}
	}
	require.Greater(t, covered, 500, "memory was hardly asked")
}

// hourly is what processors wrote of hours: sums of the rows, whole from where a partition's hours begin.
type hourly struct {
	*database
	begin map[Partition]int64
}

func (t *hourly) WindowPositions(context.Context) (out []Position, err error) {
	for _, p := range t.positions {
		out = append(out, Position{p.Partition, p.Through, max(t.begin[p.Partition], floor(p.From+hour-1, hour))})
	}
	return out, t.away()
}

func (t *hourly) TouchedMinutes(ctx context.Context, p Partition, through int64) ([]int64, error) {
	minutes, err := t.database.TouchedMinutes(ctx, p, through)
	for i := range minutes {
		minutes[i] = Hour(minutes[i])
	}
	return slices.Compact(minutes), err
}

func (t *hourly) WindowSpan(ctx context.Context, p Partition) (Span, error) {
	s, err := t.database.WindowSpan(ctx, p)
	if s != (Span{}) {
		s = Span{Hour(s.From), Hour(s.To-1) + hour}
	}
	return s, err
}

func (t *hourly) PartitionErrors(ctx context.Context, p Partition, s Span, f func(*ErrorRow)) error {
	return t.database.PartitionErrors(ctx, p, s, func(e *ErrorRow) { f(&ErrorRow{Hour(e.Start), e.Service, e.Message, e.Count}) })
}

// TestHoursEqualTheRows: whatever is written, removed, begun anew or out of reach, hours and rows together say what the rows say.
func TestHoursEqualTheRows(t *testing.T) {
	t.Parallel()
	covered := 0
	for seed := range uint64(40) {
		tab := &hourly{newDatabase(seed), map[Partition]int64{}}
		for range 200 {
			tab.write(t0 - tab.rng.Int64N(20*24*3600))
		}
		tab.failing = seed%3 == 0
		r := NewHours(tab, []int64{0, 20_000, 60_000, 1 << 30}[seed%4], func() time.Time { return tab.clock })
		for range 60 {
			tab.change()
			p := Partition{1, int32(tab.rng.IntN(3))}
			switch tab.rng.IntN(20) {
			case 0: // a processor that knows no hours owns it
				tab.begin[p] = math.MaxInt64
			case 1: // one that does has come, or they were kept for long enough
				tab.begin[p] = Hour(tab.clock.Unix() - tab.rng.Int64N(10*24*3600))
			case 2:
				delete(tab.begin, p)
			}
			tab.clock = tab.clock.Add(2 * time.Second)
			s, err := r.Fresh(t.Context())
			if errors.Is(err, errAway) {
				continue
			}
			require.NoError(t, err)
			tab.wiped = false
			end := time.Unix(Hour(tab.clock.Unix())+hour, 0).UTC()
			q := Query{Start: end.Add(-time.Duration(1+tab.rng.IntN(500)) * time.Hour), End: end, Step: time.Duration(1+tab.rng.IntN(24)) * time.Hour}
			require.True(t, q.Hours())
			from, _ := s.Covered(q)
			for p, begin := range tab.begin {
				if tab.positions[p] != nil && from.Before(q.End) {
					require.GreaterOrEqual(t, from.Unix(), min(begin, q.End.Unix()), "seed %d", seed)
				}
			}
			if from.Equal(q.Start) {
				covered++
			}
			requireSame(t, tab.report(t, q, nil), tab.report(t, q, s), fmt.Sprintf("seed %d, %+v", seed, q))
			q.Step = time.Minute
			from, _ = s.Covered(q)
			require.Equal(t, q.End, from, "hours do not answer steps of minutes")
		}
	}
	require.Greater(t, covered, 100, "memory was hardly asked")
}

// TestRunLoadsAll: history comes by itself, and then a set has everything.
func TestRunLoadsAll(t *testing.T) {
	t.Parallel()
	tab := newDatabase(1)
	for range 200 {
		tab.write(t0 - tab.rng.Int64N(100*3600))
	}
	r := New(tab, 1<<30, func() time.Time { return tab.clock })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	require.Eventually(t, func() bool { s := r.Current().Stats(); return s.From.IsZero() && s.Minutes > 0 }, 20*time.Second, 5*time.Millisecond)
	cancel()
	<-done
	q := Query{Start: time.Unix(t0-101*3600, 0).UTC(), End: time.Unix(t0+60, 0).UTC(), Step: time.Hour}
	from, _ := r.Current().Covered(q)
	require.Equal(t, q.Start, from)
	requireSame(t, tab.report(t, q, nil), tab.report(t, q, r.Current()), "all of history")
}
