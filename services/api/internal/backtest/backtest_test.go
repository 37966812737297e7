package backtest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
)

const (
	t0     = int64(1_800_000_000) * 1e9
	second = int64(time.Second)
)

// memory is a source that holds blocks itself.
type memory struct {
	blocks  []Block
	data    map[uint64][]byte
	through int64
}

func (m *memory) History(_ context.Context, s Span) (out []Block, err error) {
	before := map[int32]int64{}
	for _, b := range m.blocks {
		wanted := b.Watermark >= s.Start && before[b.Partition] < s.End
		before[b.Partition] = b.Watermark
		if wanted || s.ByTimestamp {
			out = append(out, b)
		}
	}
	return out, nil
}

func (m *memory) BlockData(_ context.Context, b *Block) ([]byte, error) { return m.data[b.ID], nil }
func (m *memory) Through(context.Context) (int64, error)                { return m.through, nil }

// add builds a block of records.
func (m *memory) add(t testing.TB, recs []logrec.Record, partition int32, from, to, watermark int64) {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	blk, err := b.Build(slices.Clone(recs))
	require.NoError(t, err)
	m.keep(blk, partition, from, to, watermark)
}

func (m *memory) keep(blk block.Block, partition int32, from, to, watermark int64) {
	id := uint64(len(m.data) + 1)
	m.data[id] = blk.Data
	m.blocks = append(m.blocks, Block{ID: id, Stream: 1, Partition: partition, Rows: int32(blk.Meta.Rows), From: from, To: to, Min: blk.Meta.MinTime, Checksum: blk.Meta.Checksum, Watermark: watermark})
	slices.SortFunc(m.blocks, func(a, b Block) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.From, b.From))
	})
}

// stream makes ten minutes of three partitions: blocks as ingested, or some of them merged. Senders' clocks are off by up to ten minutes.
func stream(t testing.TB, seed uint64, merge bool) *memory {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &memory{data: map[uint64][]byte{}, through: t0 + 600*second}
	for p := range int32(3) {
		var held []logrec.Record
		from, offset := int64(0), int64(0)
		for wm := t0; wm < m.through; offset++ {
			next := wm + rng.Int64N(5*second) + 1
			for row := range 1 + rng.IntN(8) {
				eval := wm + 1 + rng.Int64N(next-wm+second) // some come after the block's watermark
				held = append(held, logrec.Record{Timestamp: eval + rng.Int64N(1200*second) - 600*second, EvalTime: eval, Service: fmt.Sprintf("svc-%d-%d", p, rng.IntN(2)),
					Level: []logrec.Level{logrec.LevelInfo, logrec.LevelError}[rng.IntN(2)], Message: fmt.Sprintf("line %d of %d", row, offset), SrcOffset: offset, SrcRow: int32(row), HasResponseTime: true, ResponseTimeMS: float64(rng.IntN(500))})
			}
			wm = next
			if !merge || rng.IntN(4) == 0 {
				m.add(t, held, p, from, offset, wm)
				held, from = nil, offset+1
			}
		}
		if len(held) > 0 {
			m.add(t, held, p, from, offset, m.through)
		}
	}
	return m
}

