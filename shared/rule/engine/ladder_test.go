package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/rule"
)

// naive are the counts and the evidence of each rung, the long way.
func naive(rungs []float64, marks []mark) (counts []int64, evidence [][]RecordID) {
	marks = slices.Clone(marks)
	slices.SortFunc(marks, func(x, y mark) int { return compareRecords(x.RecordID, y.RecordID) })
	for _, rung := range rungs {
		var ids []RecordID
		for _, m := range marks {
			if m.rung >= rung {
				ids = append(ids, m.RecordID)
			}
		}
		counts, evidence = append(counts, int64(len(ids))), append(evidence, thin(ids))
	}
	return counts, evidence
}

// TestLaddersMerge: however records are cut into ladders and in whatever order these are merged, each rung has its count and its evidence; and
// what is taken away again leaves the rest.
func TestLaddersMerge(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 4))
		rungs := make([]float64, 1+rng.IntN(30))
		for i := range rungs {
			rungs[i] = float64(rng.IntN(40))
		}
		slices.Sort(rungs)
		rungs = slices.Compact(rungs)
		var all []mark
		var parts []*ladder
		for range 1 + rng.IntN(8) {
			l := &ladder{}
			for range rng.IntN(30) {
				m := mark{RecordID{EvalTime: rng.Int64N(1000), Offset: rng.Int64N(1e9)}, rungs[rng.IntN(len(rungs))]}
				all = append(all, m)
				l = mergeLadders(l, &ladder{rungs: []float64{m.rung}, n: []int64{1}, marks: []mark{m}})
			}
			parts = append(parts, l)
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var whole *ladder
		r := &ring{kind: kindLadder, size: 1, count: int64(len(parts))}
		for i, l := range parts {
			whole = mergeLadders(whole, l)
			r.add(int64(i+1), &cell{N: 1, Ladder: l})
		}
		counts, evidence := naive(rungs, all)
		for i, rung := range rungs {
			require.Equal(t, counts[i], r.reach(int64(len(parts)), 0, nil, 0).at(rung), "seed %d", seed)
			require.Equal(t, evidence[i], thin(whole.evidence(rung)), "seed %d", seed)
			require.Equal(t, evidence[i], r.rungEvidence(int64(len(parts)), 0, nil, rung), "seed %d", seed)
		}
		require.LessOrEqual(t, len(whole.marks), len(rungs)*(evidenceFirst+evidenceLast))
		r.expire(2 * int64(len(parts)))
		require.Zero(t, r.reach(2*int64(len(parts)), 0, nil, 0).at(math.Inf(-1)))
		w := &writer{}
		w.ladder(whole)
		require.Equal(t, whole, (&reader{b: w.b}).ladder())
	}
}

func TestHighestRung(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 4))
	for n := range 70 {
		rungs := make([]float64, n)
		for i := range rungs {
			rungs[i] = float64(2 * i)
		}
		for range 50 {
			v := float64(rng.IntN(2*n+3) - 1)
			want := 0
			for want < n && rungs[want] <= v {
				want++
			}
			require.Equal(t, want, highestRung(rungs, v), "%d rungs, %g", n, v)
		}
	}
}

