package search

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rounds is how many random worlds a test asks: SEARCH_ROUNDS, or few.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("SEARCH_ROUNDS")); err == nil {
		return n
	}
	return few
}

// world is blocks in memory, and all lines in them.
type world struct {
	set     *index.Set
	data    map[uint64][]byte
	filters map[uint64][]byte
	lines   []Hit
	reads   atomic.Int64
	fail    error
}

func (w *world) Fresh(context.Context) (*index.Set, error) { return w.set, w.fail }

func (w *world) Data(ctx context.Context, b *scan.Block) ([]byte, error) {
	w.reads.Add(1)
	return w.data[b.ID], ctx.Err()
}

func (w *world) Filters(_ context.Context, blocks []*scan.Block) (map[uint64][]byte, error) {
	return w.filters, nil
}

// makeWorld makes blocks of two partitions whose times overlap. Filters of some are not in memory.
func makeWorld(t testing.TB, r *naive.Random, blocks, rows int) *world {
	t.Helper()
	return makeSpread(t, r, blocks, rows, 5000, func(id uint64) int32 { return int32(id % 2) })
}

// makeSpread makes blocks that begin spread ns after one another.
func makeSpread(t testing.TB, r *naive.Random, blocks, rows int, spread int64, partition func(id uint64) int32) *world {
	t.Helper()
	w := &world{set: &index.Set{}, data: map[uint64][]byte{}, filters: map[uint64][]byte{}}
	builder, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	for id := uint64(1); id <= uint64(blocks); id++ {
		part, offset := partition(id), int64(id)*10
		var recs []logrec.Record
		for row := range 1 + r.IntN(rows) {
			rec := r.Record()
			rec.Timestamp = rec.Timestamp/100 + int64(id)*spread // ties and overlaps
			rec.SrcOffset, rec.SrcRow = offset+int64(row/20), int32(row%20)
			recs = append(recs, rec)
		}
		blk, err := builder.Build(recs)
		require.NoError(t, err)
		b := &scan.Block{ID: id, Stream: 1, Partition: part, From: offset, To: offset + 9, Rows: blk.Meta.Rows, Bytes: len(blk.Data), MinTime: blk.Meta.MinTime, MaxTime: blk.Meta.MaxTime,
			LevelMask: blk.Meta.LevelMask, Checksum: blk.Meta.Checksum, FilterBytes: len(blk.Filter), Services: w.places(blk.Meta.Services)}
		if r.IntN(3) > 0 {
			b.Filter = blk.Filter
		}
		w.data[id], w.filters[id] = blk.Data, blk.Filter
		w.set.Newest = append(w.set.Newest, b)
		for _, rec := range recs {
			w.lines = append(w.lines, Hit{query.Key{Time: rec.Timestamp, ID: logrec.ID{Stream: 1, Partition: part, Offset: rec.SrcOffset, Row: rec.SrcRow}}, &rec})
		}
	}
	w.set.Oldest = slices.Clone(w.set.Newest)
	slices.SortFunc(w.set.Newest, index.NewestFirst)
	slices.SortFunc(w.set.Oldest, index.OldestFirst)
	return w
}

func (w *world) places(services []string) (out []uint32) {
	for _, s := range services {
		i := slices.Index(w.set.Services, s)
		if i < 0 {
			i = len(w.set.Services)
			w.set.Services = append(w.set.Services, s)
		}
		out = append(out, uint32(i))
	}
	slices.Sort(out)
	return out
}

var now = time.Unix(0, 500_000)

func (w *world) engine(budget Budget, cache int64) *Engine {
	return New(w, w, Config{Budget: budget, Cache: cache}, func() time.Time { return now })
}

var ample = Budget{Rows: math.MaxInt64, Bytes: math.MaxInt64, Time: time.Minute}

// naively is what a search must find, in order.
func (w *world) naively(q *query.Query) []Hit {
	var out []Hit
	for _, h := range w.lines {
		if h.Key.Time >= q.Start && h.Key.Time < q.End && naive.Match(q.Filter, h.Record, h.Key.ID, now) {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b Hit) int {
		if q.Oldest {
			return a.Key.Compare(b.Key)
		}
		return b.Key.Compare(a.Key)
	})
	return out
}

