package app

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/mysqlx"
)

const fingerprint = "0123456789abcdef0123456789abcdef"

// fires writes an episode as the evaluator does, and returns its id.
func fires(t *testing.T, db *mysqlx.DB) string {
	t.Helper()
	_, err := db.Text.Exec(`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, rule_id, rule_version, rule_name, team, severity, service, value, peak, reason, note, event, updated_at)
VALUES (?, UNIX_TIMESTAMP() * 1000000000, 0, 1, 1, 'r', 'shop', 'high', 'web', 9, 9, 'condition', '', '{"labels":{"service":"web"},"condition":{"operator":">","threshold":5},"evidence":[{"message":"m"}]}', NOW())`, fingerprint)
	require.NoError(t, err)
	var starts int64
	require.NoError(t, db.Text.QueryRow(`SELECT starts_ns FROM alert_instance`).Scan(&starts))
	return fmt.Sprintf("%s-%d", fingerprint, starts)
}

// entries are those of the audit, newest first, as "seq who action kind id changed".
func entries(t *testing.T, url string) (out []string, answer map[string]any) {
	t.Helper()
	code, _, answer := call(t, "GET", url, "")
	require.Equal(t, 200, code, answer)
	for _, e := range answer["entries"].([]any) {
		m := e.(map[string]any)
		out = append(out, fmt.Sprintf("%v %v %v %v %v %v", m["seq"], m["who"], m["action"], m["kind"], m["id"], m["changed"]))
	}
	return out, answer
}

func TestAudit(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	ann := []string{"X-Logmill-User", "ann"}
	code, h, _ := call(t, "POST", url+"/api/alert-rules", seedRule, ann...)
	require.Equal(t, 201, code)
	rule := url + h.Get("Location")
	code, _, _ = call(t, "PUT", rule, `{"name":"high error rate","condition":"COUNT(*)","threshold":7,"time_window":5}`, "X-Logmill-User", "bob")
	require.Equal(t, 200, code)
	for _, refused := range [][]string{{"PUT", rule, seedRule, "If-Match", `"1"`}, {"POST", url + "/api/alert-rules", seedRule}, {"DELETE", url + "/api/silences/9", ""}} {
		code, _, _ = call(t, refused[0], refused[1], refused[2], refused[3:]...)
		require.GreaterOrEqual(t, code, 400)
	}
	code, _, _ = call(t, "POST", url+"/api/silences", `{"matchers":[{"name":"service","value":"web"}],"ends_at":"now+1h","created_by":"eve"}`)
	require.Equal(t, 201, code)
	code, _, _ = call(t, "DELETE", url+"/api/silences/1", "", ann...)
	require.Equal(t, 204, code)
	id := fires(t, db)
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/acknowledge", `{"note":"mine"}`, ann...)
	require.Equal(t, 200, code)
	code, _, _ = call(t, "DELETE", rule, "")
	require.Equal(t, 204, code)

	all, answer := entries(t, url+"/api/audit")
	documented(t, url, "Audit", answer)
	require.Equal(t, []string{
		"14  delete rule 9 []",
		"13 ann acknowledge alert " + id + " [acknowledged_by note status]",
		"12 ann expire silence 1 [ends_at]",
		"11 eve create silence 1 []",
		"10 bob update rule 9 [condition description severity threshold]",
		"9 ann create rule 9 []",
	}, all, "what was refused is not there")
	newest := answer["entries"].([]any)[0].(map[string]any)
	require.Nil(t, newest["after"])
	require.Equal(t, `service="web"`, answer["entries"].([]any)[2].(map[string]any)["name"])
	require.Equal(t, 7.0, newest["before"].(map[string]any)["threshold"])
	for filter, want := range map[string]int{"kind=rule": 3, "kind=rule,alert": 4, "kind=rule&id=9&action=update": 1, "who=ann": 3, "id=nothing": 0, "end=now-1h": 0, "start=now-1h": 6, "limit=2": 2} {
		got, _ := entries(t, url+"/api/audit?"+filter)
		require.Len(t, got, want, filter)
	}
	_, answer = entries(t, url+"/api/audit?limit=4")
	rest, answer := entries(t, url+"/api/audit?limit=4&cursor="+answer["next_cursor"].(string))
	require.Equal(t, all[4:], rest)
	require.Empty(t, answer["next_cursor"])
	for _, bad := range []string{"kind=rules", "action=drop", "cursor=x", "object=1"} {
		code, _, _ = call(t, "GET", url+"/api/audit?"+bad, "")
		require.Equal(t, 400, code, bad)
	}
}

// TestNoChangeWithoutItsAudit: they are one transaction.
func TestNoChangeWithoutItsAudit(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	id := fires(t, db)
	_, err := db.Text.Exec(`ALTER TABLE audit ADD CONSTRAINT full CHECK (seq < 0)`)
	require.NoError(t, err)
	for _, change := range [][]string{{"POST", "/api/alert-rules", seedRule}, {"PUT", "/api/alert-rules/1", seedRule}, {"DELETE", "/api/alert-rules/1", ""},
		{"POST", "/api/silences", `{"matchers":[{"name":"service","value":"web"}],"ends_at":"now+1h","created_by":"eve"}`}, {"PUT", "/api/alerts/" + id + "/acknowledge", `{"who":"ann"}`}} {
		code, _, _ := call(t, change[0], url+change[1], change[2])
		require.Equal(t, 500, code, change)
	}
	var rules, versions, silences, commands, clock int
	require.NoError(t, db.Text.QueryRow(`SELECT (SELECT COUNT(*) FROM alert_rule WHERE deleted_at IS NULL), (SELECT COUNT(*) FROM rule_version), (SELECT COUNT(*) FROM alert_silence) + (SELECT COUNT(*) FROM silence_version),
 (SELECT COUNT(*) FROM alert_command), (SELECT seq FROM rule_clock)`).Scan(&rules, &versions, &silences, &commands, &clock))
	require.Equal(t, []int{8, 8, 0, 0, 8}, []int{rules, versions, silences, commands, clock})
}
