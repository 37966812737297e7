package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/rule"
)

// storm is a random history: rules, their changes, commands, blocks and watermarks.
type storm struct {
	versions []Version
	commands []Command
	steps    []step
}

// step is a message: lines, then a watermark (s).
type step struct {
	lines []line
	wm    float64
}

func newStorm(seed uint64) *storm {
	rng := rand.New(rand.NewPCG(seed, 2))
	s := &storm{}
	add := func(id int, number int, at0 float64, r rule.Rule, deleted bool) {
		r.Name, r.Enabled = fmt.Sprintf("r%d", id), true
		r.Normalize()
		s.versions = append(s.versions, Version{RuleID: fmt.Sprint(id), Number: number, Effective: at(at0), Rule: r, Deleted: deleted})
	}
	ten := window(10 * time.Second)
	minute := rule.Duration(30 * time.Second)
	rules := []rule.Rule{
		{Condition: "COUNT(*)", Filter: "service = 'a' AND level = 'error'", Threshold: 3, TimeWindow: ten},
		{Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)", GroupBy: []string{"service"}, Threshold: 40, TimeWindow: ten, MinSamples: 3, For: rule.Duration(2 * time.Second)},
		{Condition: "AVG(response_time_ms)", Operator: ">", Threshold: 150, TimeWindow: ten, KeepFiringFor: rule.Duration(3 * time.Second), RepeatInterval: &minute},
		{Condition: "COUNT(DISTINCT message)", GroupBy: []string{"service"}, Threshold: 4, TimeWindow: ten},
		{Condition: "P95(response_time_ms)", GroupBy: []string{"service", "attributes['k']"}, Operator: ">", Threshold: 180, TimeWindow: window(90 * time.Second), NoData: rule.NoDataKeep},
		{Condition: "COUNT(*)", GroupBy: []string{"service"}, Operator: "<", Threshold: 1, TimeWindow: ten, GroupRetention: rule.Duration(time.Minute)},
		{Condition: "MAX(response_time_ms)", Filter: "service = 'b'", Operator: ">", Threshold: 190, TimeWindow: ten},
		{Condition: "MIN(response_time_ms) + SUM(response_status)", Operator: "<", Threshold: 900, TimeWindow: ten},
	}
	for i, r := range rules {
		add(i+1, 1, rng.Float64()*20, r, false)
		r.Threshold *= 0.8
		add(i+1, 2, 60+rng.Float64()*60, r, false)
		if i%3 == 0 {
			r.Filter = ""
			add(i+1, 3, 130+rng.Float64()*30, r, rng.IntN(2) == 0)
		}
	}
	s.commands = []Command{
		{ID: 1, Effective: at(70), Kind: CommandSilence, Silence: "s", Matchers: equals("service", "a"), Until: at(110)},
		{ID: 3, Effective: at(120), Kind: CommandSilence, Silence: "t", Matchers: []rule.Matcher{{Name: "service", Value: "a|c", IsRegex: true}, {Name: "severity", Value: "medium", IsEqual: true}}, From: at(130), Until: at(190)},
		{ID: 4, Effective: at(125), Kind: CommandSilence, Silence: "u", Matchers: []rule.Matcher{{Name: "service", Value: "b", IsEqual: false}}, From: at(145), Until: at(180)},
		{ID: 5, Effective: at(160), Kind: CommandSilence, Silence: "t", Matchers: []rule.Matcher{{Name: "alertname", Value: "r[1-4]", IsRegex: true, IsEqual: true}}, From: at(130), Until: at(175)},
		{ID: 6, Effective: at(170), Kind: CommandExpire, Silence: "u"},
		{ID: 2, Effective: at(80), Kind: CommandResolve, Fingerprint: rule.Fingerprint("4", map[string]string{"service": "a"}), Who: "x"},
	}
	wm := 0.0
	for wm < 200 {
		st := step{wm: wm + rng.Float64()}
		if rng.IntN(8) == 0 {
			st.wm += 15 // silence
		}
		for range rng.IntN(6) {
			st.lines = append(st.lines, line{at: wm + 0.001 + rng.Float64()*1.5, service: []string{"a", "b", "c"}[rng.IntN(3)], level: []string{"info", "error"}[rng.IntN(2)],
				ms: float64(rng.IntN(200)), status: 200, message: fmt.Sprint(rng.IntN(9)), attrs: fmt.Sprintf("k=%d", rng.IntN(2))})
		}
		wm = st.wm
		s.steps = append(s.steps, st)
	}
	return s
}