func randomQuery(r *naive.Random, w *world) *query.Query {
	q := &query.Query{Filter: r.Filter(r.IntN(3)), Start: math.MinInt64, End: math.MaxInt64, Limit: 1 + r.IntN(40), Oldest: r.IntN(2) == 0}
	if r.IntN(3) == 0 {
		q.Start = r.Int64N(20_000)
		q.End = q.Start + r.Int64N(60_000) + 1
	}
	if len(w.lines) > 0 && r.IntN(4) == 0 {
		q.Start = w.lines[r.IntN(len(w.lines))].Key.Time
	}
	if q.Start >= q.End {
		q.End = math.MaxInt64
	}
	return q
}

// TestPagesEqualANaiveScan asks random queries, page after page, with budgets and caches small and large, and compares with a scan of
// everything: the same lines, in the same order, whole.
func TestPagesEqualANaiveScan(t *testing.T) {
	t.Parallel()
	found, partial, parted := 0, 0, 0
	for seed := range rounds(12) {
		r := naive.NewRandom(uint64(seed))
		w := makeWorld(t, r, 1+r.IntN(20), 60)
		budget := ample
		if r.IntN(2) == 0 {
			budget.Rows = int64(1 + r.IntN(100)) // forces partial answers
		}
		e := w.engine(budget, int64(r.IntN(3))*30_000)
		e.rowsAPart = 1 + r.IntN(20)
		for range 25 {
			if r.IntN(5) == 0 {
				parted += e.partAll(t, w)
			}
			q := randomQuery(r, w)
			want := w.naively(q)
			got, parts := pages(t, e, *q)
			partial += parts
			found += len(got)
			if !slices.EqualFunc(want, got, func(a, b Hit) bool { return a.Key == b.Key && same(a.Record, b.Record) }) {
				t.Fatalf("seed %d, %s, %+v: %d found, %d expected", seed, query.Print(q.Filter), q, len(got), len(want))
			}
		}
	}
	require.Greater(t, found, 500)
	require.Greater(t, partial, 20)
	require.Greater(t, parted, 20)
}

// partAll makes the parts of all messages that are in the cache.
func (e *Engine) partAll(t *testing.T, w *world) (made int) {
	t.Helper()
	var words block.Words
	for _, b := range w.set.Newest {
		e.part(t.Context(), parting{b, "message"}, &words)
		if _, ok := e.cache.peek(partsKey(b, "message")); ok {
			made++
		}
	}
	return made
}

