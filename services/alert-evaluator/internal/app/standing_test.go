package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
	"github.com/logmill/logmill/shared/testkit"
)

// TestHowRulesStandIsWritten: a pending alert of a partition and a global rule without data are there for people to see, and go when they are over.
func TestHowRulesStandIsWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	t0 := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	home := contract.Home("checkout", w.kafka.Partitions)
	w.addRule(1, t0, rule.Rule{Name: "errors", Condition: "COUNT(*)", Filter: "service = 'checkout'", Threshold: 3, TimeWindow: rule.Window(10 * time.Second), For: rule.Duration(time.Minute)})
	w.addRule(2, t0, rule.Rule{Name: "slow", Condition: "AVG(response_time_ms)", Threshold: 3, TimeWindow: rule.Window(2 * time.Second)})
	_, stop := w.run()
	defer stop()
	for p := range w.kafka.Partitions {
		w.heartbeat(p, 0, t0)
		w.heartbeat(p, 0, t0.Add(12*time.Second))
	}
	w.lines(home, 0, t0.Add(13*time.Second), t0.Add(14*time.Second), "checkout", 4)
	stands := func(source string, want engine.Standing, rule string, pending int) {
		t.Helper()
		var st engine.Status
		require.Eventually(t, func() bool {
			var raw []byte
			if w.db.Text.QueryRow(`SELECT status FROM alert_status WHERE stream_id = 1 AND source = ?`, source).Scan(&raw) != nil {
				return false
			}
			st = engine.Status{}
			require.NoError(t, json.Unmarshal(raw, &st))
			return st.Rules[rule] == want && len(st.Pending) == pending
		}, 40*time.Second, 100*time.Millisecond, "%v", &st)
	}
	stands(store.SourceOf(home), engine.Standing{Pending: 1}, "1", 1)
	stands(store.GlobalSource, engine.Standing{NoData: 1}, "2", 0)
	w.heartbeat(home, 1, t0.Add(40*time.Second))
	stands(store.SourceOf(home), engine.Standing{}, "1", 0)
}
