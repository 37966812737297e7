package search

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// memory is a source that holds blocks itself.
type memory struct {
	infos   []BlockInfo
	data    map[uint64][]byte
	filters map[uint64][]byte
}

func (m *memory) Blocks(_ context.Context, s Selection) ([]BlockInfo, error) {
	order := func(a, b BlockInfo) int {
		x, y := [2]int64{a.MaxTime, int64(a.ID)}, [2]int64{b.MaxTime, int64(b.ID)}
		if s.Oldest {
			return slices.Compare([]int64{a.MinTime, int64(a.ID)}, []int64{b.MinTime, int64(b.ID)})
		}
		return -slices.Compare(x[:], y[:])
	}
	var out []BlockInfo
	for _, b := range m.infos {
		if b.MaxTime >= s.Start && b.MinTime < s.End && (s.After == nil || order(b, *s.After) > 0) {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, order)
	return out[:min(len(out), s.Limit)], nil
}

func (m *memory) Filters(_ context.Context, ids []uint64) (map[uint64][]byte, error) {
	return m.filters, nil
}

func (m *memory) Data(_ context.Context, id uint64) ([]byte, error) { return m.data[id], nil }

var words = []string{"payment", "declined", "Timeout", "of", "upstream", "naïve", "retry", "failed", "order"}

// world makes blocks of two partitions whose times overlap, and all of their records.
func world(t testing.TB, seed uint64, blocks, rows int) (*memory, []Hit) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	m := &memory{data: map[uint64][]byte{}, filters: map[uint64][]byte{}}
	builder, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	var all []Hit
	for id := uint64(1); id <= uint64(blocks); id++ {
		part := int32(id % 2)
		recs := make([]logrec.Record, 0, rows)
		for row := range 1 + rng.IntN(rows) {
			r := logrec.Record{
				Timestamp: int64(id/2)*100 + rng.Int64N(150), Level: logrec.Levels[rng.IntN(6)], Service: fmt.Sprintf("svc-%d", rng.IntN(4)),
				Message: strings.Join([]string{words[rng.IntN(9)], words[rng.IntN(9)], fmt.Sprint(rng.IntN(50))}, " "), SrcOffset: int64(id), SrcRow: int32(row),
			}
			if rng.IntN(3) == 0 {
				r.TraceID = fmt.Sprintf("%032x", rng.IntN(5)+1)
			}
			if rng.IntN(4) == 0 {
				r.UserID = fmt.Sprintf("u%d", rng.IntN(3))
			}
			recs = append(recs, r)
		}
		blk, err := builder.Build(recs)
		require.NoError(t, err)
		info := BlockInfo{ID: id, Stream: 1, Partition: part, Rows: blk.Meta.Rows, Bytes: len(blk.Data), MinTime: blk.Meta.MinTime, MaxTime: blk.Meta.MaxTime,
			LevelMask: blk.Meta.LevelMask, Services: blk.Meta.Services, Checksum: blk.Meta.Checksum}
		m.infos, m.data[id], m.filters[id] = append(m.infos, info), blk.Data, blk.Filter
		for _, r := range recs {
			all = append(all, Hit{keyOf(info, &r), r})
		}
	}
	return m, all
}

// naive is what a search must find.
func naive(all []Hit, q *query.Query) []query.Key {
	var out []query.Key
	for _, h := range all {
		r := h.Record
		ok := r.Timestamp >= q.Start && r.Timestamp < q.End &&
			(q.LevelMask == 0 || q.LevelMask&(1<<r.Level) != 0) &&
			(len(q.Services) == 0 || slices.Contains(q.Services, r.Service)) &&
			(q.TraceID == "" || q.TraceID == r.TraceID) && (q.UserID == "" || q.UserID == r.UserID) &&
			strings.Contains(strings.ToLower(r.Message), strings.ToLower(q.Search))
		if ok {
			out = append(out, h.Key)
		}
	}
	slices.SortFunc(out, func(a, b query.Key) int {
		if q.Oldest {
			return a.Compare(b)
		}
		return b.Compare(a)
	})
	return out
}