// TestRareWordsAreSearchedInParts: the first searches for a rare word have the parts of the blocks made that it is in, behind the answer,
// and answers stay the same.
func TestRareWordsAreSearchedInParts(t *testing.T) {
	t.Parallel()
	const blocks, rows = 3, 8 << 10
	w := largeWorld(t, blocks, rows)
	e := w.engine(ample, 64<<20)
	e.rowsAPart = 1 << 10
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { e.Warm(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	q := all(10)
	q.Filter, q.Count = query.Contains("quantum flux capacitor"), true
	made := func() (n int) {
		for _, b := range w.set.Newest {
			if _, ok := e.cache.peek(partsKey(b, "message")); ok {
				n++
			}
		}
		return n
	}
	ask := func() {
		res, err := e.Search(ctx, q)
		require.NoError(t, err)
		require.EqualValues(t, blocks, res.Total)
		require.Len(t, res.Hits, blocks)
	}
	ask()
	require.Eventually(t, func() bool { return made() == blocks }, time.Minute, time.Millisecond)
	ask()
	q.Filter = query.Contains("payment")
	res, err := e.Search(ctx, q)
	require.NoError(t, err)
	require.Greater(t, res.Total, int64(blocks*rows/20), "a word of all parts is found in all of them")
}

// TestLinesOfTheSameMoment are in the order of their ids, on pages as well: the blocks that are read last have those that come first.
func TestLinesOfTheSameMoment(t *testing.T) {
	t.Parallel()
	for _, partition := range []func(id uint64) int32{func(id uint64) int32 { return 30 - int32(id) }, func(uint64) int32 { return 0 }} {
		r := naive.NewRandom(9)
		r.Span = 300 // three moments
		w := makeSpread(t, r, 30, 3, 0, partition)
		for _, oldest := range []bool{true, false} {
			q := all(1)
			q.Oldest = oldest
			got, _ := pages(t, w.engine(ample, 1<<20), *q)
			require.True(t, slices.EqualFunc(w.naively(q), got, func(a, b Hit) bool { return a.Key == b.Key }))
		}
	}
}

// same compares what an answer shows.
func same(a, b *logrec.Record) bool {
	if a.Message != b.Message || a.Level != b.Level || a.Service != b.Service || a.TraceID != b.TraceID || a.SpanID != b.SpanID || a.UserID != b.UserID || a.Observed != b.Observed ||
		a.RequestMethod != b.RequestMethod || a.RequestPath != b.RequestPath || a.ResponseStatus != b.ResponseStatus || a.ResponseTimeMS != b.ResponseTimeMS || a.HasResponseTime != b.HasResponseTime ||
		a.Team != b.Team || a.Env != b.Env || a.Host != b.Host || a.PatternID != b.PatternID || a.EvalTime != b.EvalTime || len(a.Attributes) != len(b.Attributes) {
		return false
	}
	for _, x := range a.Attributes {
		if !slices.Contains(b.Attributes, x) {
			return false
		}
	}
	return true
}

func pages(t *testing.T, e *Engine, q query.Query) (out []Hit, partial int) {
	t.Helper()
	for range 5000 {
		res, err := e.Search(context.Background(), &q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(res.Hits), q.Limit)
		out = append(out, res.Hits...)
		if res.Partial {
			partial++
		}
		if res.Next == nil {
			require.False(t, res.Partial, "a partial answer must say where to go on")
			return out, partial
		}
		next, err := q.ParseCursor(q.Cursor(*res.Next))
		require.NoError(t, err)
		q.After = &next
	}
	t.Fatalf("no end of pages: %+v", q)
	return nil, 0
}

func TestCountsAreExact(t *testing.T) {
	t.Parallel()
	for seed := range rounds(10) {
		r := naive.NewRandom(uint64(seed))
		w := makeWorld(t, r, 12, 60)
		e := w.engine(ample, 1<<20)
		for range 20 {
			q := randomQuery(r, w)
			q.Count, q.Offset = true, r.IntN(5)
			want := w.naively(q)
			res, err := e.Search(context.Background(), q)
			require.NoError(t, err)
			require.EqualValues(t, len(want), res.Total, query.Print(q.Filter))
			require.Len(t, res.Hits, max(0, min(len(want)-q.Offset, q.Limit)))
		}
	}
}

func all(limit int) *query.Query {
	return &query.Query{Filter: query.All{}, Start: math.MinInt64, End: math.MaxInt64, Limit: limit}
}

func TestDamageIsNamedNotHidden(t *testing.T) {
	t.Parallel()
	r := naive.NewRandom(2)
	w := makeWorld(t, r, 6, 30)
	w.data[3][len(w.data[3])/2] ^= 1
	w.data[5] = nil
	left := 0
	for _, b := range w.set.Newest {
		if b.ID != 3 && b.ID != 5 {
			left += b.Rows
		}
	}
	res, err := w.engine(ample, 1<<20).Search(context.Background(), all(1000))
	require.NoError(t, err)
	require.True(t, res.Partial)
	require.Contains(t, res.Reason, "block 3 is left out: the block is damaged")
	require.Contains(t, res.Reason, "block 5 is left out: is gone")
	require.Len(t, res.Hits, left)
}

func TestABudgetStopsAndSaysSo(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(3), 40, 30)
	q := all(1000)
	q.Filter = query.Contains("zzzz")
	for reason, b := range map[string]Budget{"rows read": {1, math.MaxInt64, time.Minute}, "bytes read": {math.MaxInt64, 1, time.Minute}, "time limit": {math.MaxInt64, math.MaxInt64, 0}} {
		res, err := New(w, w, Config{Budget: b}, time.Now).Search(context.Background(), q)
		if b.Time == 0 {
			require.ErrorIs(t, err, context.DeadlineExceeded, "nothing can be done in no time")
			continue
		}
		require.NoError(t, err)
		require.True(t, res.Partial)
		require.Contains(t, res.Reason, reason)
		require.NotNil(t, res.Next)
		require.Less(t, res.Stats.Blocks, 5)
	}
}

// TestTheTimeLimitMovesOn: however short the time, page after page comes to the end.
func TestTheTimeLimitMovesOn(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(4), 30, 30)
	at := time.Unix(0, 0)
	e := New(w, w, Config{Budget: Budget{math.MaxInt64, math.MaxInt64, time.Hour}, Cache: 1 << 20}, func() time.Time { at = at.Add(time.Hour); return at })
	e.slots = make(chan struct{}, 1)
	q := *all(5)
	n := 0
	for range 2000 {
		res, err := e.Search(context.Background(), &q)
		require.NoError(t, err)
		n += len(res.Hits)
		if res.Next == nil {
			require.Equal(t, len(w.lines), n)
			return
		}
		q.After = res.Next
	}
	t.Fatal("no end")
}

