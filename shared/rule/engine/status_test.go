package engine

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/rule"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	ten := window(10 * time.Second)
	s := play(t, Place{All: true},
		rule.Rule{Condition: "COUNT(*)", Threshold: 100, TimeWindow: ten},
		rule.Rule{Condition: "AVG(response_time_ms)", GroupBy: []string{"service"}, Threshold: 100, TimeWindow: ten, For: rule.Duration(20 * time.Second), Labels: map[string]string{"tier": "1"}},
		rule.Rule{Condition: "P95(response_time_ms)", Threshold: 1e6, TimeWindow: ten, MinSamples: 3},
		rule.Rule{Condition: "COUNT(*)", Filter: "service = 'a'", Threshold: 1, TimeWindow: ten},
		rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"attributes['zone']"}, Filter: "service = 'nobody'", Threshold: 1, TimeWindow: ten})
	s.advance(1)
	require.Equal(t, map[string]Standing{"1": {Warming: 1}, "2": {}, "3": {Warming: 1}, "4": {Warming: 1}, "5": {}}, s.e.Status().Rules)
	s.advance(20)
	s.fold(line{at: 20.1, service: "a", ms: 500}, line{at: 20.1, service: "b", ms: 1}, line{at: 20.2, service: "c"})
	s.advance(22)
	st := s.e.Status()
	require.Equal(t, map[string]Standing{"2": {Pending: 1, OK: 1, NoData: 1}, "4": {Firing: 1}, "5": {}}, st.Rules)
	value := 500.0
	require.Equal(t, []Pending{{RuleID: "2", Version: 1, Fingerprint: rule.Fingerprint("2", map[string]string{"service": "a"}), Labels: map[string]string{"alertname": "r2", "service": "a", "tier": "1"},
		Since: at(20.25), Fires: at(40.25), Value: &value}}, st.Pending)
	s.advance(60)
	require.Equal(t, map[string]Standing{"2": {NoData: 3}, "3": {NoData: 1}, "5": {}}, s.e.Status().Rules, "1 counts 0: that is a value")
}

// TestStatusChangesNothing: looking leaves the state as it was.
func TestStatusChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStorm(3)
	e := New(Place{All: true}, t0)
	require.NoError(t, e.Schedule(s.versions, s.commands))
	for _, st := range s.steps {
		if len(st.lines) > 0 {
			require.NoError(t, e.Fold(blockOf(t, records(st.lines, 0)), 0))
		}
		e.Advance(at(st.wm))
		before := e.Snapshot()
		e.Status()
		require.True(t, bytes.Equal(before, e.Snapshot()))
	}
}

// BenchmarkStatus looks at the alerts of 10,000 rules over 200 services: what an evaluator pays every two seconds for what people see. status-ms is CPU time.
func BenchmarkStatus(b *testing.B) {
	e := New(Place{All: true}, t0)
	require.NoError(b, e.Schedule(benchRules(10_000, true), nil))
	e.Advance(t0 + 1e9)
	for i, data := range benchBlocks(b, 4000, 200, func(int) string { return "x" }) {
		require.NoError(b, e.Fold(decoded(b, data).at(int64(i+400)), 0))
		e.Advance(t0 + int64(i+401)*1e9)
	}
	alerts := 0
	for _, a := range e.active {
		alerts += len(a.instances)
	}
	begun := cpu(b)
	for b.Loop() {
		e.Status()
	}
	b.ReportMetric(float64((cpu(b)-begun).Microseconds())/1e3/float64(b.N), "status-ms")
	b.ReportMetric(float64(alerts), "alerts")
}
