package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// silence writes a version of silence 1 as the api does.
func (w *world) silence(version int, effective time.Time, s rule.Silence, expired bool) {
	w.t.Helper()
	raw, err := json.Marshal(s)
	require.NoError(w.t, err)
	_, err = w.db.Text.Exec("UPDATE rule_clock SET seq = seq + 1")
	require.NoError(w.t, err)
	_, err = w.db.Text.Exec(`INSERT INTO silence_version (seq, silence_id, version, effective_ns, definition, expired, created_at) SELECT seq, 1, ?, ?, ?, ?, NOW() FROM rule_clock`, version, effective.UnixNano(), string(raw), expired)
	require.NoError(w.t, err)
}

// TestSilencedAlertsFireMarked: under a silence an alert fires and resolves as ever, and each event and the history say who silenced it; when the silence
// is expired, also across a restart, subscribers hear that it fires.
func TestSilencedAlertsFireMarked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	t0 := time.Now().Add(-30 * time.Second).Truncate(time.Second).UTC()
	home := contract.Home("checkout", w.kafka.Partitions)
	w.addRule(1, t0, rule.Rule{Name: "errors", Team: "shop", Condition: "COUNT(*)", Filter: "service = 'checkout'", Threshold: 3, TimeWindow: rule.Window(10 * time.Second), Severity: "high"})
	s := rule.Silence{Matchers: []rule.Matcher{{Name: "team", Value: "s.*", IsRegex: true, IsEqual: true}, {Name: "severity", Value: "low"}}, StartsAt: t0, EndsAt: t0.Add(time.Hour)}
	w.silence(1, t0.Add(2*time.Second), s, false)
	_, stop := w.run()
	for p := range w.kafka.Partitions {
		w.heartbeat(p, 0, t0)
	}
	w.lines(home, 0, t0.Add(5*time.Second), t0.Add(6*time.Second), "checkout", 4)
	silenced := func(es []*contract.AlertEvent) (out []string) {
		for _, e := range es {
			out = append(out, e.Data.Status+":"+e.Data.Annotations["silenced_by"])
		}
		return out
	}
	got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) == 1 })
	require.Equal(t, []string{"firing:1"}, silenced(got))
	stop()
	w.silence(2, t0.Add(8*time.Second), s, true)
	_, stop = w.run()
	defer stop()
	w.heartbeat(home, 1, t0.Add(30*time.Second))
	got = w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) == 3 })
	require.Equal(t, []string{"firing:1", "firing:", "resolved:"}, silenced(got))
	require.Equal(t, contract.AlertUpdated, got[1].Type)
	require.Equal(t, t0.Add(8*time.Second), got[1].Time)
}