// climb adds rules to a storm that compare numbers with constants, some of which change on the way.
func (s *storm) climb(column string) {
	ten := window(10 * time.Second)
	rules := []rule.Rule{
		{Condition: "COUNT(CASE WHEN COL > 100 THEN 1 END)", GroupBy: []string{"service"}, Threshold: 4, TimeWindow: ten},
		{Condition: "COUNT(CASE WHEN COL > 150 THEN 1 END)", GroupBy: []string{"service"}, Threshold: 2, TimeWindow: ten},
		{Condition: "COUNT(CASE WHEN level = 'error' AND COL >= 50 THEN 1 END) * 100.0 / COUNT(*)", GroupBy: []string{"service"}, Threshold: 30, TimeWindow: ten, For: rule.Duration(time.Second)},
		{Condition: "COUNT(*) FILTER (WHERE COL < 60)", Filter: "service = 'a'", Threshold: 2, TimeWindow: ten},
		{Condition: "COUNT(CASE WHEN 60 >= COL THEN 1 END)", Operator: "<", Threshold: 2, TimeWindow: ten},
		{Condition: "COUNT(CASE WHEN COL > 130 AND response_status = 200 THEN 1 END)", Threshold: 6, TimeWindow: window(90 * time.Second)},
		{Condition: "COUNT(CASE WHEN COL >= 120 THEN 1 END) + COUNT(CASE WHEN COL < 20 THEN 1 END)", GroupBy: []string{"attributes['k']"}, Threshold: 5, TimeWindow: ten},
		{Condition: "COUNT(CASE WHEN COL > 100 AND message = '3' THEN 1 END)", Filter: "COL > 40", GroupBy: []string{"service"}, Threshold: 1, TimeWindow: ten},
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for i, r := range rules {
		for number, from := range []float64{0, 50, 120} {
			r.Name, r.Enabled = fmt.Sprintf("c%d", i), true
			if number > 0 {
				r.Threshold *= 0.9
			}
			if number == 2 {
				r.Condition = strings.ReplaceAll(r.Condition, "00", "10") // another rung
			}
			v := r
			v.Condition, v.Filter = strings.ReplaceAll(r.Condition, "COL", column), strings.ReplaceAll(r.Filter, "COL", column)
			v.Normalize()
			s.versions = append(s.versions, Version{RuleID: fmt.Sprint(50 + i), Number: number + 1, Effective: at(from + 20*rng.Float64()), Rule: v})
		}
	}
}

// TestLaddersSayWhatPlainSeriesSay: conditions on a ladder, and the same ones written so that they are not, give the same alerts with the same
// evidence, through crashes too.
func TestLaddersSayWhatPlainSeriesSay(t *testing.T) {
	t.Parallel()
	events := 0
	for seed := range uint64(25) {
		run := func(column string, ladders bool, crash func(int) bool) []string {
			s := newStorm(seed)
			s.versions = nil
			s.climb(column)
			e := New(Place{All: true}, t0)
			require.NoError(t, e.Schedule(s.versions, s.commands))
			require.Equal(t, ladders, slices.ContainsFunc(e.order, func(s *series) bool { return s.kind == kindLadder }))
			return s.run(t, crash)
		}
		rng := rand.New(rand.NewPCG(seed, 3))
		calm := func(int) bool { return false }
		plain := run("(response_time_ms + 0)", false, calm)
		require.Empty(t, differs(plain, run("response_time_ms", true, calm)), "seed %d", seed)
		require.Empty(t, differs(plain, run("response_time_ms", true, func(int) bool { return rng.IntN(4) == 0 })), "seed %d", seed)
		events += len(plain)
	}
	require.Greater(t, events, 500)
}

// TestLaddersTakeOverPlainSeries goes on from a snapshot that was written when there were no ladders, and from the first with ladders.
func TestLaddersTakeOverPlainSeries(t *testing.T) {
	t.Parallel()
	s := newStorm(2)
	s.climb("response_time_ms")
	half := len(s.steps) / 2
	play := func(e *Engine, steps []step) []string {
		out := &script{t: t, e: e}
		for _, st := range steps {
			if len(st.lines) > 0 {
				require.NoError(t, e.Fold(blockOf(t, records(st.lines, 0)), 0))
			}
			out.advance(st.wm)
		}
		for i := range out.all {
			out.said[i] += fmt.Sprint(out.all[i].Evidence)
		}
		return out.said
	}
	for _, file := range []string{"testdata/snapshot-v2-plain.bin", "testdata/snapshot-v3-ladder.bin"} {
		e := New(Place{All: true}, t0)
		require.NoError(t, e.Schedule(s.versions, s.commands))
		play(e, s.steps[:half])
		if os.Getenv("WRITE_GOLDEN") != "" && strings.Contains(file, "v3") {
			require.NoError(t, os.WriteFile(file, e.Snapshot(), 0o600))
		}
		golden, err := os.ReadFile(file)
		require.NoError(t, err)
		old, err := Restore(Place{All: true}, golden, s.versions, s.commands)
		require.NoError(t, err, file)
		rest := play(e, s.steps[half:])
		require.NotEmpty(t, rest)
		require.Empty(t, differs(rest, play(old, s.steps[half:])), file)
	}
}

// TestLaddersTakeOverPlainPartials: the same of cells that partitions had sent to the global engine.
func TestLaddersTakeOverPlainPartials(t *testing.T) {
	t.Parallel()
	s := newStorm(2)
	s.climb("response_time_ms")
	local := New(Place{Partition: 0, Partitions: 1}, t0)
	require.NoError(t, local.Schedule(s.versions, nil))
	var now []Partial
	for _, st := range s.steps {
		if len(st.lines) > 0 {
			require.NoError(t, local.Fold(blockOf(t, records(st.lines, 0)), 0))
		}
		_, ps := local.Advance(at(st.wm))
		now = append(now, ps...)
	}
	golden, err := os.ReadFile("testdata/partials-v1-plain.bin")
	require.NoError(t, err)
	before, err := DecodePartials(golden)
	require.NoError(t, err)
	decide := func(ps []Partial) []string {
		e := New(Place{Global: true}, t0)
		require.NoError(t, e.Schedule(s.versions, nil))
		e.Merge(ps)
		out := &script{t: t, e: e}
		out.advance(s.steps[len(s.steps)-1].wm)
		return out.said
	}
	require.NotEmpty(t, decide(now))
	require.Empty(t, differs(decide(now), decide(before)))
}
