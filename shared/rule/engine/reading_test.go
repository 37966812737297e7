package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/rule"
)

// crowd adds rules to a storm that ask what its rules ask, with other thresholds, operators, and answers to no data.
func (s *storm) crowd(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 99))
	for _, v := range s.versions {
		for j := range 4 {
			w := v
			w.RuleID = fmt.Sprintf("%d0%s", j+1, v.RuleID)
			w.Rule.Threshold *= 0.5 + rng.Float64()
			w.Effective += rng.Int64N(3e9)
			w.Rule.MinSamples = []int64{1, 1, 3}[rng.IntN(3)]
			w.Rule.NoData = []string{"ok", "ok", "keep", "firing"}[rng.IntN(4)]
			w.Rule.Operator = append([]string{"<", "<=", "=", "!="}, ">", ">", ">=", ">=")[rng.IntN(8)]
			w.Rule.For = []rule.Duration{v.Rule.For, rule.Duration(time.Second)}[rng.IntN(2)]
			s.versions = append(s.versions, w)
		}
	}
}

// TestIdleAlertsAreSafelyLeftAlone: an engine that looks only at alerts whose threshold was reached says what one says that looks at all.
func TestIdleAlertsAreSafelyLeftAlone(t *testing.T) {
	t.Parallel()
	events := 0
	for seed := range uint64(15) {
		s := newStorm(seed)
		s.crowd(seed)
		run := func(watchAll bool) []string {
			e := New(Place{All: true}, t0)
			e.watchAll = watchAll
			require.NoError(t, e.Schedule(s.versions, s.commands))
			out := &script{t: t, e: e}
			for _, st := range s.steps {
				if len(st.lines) > 0 {
					require.NoError(t, e.Fold(blockOf(t, records(st.lines, 0)), 0))
					out.write(e.Early())
				}
				out.advance(st.wm)
			}
			for i, ev := range out.all {
				out.said[i] += fmt.Sprintf(" #%d %s %v %d", ev.Seq, ev.Fingerprint[:6], ev.Evidence, ev.LastTrue)
			}
			return out.said
		}
		all := run(true)
		require.Empty(t, differs(all, run(false)), "seed %d", seed)
		events += len(all)
	}
	require.Greater(t, events, 5000)
}

// TestThresholdChangeKeepsEvidence: a version with the same windows goes on with what they hold, evidence included.
func TestThresholdChangeKeepsEvidence(t *testing.T) {
	t.Parallel()
	r := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Threshold: 3, TimeWindow: window(30 * time.Second)}
	s := play(t, here, r)
	s.advance(1)
	s.fold(line{at: 1.1}, line{at: 1.2})
	s.advance(5)
	r.Threshold = 2
	s.change("1", 2, 6, r)
	s.advance(7)
	s.want("6 r1 firing web value=2")
	require.Len(t, s.all[0].Evidence, 2)
}

// TestManyRulesShareAReading: what costs is what is asked, not who asks.
func TestManyRulesShareAReading(t *testing.T) {
	t.Parallel()
	var rules []rule.Rule
	for k := range 300 {
		rules = append(rules, rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"service"}, Threshold: float64(1000 + k), TimeWindow: window(5 * time.Second)})
	}
	s := play(t, Place{All: true}, rules...)
	s.advance(10)
	s.fold(line{at: 10.1, service: "a"}, line{at: 10.2, service: "b"})
	s.advance(20)
	require.Len(t, s.e.questions, 1)
	for _, q := range s.e.questions {
		require.Len(t, q.readings, 2)
		for _, r := range q.readings {
			require.Len(t, r.rising, 300)
			require.Empty(t, r.watched)
		}
	}
}