func TestWarmAnswersReadNothing(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(5), 20, 30)
	e := w.engine(ample, 64<<20)
	q := all(50)
	q.Filter, q.Explain, q.Count = query.Contains("o"), true, true // counting reads every block: how far a page reads ahead depends on the day
	cold, err := e.Search(context.Background(), q)
	require.NoError(t, err)
	reads := w.reads.Load()
	require.Positive(t, reads)
	require.Positive(t, cold.Explain.Fetched)
	warm, err := e.Search(context.Background(), q)
	require.NoError(t, err)
	require.Equal(t, reads, w.reads.Load())
	require.Zero(t, warm.Explain.Fetched)
	require.Equal(t, warm.Explain.Columns, warm.Explain.Cached)
	require.Equal(t, cold.Hits, warm.Hits)
}

func TestTopOfManyBlocksReadsFew(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(6), 200, 30)
	res, err := w.engine(ample, 1<<20).Search(context.Background(), all(10))
	require.NoError(t, err)
	require.Less(t, res.Stats.Blocks, 12)
}

func TestFiltersSpareReads(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(7), 100, 30)
	q := all(10)
	q.Filter = query.Equal(query.Field{Name: "trace_id"}, strings.Repeat("f", 32))
	q.Explain = true
	res, err := w.engine(ample, 1<<20).Search(context.Background(), q)
	require.NoError(t, err)
	require.Less(t, res.Stats.Blocks, 5, "0.4 %% false positives")
	require.Greater(t, res.Explain.Pruned[scan.ByFilter], 90)
}

func TestACallerWhoGoesEndsTheWork(t *testing.T) {
	t.Parallel()
	w := makeWorld(t, naive.NewRandom(8), 50, 30)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := w.engine(ample, 1<<20).Search(ctx, all(10))
	require.ErrorIs(t, err, context.Canceled)
	w.fail = errors.New("MySQL is away")
	_, err = w.engine(ample, 1<<20).Search(context.Background(), all(10))
	require.ErrorIs(t, err, w.fail)
}

// TestTheCacheKeepsItsBudget with random keys, from several goroutines.
func TestTheCacheKeepsItsBudget(t *testing.T) {
	t.Parallel()
	c := newCache(1000)
	done := make(chan struct{})
	for g := range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for range 3000 {
				k := cacheKey{block: rng.Uint64N(60)}
				v, _, err := c.get(context.Background(), k, func(context.Context) (any, int, error) {
					if rng.IntN(10) == 0 {
						return nil, 0, errors.New("now and then")
					}
					return k.block, rng.IntN(100), nil
				})
				if err == nil && v != k.block {
					t.Errorf("%v instead of %d", v, k.block)
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
	s := c.stats()
	require.LessOrEqual(t, s.Bytes, int64(1000))
	total := int64(0)
	for e := c.order.Front(); e != nil; e = e.Next() {
		total += e.Value.(*cacheEntry).size
	}
	require.Equal(t, s.Bytes, total)
	require.Equal(t, s.Entries, c.order.Len())
	require.Positive(t, s.Hits)
}

// TestAScanDoesNotWashOutWhatIsUsed is what SIEVE is for.
func TestAScanDoesNotWashOutWhatIsUsed(t *testing.T) {
	t.Parallel()
	c := newCache(1000)
	load := func(context.Context) (any, int, error) { return 1, 100, nil }
	use := func(block uint64) (hit bool) {
		_, hit, err := c.get(context.Background(), cacheKey{block: block}, load)
		require.NoError(t, err)
		return hit
	}
	for b := range uint64(4) {
		use(b)
		use(b)
	}
	for b := range uint64(100) {
		use(1000 + b)
		if b%5 == 0 {
			use(0)
		}
	}
	require.True(t, use(0))
}