func randomQuery(rng *rand.Rand) query.Query {
	q := query.Query{Start: math.MinInt64, End: math.MaxInt64, Limit: 1 + rng.IntN(40), Oldest: rng.IntN(2) == 0}
	if rng.IntN(3) == 0 {
		q.Start = rng.Int64N(1000)
		q.End = q.Start + rng.Int64N(1500) + 1
	}
	if rng.IntN(3) == 0 {
		q.LevelMask = uint8(rng.IntN(127)) << 1
	}
	if rng.IntN(3) == 0 {
		q.Services = []string{fmt.Sprintf("svc-%d", rng.IntN(5)), "svc-0"}
	}
	switch rng.IntN(6) {
	case 0:
		q.TraceID = fmt.Sprintf("%032x", rng.IntN(6)+1)
	case 1:
		q.UserID = fmt.Sprintf("u%d", rng.IntN(4))
	case 2:
		q.Search = []string{"PAY", "timeout of upstream", " of ", "naïve", "NAÏVE 1", "d 4", "nothing like it"}[rng.IntN(7)]
	}
	return q
}

// TestPagesEqualANaiveScan asks random questions, page after page, with budgets small and large, and compares with a scan of everything.
func TestPagesEqualANaiveScan(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 300 {
		m, all := world(t, uint64(round), 1+rng.IntN(20), 30)
		budget := Budget{Rows: math.MaxInt64, Bytes: math.MaxInt64, Time: time.Minute}
		if rng.IntN(2) == 0 {
			budget.Rows = int64(1 + rng.IntN(60)) // forces partial answers
		}
		q := randomQuery(rng)
		want := naive(all, &q)
		got := pages(t, New(m, budget, time.Now), q)
		if !slices.Equal(want, got) {
			t.Fatalf("round %d, %+v: %d found, %d expected", round, q, len(got), len(want))
		}
	}
}

func pages(t *testing.T, e *Engine, q query.Query) []query.Key {
	t.Helper()
	var out []query.Key
	for n := 0; n < 3000; n++ {
		res, err := e.Search(context.Background(), &q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(res.Hits), q.Limit)
		for _, h := range res.Hits {
			out = append(out, h.Key)
		}
		if res.Next == nil {
			require.False(t, res.Partial, "a partial answer must say where to go on")
			return out
		}
		next, err := query.ParseCursor(res.Next.Cursor())
		require.NoError(t, err)
		q.After = &next
	}
	t.Fatalf("no end of pages: %+v", q)
	return nil
}

func TestCountIsExact(t *testing.T) {
	t.Parallel()
	m, all := world(t, 1, 20, 50)
	e := New(m, Budget{math.MaxInt64, math.MaxInt64, time.Minute}, time.Now)
	q := query.Query{Start: math.MinInt64, End: math.MaxInt64, Search: "failed", Limit: 2, Count: true}
	res, err := e.Search(context.Background(), &q)
	require.NoError(t, err)
	require.EqualValues(t, len(naive(all, &q)), res.Total)
	require.Len(t, res.Hits, 2)
}

func TestADamagedBlockIsNamedNotHidden(t *testing.T) {
	t.Parallel()
	m, all := world(t, 2, 6, 30)
	m.data[3][len(m.data[3])/2] ^= 1
	e := New(m, Budget{math.MaxInt64, math.MaxInt64, time.Minute}, time.Now)
	q := query.Query{Start: math.MinInt64, End: math.MaxInt64, Limit: 1000}
	res, err := e.Search(context.Background(), &q)
	require.NoError(t, err)
	require.True(t, res.Partial)
	require.Contains(t, res.Reason, "block 3 is damaged")
	require.Len(t, res.Hits, len(all)-m.infos[2].Rows)
}

func TestFiltersSpareReads(t *testing.T) {
	t.Parallel()
	m, _ := world(t, 3, 40, 30)
	e := New(m, Budget{math.MaxInt64, math.MaxInt64, time.Minute}, time.Now)
	res, err := e.Search(context.Background(), &query.Query{Start: math.MinInt64, End: math.MaxInt64, Limit: 10, TraceID: strings.Repeat("f", 32)})
	require.NoError(t, err)
	require.Less(t, res.Stats.Blocks, 3, "0.4 %% false positives")
	require.Empty(t, res.Hits)
}
