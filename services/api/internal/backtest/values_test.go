package backtest

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

func withValues(t *testing.T, m *memory, r rule.Rule, start, end, step int64) *Result {
	t.Helper()
	s := spec(compiled(t, r), start, end)
	s.Step = step
	res, err := Run(t.Context(), m, s, time.Now, quiet)
	require.NoError(t, err)
	return res
}

// steady is a partition with a line at each of some seconds after t0.
func steady(t *testing.T, seconds ...int64) *memory {
	m := &memory{data: map[uint64][]byte{}, through: t0 + 300*second}
	var recs []logrec.Record
	for i, s := range seconds {
		recs = append(recs, logrec.Record{Timestamp: t0 + s*second, EvalTime: t0 + s*second, Service: "web", Level: logrec.LevelError, Message: "m", SrcRow: int32(i), HasResponseTime: true, ResponseTimeMS: float64(s)})
	}
	m.add(t, recs, 0, 0, 0, m.through)
	return m
}

// TestValuesOfSteps: the greatest of each step, also of those that nothing came in.
func TestValuesOfSteps(t *testing.T) {
	t.Parallel()
	m := steady(t, 100, 101, 102, 150)
	r := rule.Rule{Condition: "COUNT(*)", Threshold: 3, TimeWindow: rule.Window(10 * time.Second)}
	v := withValues(t, m, r, t0+90*second, t0+170*second, 10*second).Values
	require.Equal(t, []any{at(t0 + 90*second), 10.0, 1}, []any{v.Start, v.StepS, v.Known})
	require.Equal(t, []Point{0, 3, 2, 0, 0, 0, 1, 0}, v.Groups[0].Values, "the line of 100 has left the window of 110")
	require.Equal(t, map[string]string{"alertname": "r"}, v.Groups[0].Labels)

	r.Operator, r.Threshold = "<", 1
	v = withValues(t, m, r, t0+90*second, t0+170*second, 10*second).Values
	require.Equal(t, []Point{0, 1, 0, 0, 0, 0, 1, 0}, v.Groups[0].Values, "the least of each")
	require.Nil(t, withValues(t, m, r, t0+90*second, t0+170*second, 0).Values)
}

// TestNoValueIsNull: nothing came, or too little.
func TestNoValueIsNull(t *testing.T) {
	t.Parallel()
	m := steady(t, 100, 150, 151, 152)
	r := rule.Rule{Condition: "AVG(response_time_ms)", Operator: ">", Threshold: 3, MinSamples: 3, TimeWindow: rule.Window(10 * time.Second)}
	v := withValues(t, m, r, t0+90*second, t0+170*second, 20*second).Values
	raw, err := json.Marshal(v.Groups[0].Values)
	require.NoError(t, err)
	require.Equal(t, `[null,null,null,151]`, string(raw))
}

// TestValuesAgreeWithAlerts: a group with an alert has a step at its beginning whose value is at least the threshold, and comes first.
func TestValuesAgreeWithAlerts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		m := stream(t, seed, seed == 1)
		r := rules[0]
		start := t0 + 60*second
		res := withValues(t, m, r, start, t0+600*second, 7*second)
		require.NotEmpty(t, res.Alerts)
		groups := map[string][]Point{}
		for _, g := range res.Values.Groups {
			groups[g.Fingerprint] = g.Values
		}
		for _, a := range res.Alerts {
			values := groups[a.Fingerprint]
			k := (a.StartsAt.UnixNano() - start) / (7 * second)
			require.GreaterOrEqual(t, float64(values[k]), *a.Value)
			require.Len(t, values, 78, "540 s")
		}
		require.Equal(t, 6, res.Values.Known)
	}
}

// TestTooManyGroups: the nearest are shown, and how many there are is said.
func TestTooManyGroups(t *testing.T) {
	t.Parallel()
	m := &memory{data: map[uint64][]byte{}, through: t0 + 300*second}
	var recs []logrec.Record
	for g := range 50 {
		for i := range g + 1 {
			recs = append(recs, logrec.Record{Timestamp: t0 + 100*second, EvalTime: t0 + 100*second, Service: "web", UserID: string(rune('A' + g)), Level: logrec.LevelInfo, Message: "m", SrcOffset: int64(g), SrcRow: int32(i)})
		}
	}
	m.add(t, recs, 0, 0, 50, m.through)
	v := withValues(t, m, rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"user_id"}, Threshold: 1000, TimeWindow: rule.Window(10 * time.Second)}, t0+90*second, t0+120*second, 10*second).Values
	require.Equal(t, 50, v.Known)
	require.Len(t, v.Groups, maxGroups)
	for i, g := range v.Groups {
		require.InDelta(t, 50-i, float64(g.Values[1]), 0)
	}
	require.True(t, math.IsNaN(float64(v.Groups[0].Values[0])), "it was not known yet")
}