var rules = []rule.Rule{
	{Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", GroupBy: []string{"service"}, Threshold: 8, TimeWindow: rule.Window(10 * time.Second)},
	{Condition: "AVG(response_time_ms)", Operator: ">", Threshold: 260, TimeWindow: rule.Window(20 * time.Second), For: rule.Duration(5 * time.Second)},
	{Condition: "COUNT(*)", Filter: "service = 'svc-1-0'", Operator: "<", Threshold: 1, TimeWindow: rule.Window(5 * time.Second), KeepFiringFor: rule.Duration(2 * time.Second)},
	{Condition: "P90(response_time_ms)", GroupBy: []string{"service"}, Operator: ">", Threshold: 470, TimeWindow: rule.Window(15 * time.Second)},
}

func compiled(t testing.TB, r rule.Rule) *rule.Compiled {
	t.Helper()
	r.Name, r.Enabled = "r", true
	r.Normalize()
	c, err := rule.Compile("1", 1, r)
	require.NoError(t, err)
	return c
}

// said is a result's alerts as texts.
func said(as []*Alert) (out []string) {
	for _, a := range as {
		ends, value := "…", "NULL"
		if a.EndsAt != nil {
			ends = fmt.Sprint(a.EndsAt.UnixNano() - t0)
		}
		if a.Value != nil {
			value = fmt.Sprint(*a.Value, *a.Peak)
		}
		out = append(out, fmt.Sprintf("%d–%s %s %v %s", a.StartsAt.UnixNano()-t0, ends, value, a.Labels, a.Resolved))
	}
	slices.Sort(out)
	return out
}

// happened is what the evaluator's engine says of the same stream, as it comes, from start to end.
func happened(t *testing.T, m *memory, c *rule.Compiled, start, end int64) []string {
	t.Helper()
	r := &run{src: m, spec: Spec{Rule: c, Start: start, End: end}, out: &Result{}, open: map[string]*Alert{}, lines: &lines{src: m, parts: partsOf(m.blocks)}}
	r.eng = engine.New(engine.Place{All: true}, t0)
	require.NoError(t, r.eng.Schedule([]engine.Version{{RuleID: "1", Number: 1, Effective: t0, Rule: c.Rule}}, nil))
	for i := range m.blocks { // all of it is there before any tick is closed
		reader, err := block.Open(m.data[m.blocks[i].ID])
		require.NoError(t, err)
		require.NoError(t, r.eng.Fold(reader, r.lines.place(&m.blocks[i])))
	}
	require.NoError(t, r.take(t.Context(), end))
	return said(slices.DeleteFunc(r.out.Alerts, func(a *Alert) bool { return a.StartsAt.UnixNano() >= end }))
}

func spec(c *rule.Compiled, start, end int64) Spec {
	return Spec{Rule: c, Start: start, End: end, By: ByEvalTime, Rows: 1e9, Time: time.Hour}
}

func quiet(Progress) {}

// TestABacktestIsHistory: the same alerts as the engine gave live, from wherever it starts, over blocks as ingested and merged ones.
func TestABacktestIsHistory(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(2) {
		live, large := stream(t, seed, false), stream(t, seed, true)
		for i, r := range rules {
			c := compiled(t, r)
			for _, span := range [][2]int64{{t0 + 60*second, t0 + 600*second}, {t0 + 200*second, t0 + 421*second}} {
				for name, m := range map[string]*memory{"ingested": live, "large": large} {
					want := happened(t, m, c, span[0], span[1])
					found += len(want)
					res, err := Run(t.Context(), m, spec(c, span[0], span[1]), time.Now, quiet)
					require.NoError(t, err)
					require.False(t, res.Partial)
					require.Equal(t, want, said(res.Alerts), "seed %d rule %d %s", seed, i, name)
				}
			}
		}
	}
	require.Greater(t, found, 50)
}

// merge makes blocks of one to five neighbours, as the processor's compaction does.
func (m *memory) merge(t *testing.T) *memory {
	merger, err := block.NewMerger(block.Options{Level: 2})
	require.NoError(t, err)
	merged := &memory{data: map[uint64][]byte{}, through: m.through}
	for _, p := range partsOf(m.blocks) {
		for len(p.blocks) > 0 {
			n := min(len(p.blocks), 1+len(p.blocks)%5)
			readers := make([]*block.Reader, n)
			for i := range readers {
				readers[i], err = block.Open(m.data[p.blocks[i].ID])
				require.NoError(t, err)
			}
			blk, err := merger.Merge(readers)
			require.NoError(t, err)
			merged.keep(blk, p.partition, p.blocks[0].From, p.blocks[n-1].To, p.blocks[n-1].Watermark)
			p.blocks = p.blocks[n:]
		}
	}
	require.Less(t, len(merged.blocks), len(m.blocks))
	return merged
}

// TestMergedBlocksGiveTheSame: compaction changes nothing, nor does compacting what is compacted.
func TestMergedBlocksGiveTheSame(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(4) {
		m := stream(t, 9+seed, false)
		once := m.merge(t)
		for _, merged := range []*memory{once, once.merge(t)} {
			for _, r := range rules {
				a, err := Run(t.Context(), m, spec(compiled(t, r), t0+60*second, t0+600*second), time.Now, quiet)
				require.NoError(t, err)
				b, err := Run(t.Context(), merged, spec(compiled(t, r), t0+60*second, t0+600*second), time.Now, quiet)
				require.NoError(t, err)
				require.Equal(t, said(a.Alerts), said(b.Alerts))
				for i := range a.Alerts {
					require.Equal(t, a.Alerts[i].Evidence, b.Alerts[i].Evidence)
				}
				found += len(a.Alerts)
			}
		}
	}
	require.Greater(t, found, 20)
}

// TestByTimestamp: an import, which no rule ever saw, in blocks that overlap and come in any order.
func TestByTimestamp(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(4, 4))
	live, imported := &memory{data: map[uint64][]byte{}, through: t0 + 600*second}, &memory{data: map[uint64][]byte{}}
	var recs []logrec.Record
	for i := range 3000 {
		at := t0 + rng.Int64N(600*second)
		recs = append(recs, logrec.Record{Timestamp: at, EvalTime: at, Service: "web", Level: []logrec.Level{logrec.LevelInfo, logrec.LevelError}[rng.IntN(2)], Message: "m", SrcOffset: int64(i / 100), SrcRow: int32(i % 100), HasResponseTime: true, ResponseTimeMS: float64(rng.IntN(500))})
	}
	live.add(t, recs, 0, 0, 29, live.through)
	for i := range recs {
		recs[i].EvalTime = 0
	}
	for n := range 30 {
		imported.add(t, recs[n*100:n*100+100], 0, int64(n), int64(n), t0+int64(n))
	}
	for _, r := range []rule.Rule{{Condition: "COUNT(*)", Threshold: 60, TimeWindow: rule.Window(10 * time.Second)}, rules[1]} {
		c := compiled(t, r)
		want, err := Run(t.Context(), live, spec(c, t0+60*second, t0+600*second), time.Now, quiet)
		require.NoError(t, err)
		require.NotEmpty(t, want.Alerts)
		s := spec(c, t0+60*second, t0+600*second)
		s.By = ByTimestamp
		got, err := Run(t.Context(), imported, s, func() time.Time { return at(t0 + 3600*second) }, quiet)
		require.NoError(t, err)
		require.Equal(t, said(want.Alerts), said(got.Alerts))
		s.By = ByEvalTime
		got, err = Run(t.Context(), imported, s, time.Now, quiet)
		require.NoError(t, err)
		require.Empty(t, got.Alerts, "rules never saw it")
	}
}