// run plays the storm and, at the steps that crash chooses, throws the engine away for one restored from its snapshot.
func (s *storm) run(t *testing.T, crash func(step int) bool) []string {
	t.Helper()
	e := New(Place{All: true}, t0)
	require.NoError(t, e.Schedule(s.versions, s.commands))
	out := &script{t: t, e: e}
	for i, st := range s.steps {
		if len(st.lines) > 0 {
			require.NoError(t, out.e.Fold(blockOf(t, records(st.lines, 0)), 0))
			out.write(out.e.Early())
		}
		if crash(i) { // between a fold and its watermark, where open cells are
			var err error
			out.e, err = Restore(Place{All: true}, out.e.Snapshot(), s.versions, s.commands)
			require.NoError(t, err)
		}
		out.advance(st.wm)
	}
	for i := range out.all {
		out.said[i] += fmt.Sprintf(" #%d %s %v", out.all[i].Seq, out.all[i].Fingerprint[:6], out.all[i].Evidence)
	}
	return out.said
}

func TestRestoreGoesOnAsIfNothingHappened(t *testing.T) {
	t.Parallel()
	events := 0
	for seed := range uint64(40) {
		s := newStorm(seed)
		calm := s.run(t, func(int) bool { return false })
		rng := rand.New(rand.NewPCG(seed, 3))
		crashed := s.run(t, func(int) bool { return rng.IntN(3) == 0 })
		require.Empty(t, differs(calm, crashed), "seed %d", seed)
		events += len(calm)
	}
	require.Greater(t, events, 1000)
}

// TestBordersDoNotMatter: final decisions depend on the records and their times, not on how they came in blocks.
func TestBordersDoNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		s := newStorm(seed)
		final := func(one bool) []string {
			e := New(Place{All: true}, t0)
			require.NoError(t, e.Schedule(s.versions, s.commands))
			out := &script{t: t, e: e}
			for _, st := range s.steps {
				parts := [][]line{st.lines}
				if one {
					parts = parts[:0]
					for i := range st.lines {
						parts = append([][]line{{st.lines[i]}}, parts...) // a block each, last first
					}
				}
				for _, p := range parts {
					if len(p) > 0 {
						require.NoError(t, e.Fold(blockOf(t, records(p, 0)), 0))
					}
				}
				out.advance(st.wm)
			}
			return out.said
		}
		require.Empty(t, differs(final(false), final(true)), "seed %d", seed)
	}
}

// goldens are snapshots of each format that ever was, and how much of the storm was over when it was taken.
var goldens = []struct {
	file string
	of   float64
}{{"testdata/snapshot-v1.bin", 0.5}, {"testdata/snapshot-v1-silence.bin", 0.4}, {"testdata/snapshot-v2.bin", 0.75}, {"testdata/snapshot-v3.bin", 0.75}}

// TestOldSnapshotsStayReadable goes on from each golden snapshot as the engine would have. WRITE_GOLDEN=1 writes the newest, for a new format only.
func TestOldSnapshotsStayReadable(t *testing.T) {
	t.Parallel()
	s := newStorm(1)
	play := func(e *Engine, steps []step) []string {
		out := &script{t: t, e: e}
		for _, st := range steps {
			if len(st.lines) > 0 {
				require.NoError(t, e.Fold(blockOf(t, records(st.lines, 0)), 0))
			}
			out.advance(st.wm)
		}
		return out.said
	}
	for i, g := range goldens {
		past := int(float64(len(s.steps)) * g.of)
		e := New(Place{All: true}, t0)
		require.NoError(t, e.Schedule(s.versions, s.commands))
		play(e, s.steps[:past])
		if os.Getenv("WRITE_GOLDEN") != "" && i == len(goldens)-1 {
			require.NoError(t, os.WriteFile(g.file, e.Snapshot(), 0o600))
		}
		golden, err := os.ReadFile(g.file)
		require.NoError(t, err)
		old, err := Restore(Place{All: true}, golden, s.versions, s.commands)
		require.NoError(t, err, g.file)
		require.Equal(t, i > 0, len(old.quiets) > 0, "%s has silences", g.file)
		require.Equal(t, i == len(goldens)-1, bytes.Equal(golden, old.Snapshot()), "%s: the newest format is written as it was read", g.file)
		require.Empty(t, differs(play(e, s.steps[past:]), play(old, s.steps[past:])), g.file)
		for cut := 1; cut < len(golden); cut += 13 {
			_, err := Restore(Place{All: true}, golden[:cut], s.versions, s.commands)
			require.ErrorIs(t, err, ErrDamaged, "%s cut at %d", g.file, cut)
		}
	}
}

func FuzzRestore(f *testing.F) {
	s := newStorm(1)
	for _, g := range goldens {
		golden, err := os.ReadFile(g.file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(golden)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = Restore(Place{All: true}, b, s.versions, s.commands)
		_, _ = DecodePartials(b)
	})
}

// differs is the first difference of two accounts, "" for none: whole accounts are too long to print.
func differs(a, b []string) string {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("event %d of %d and %d:\n%v\n%v", i, len(a), len(b), a[i:min(i+1, len(a))], b[i:min(i+1, len(b))])
		}
	}
	return ""
}
