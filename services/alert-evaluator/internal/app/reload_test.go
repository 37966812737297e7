package app

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// at0 is a service that is at home on partition 0.
func at0(partitions int32) string {
	name := "svc"
	for contract.Home(name, partitions) != 0 {
		name += "x"
	}
	return name
}

// TestAStepOvertakenByARuleChange: while a step waits for MySQL, a rule changes from a moment on that the step has decided already. The partition goes
// back to what is stored and decides again, as if it had known, in the same process; the others do not notice.
func TestAStepOvertakenByARuleChange(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		t0 := time.Now().Add(-30 * time.Second).Truncate(time.Second).UTC()
		service := at0(cfg.Partitions)
		r := rule.Rule{Name: "errors", Condition: "COUNT(*)", Filter: "service = '" + service + "'", Threshold: 3, TimeWindow: rule.Window(2 * time.Second)}
		w.addRule(1, t0, r)
		url, stop := w.run()
		for p := range cfg.Partitions {
			w.heartbeat(p, 0, t0)
		}
		w.lines(0, 0, t0.Add(2*time.Second), t0.Add(2*time.Second), service, 2) // below either threshold: something to go through again
		require.Eventually(t, func() bool {
			var n int
			require.NoError(t, w.db.Text.QueryRow(`SELECT COUNT(*) FROM alert_partition WHERE part = 0 AND watermark_ns = ?`, t0.Add(2*time.Second).UnixNano()).Scan(&n))
			return n == 1
		}, time.Minute, 50*time.Millisecond)

		tx, err := w.db.Text.Begin()
		require.NoError(t, err)
		defer func() { _ = tx.Rollback() }()
		_, err = tx.Exec(`UPDATE rule_clock SET seq = seq + 1`) // commits wait for us
		require.NoError(t, err)
		w.lines(0, 1, t0.Add(5*time.Second), t0.Add(4*time.Second), service, 5)
		awaits(t, url, "rows_total", 7)
		r.Threshold, r.Enabled = 10, true
		r.Normalize()
		raw, err := json.Marshal(r)
		require.NoError(t, err)
		_, err = tx.Exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, created_at) SELECT seq, 1, 2, ?, ?, NOW() FROM rule_clock`, t0.Add(4500*time.Millisecond).UnixNano(), string(raw))
		require.NoError(t, err)
		require.NoError(t, tx.Commit())

		awaits(t, url, "reloads_total", 1)
		w.lines(0, 2, t0.Add(6*time.Second), t0.Add(6*time.Second), service, 6)
		w.heartbeat(0, 3, t0.Add(20*time.Second))
		got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) == 2 })
		require.Equal(t, []int{2, 2}, []int{got[0].Data.Rule.Version, got[1].Data.Rule.Version}, "what the old version would have fired was never said")
		require.Equal(t, []string{"firing", "resolved"}, []string{got[0].Data.Status, got[1].Data.Status})
		require.InDelta(t, 11, *got[0].Data.Value, 0, "the lines before the reload count")
		awaits(t, url, "rows_total", 13)
		awaits(t, url, "reloads_total", 1)
		stop()
	})
}