// TestGoingOnFromWhereItStopped: partial answers, one after the other, are the whole answer.
func TestGoingOnFromWhereItStopped(t *testing.T) {
	t.Parallel()
	m := stream(t, 2, false)
	c := compiled(t, rules[0])
	whole, err := Run(t.Context(), m, spec(c, t0+60*second, t0+600*second), time.Now, quiet)
	require.NoError(t, err)
	var got []*Alert
	from, runs := t0+60*second, 0
	for ; from < t0+600*second; runs++ {
		s := spec(c, from, t0+600*second)
		s.Rows = 200
		last := Progress{}
		res, err := Run(t.Context(), m, s, time.Now, func(p Progress) {
			require.GreaterOrEqual(t, p.Fraction, last.Fraction)
			require.LessOrEqual(t, p.Fraction, 1.0)
			last = p
		})
		require.NoError(t, err)
		require.Equal(t, res.CoveredUntil.UnixNano() < t0+600*second, res.Partial)
		require.Greater(t, res.CoveredUntil.UnixNano(), from)
		got, from = append(got, res.Alerts...), res.CoveredUntil.UnixNano()
	}
	require.Greater(t, runs, 3)
	starts := func(as []*Alert) (out []string) {
		for _, a := range as {
			out = append(out, fmt.Sprint(a.StartsAt, a.Labels, *a.Value))
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, starts(whole.Alerts), starts(got))
}

func TestEvidenceAndDeletedBlocks(t *testing.T) {
	t.Parallel()
	m := stream(t, 3, false)
	c := compiled(t, rules[0])
	res, err := Run(t.Context(), m, spec(c, t0+60*second, t0+600*second), time.Now, quiet)
	require.NoError(t, err)
	for _, a := range res.Alerts {
		require.Len(t, a.Evidence, 5)
		for _, e := range a.Evidence {
			id, err := logrec.ParseID(e.LogID)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("line %d of %d", id.Row, id.Offset), e.Message)
			require.Equal(t, []any{"error", a.Labels["service"]}, []any{e.Level, e.Service})
		}
	}
	full := len(res.Alerts)
	m.data[m.blocks[len(m.blocks)/2].ID][100] ^= 1
	delete(m.data, m.blocks[2].ID)
	res, err = Run(t.Context(), m, spec(c, t0, t0+600*second), time.Now, quiet)
	require.NoError(t, err)
	require.True(t, res.Partial, "what is missing is said")
	require.NotEmpty(t, res.PartialReason)
	require.Greater(t, len(res.Alerts), full/2, "what is there is used")
}

// TestTheFutureIsNotAbsent: ticks that not all partitions have come to are not decided.
func TestTheFutureIsNotAbsent(t *testing.T) {
	t.Parallel()
	m := stream(t, 5, false)
	m.through = t0 + 300*second
	c := compiled(t, rule.Rule{Condition: "COUNT(*)", Operator: "<", Threshold: 1, TimeWindow: rule.Window(20 * time.Second)})
	res, err := Run(t.Context(), m, spec(c, t0+60*second, t0+6000*second), time.Now, quiet)
	require.NoError(t, err)
	require.Empty(t, res.Alerts)
	require.Equal(t, m.through, res.CoveredUntil.UnixNano())
}

func TestNewest(t *testing.T) {
	t.Parallel()
	m := stream(t, 6, false)
	s := spec(compiled(t, rules[0]), t0, t0+600*second)
	s.Rows, s.Newest = 300, true
	res, err := Run(t.Context(), m, s, time.Now, quiet)
	require.NoError(t, err)
	require.False(t, res.Partial)
	require.Equal(t, m.through, res.CoveredUntil.UnixNano())
	require.Greater(t, res.CoveredFrom.UnixNano(), t0+300*second)
	require.LessOrEqual(t, res.Rows, int64(400))
}
