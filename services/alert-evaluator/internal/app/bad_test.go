package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/testkit"
)

// TestBadRulesHarmNobody: definitions that no api would have written, straight in the table, are each an error that says why; the good rules beside
// them fire as if they were alone, and a rule with 100,000 groups keeps to its limit.
func TestBadRulesHarmNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	t0 := time.Now().Add(-time.Minute).Truncate(time.Second).UTC()
	service := at0(w.kafka.Partitions)
	good := rule.Rule{Name: "good", Condition: "COUNT(*)", Filter: "service = '" + service + "'", Threshold: 3, TimeWindow: rule.Window(10 * time.Second)}
	w.addRule(1, t0, good)
	everywhere := rule.Rule{Name: "everywhere", Condition: "COUNT(*)", Threshold: 3, TimeWindow: rule.Window(10 * time.Second)}
	w.addRule(2, t0, everywhere)
	perMessage := rule.Rule{Name: "per message", Condition: "COUNT(*)", GroupBy: []string{"message"}, Threshold: 1e9, TimeWindow: rule.Window(10 * time.Minute)}
	w.addRule(3, t0, perMessage)
	perMessage.Name, perMessage.Filter = "per message of one", good.Filter
	w.addRule(4, t0, perMessage)
	deep := strings.Repeat("(", 65) + "COUNT(*)" + strings.Repeat(")", 65)
	bad := []struct{ definition, why string }{
		{`{"name":"long","condition":"` + strings.Repeat("x", 4097) + `"}`, "longer than 4096"},
		{`{"name":"deep","condition":"` + deep + `"}`, "condition, at 65"},
		{`{"name":"column","condition":"COUNT(CASE WHEN statuss = 1 THEN 1 END)"}`, "unknown column statuss"},
		{`{"name":"drop","condition":"COUNT(*); DROP TABLE rule_version"}`, "condition, at 9"},
		{`{"name":"subquery","condition":"(SELECT COUNT(*) FROM rule_version)"}`, "condition, at 2"},
		{`{"name":"quote","condition":"COUNT(*)","filter":"service = '' OR 1 = 1 -- '"}`, "filter, at"},
		{`{"name":"infinite","condition":"COUNT(*)","threshold":"Infinity"}`, "name: is missing"}, // not a number that JSON has: nothing of it is taken
		{`{"name":"not a number","condition":"COUNT(*)","threshold":"NaN"}`, "name: is missing"},
		{`[]`, "name: is missing"},
		{`{"name":"window","condition":"COUNT(*)","time_window":-1}`, "time_window"},
		{`{"name":"groups","condition":"COUNT(*)","group_by":["service","level","message","team","host"]}`, "group_by: has more than 4 columns"},
	}
	for i, b := range bad {
		definition := b.definition
		if strings.HasPrefix(definition, "{") {
			definition = `{"enabled":true,` + definition[1:]
		}
		_, err := w.db.Text.Exec("UPDATE rule_clock SET seq = seq + 1")
		require.NoError(t, err)
		_, err = w.db.Text.Exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, created_at) SELECT seq, ?, 1, ?, ?, NOW() FROM rule_clock`, 100+i, t0.UnixNano(), definition)
		require.NoError(t, err)
	}
	_, stop := w.run()
	for p := range w.kafka.Partitions {
		w.heartbeat(p, 0, t0)
	}
	const blocks, each = 10, 10_000
	for k := range int64(blocks) {
		recs := make([]logrec.Record, each)
		at := t0.Add(5*time.Second + time.Duration(k)*100*time.Millisecond)
		for i := range recs {
			recs[i] = logrec.Record{Timestamp: at.UnixNano(), EvalTime: at.UnixNano() + int64(i), Service: service, Level: logrec.LevelInfo, Message: fmt.Sprint("message ", k, " ", i)}
		}
		w.block(0, k, at.Add(-50*time.Millisecond), recs)
	}
	w.heartbeat(0, blocks, t0.Add(10*time.Second))
	for p := int32(1); p < w.kafka.Partitions; p++ {
		w.heartbeat(p, 0, t0.Add(10*time.Second))
	}
	got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool {
		names := map[string]bool{}
		for _, e := range es {
			names[e.Data.Rule.Name] = true
		}
		return names["good"] && names["everywhere"]
	})
	for _, e := range got {
		if e.Data.Rule.Name == "everywhere" {
			require.Equal(t, "firing", e.Data.Status)
			require.Greater(t, *e.Data.Value, 9999.0)
		}
	}
	want := []string{"overflow/-1//3", "overflow/-1//4"}
	for i := range bad {
		want = append(want, fmt.Sprintf("error/-1//%d", 100+i))
	}
	beats := 0
	require.Eventually(t, func() bool { // owners write down what they find with a step, every two seconds
		beats++
		for p := range w.kafka.Partitions {
			w.heartbeat(p, map[bool]int64{true: blocks, false: 0}[p == 0], t0.Add(10*time.Second+time.Duration(beats)*10*time.Millisecond))
		}
		have := w.problems()
		return !slices.ContainsFunc(want, func(r string) bool { return !slices.Contains(have, r) })
	}, 2*time.Minute, 300*time.Millisecond)
	f, err := store.New(w.db).Facts(t.Context(), 1)
	require.NoError(t, err)
	for i, b := range bad {
		k := slices.IndexFunc(f.Known, func(p blind.Problem) bool { return p.Kind == blind.Error && p.RuleID == fmt.Sprint(100+i) })
		require.Contains(t, f.Known[k].Detail, b.why, b.definition[:min(80, len(b.definition))])
	}
	stop()
	var versions int
	require.NoError(t, w.db.Text.QueryRow(`SELECT COUNT(*) FROM rule_version`).Scan(&versions))
	require.Equal(t, 4+len(bad), versions, "nobody dropped the table")
}
