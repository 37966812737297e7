package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/engine"
)

// episode is a row of alert_instance, as the evaluator writes it.
type episode struct {
	fp       string
	starts   time.Time
	lasts    time.Duration // 0: it fires
	rule     int
	name     string
	severity string
	team     string
	service  string
	zone     string
	reason   string
	silence  string
}

func (e *episode) id() string { return fmt.Sprintf("%s-%d", e.fp, e.starts.UnixNano()) }

// data is the episode's newest event.
func (e *episode) data() contract.AlertData {
	v := 9.0
	d := contract.AlertData{Status: "firing", Reason: e.reason, Fingerprint: e.fp, Severity: e.severity, StartsAt: e.starts, Value: &v, Peak: &v, Labels: map[string]string{"alertname": e.name, "service": e.service, "zone": e.zone},
		Annotations: map[string]string{"summary": e.name + " is high"}, Condition: contract.AlertCondition{Expression: "COUNT(*)", Operator: ">", Threshold: 5},
		Evidence: []contract.AlertEvidence{{Message: "it broke", LogID: "0-1-2"}}, Links: map[string]string{"rule": "/api/alert-rules/1", "logs": "/api/logs?start=1"}}
	if e.silence != "" {
		d.Annotations["silenced_by"] = e.silence
	}
	return d
}

func (e *episode) write(t *testing.T, db *mysqlx.DB) {
	t.Helper()
	raw, err := json.Marshal(e.data())
	require.NoError(t, err)
	ends := int64(0)
	if e.lasts > 0 {
		ends = e.starts.Add(e.lasts).UnixNano()
	}
	_, err = db.Text.Exec(`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, ends_ns, rule_id, rule_version, rule_name, team, severity, service, value, peak, reason, note, event, updated_at)
VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, 9, 11, ?, '', ?, NOW())`, e.fp, e.starts.UnixNano(), e.starts.UnixNano(), ends, e.rule, e.name, e.team, e.severity, e.service, e.reason, string(raw))
	require.NoError(t, err)
}

// happened writes an event of the episode to the outbox.
func (e *episode) happened(t *testing.T, db *mysqlx.DB, seq int, kind string, after time.Duration, sent int, change func(*contract.AlertData)) {
	t.Helper()
	ev := contract.AlertEvent{SpecVersion: "1.0", ID: fmt.Sprint(seq), Type: kind, Time: e.starts.Add(after), Data: e.data()}
	if change != nil {
		change(&ev.Data)
	}
	raw, err := ev.Encode()
	require.NoError(t, err)
	_, err = db.Text.Exec(`INSERT INTO alert_outbox (stream_id, source, seq, fingerprint, tick_ns, event, sent, created_at) VALUES (1, 'p0', ?, ?, ?, ?, ?, NOW())`, seq, e.fp, ev.Time.UnixNano(), string(raw), sent)
	require.NoError(t, err)
}

func fp(n int) string { return fmt.Sprintf("%032x", n) }

// ids are the numbers of the fingerprints of a list's alerts; a "p" stands before pending ones.
func ids(t *testing.T, answer map[string]any) string {
	t.Helper()
	var out []string
	for _, a := range answer["alerts"].([]any) {
		m := a.(map[string]any)
		n := strings.TrimLeft(m["fingerprint"].(string), "0")
		if m["status"] == "pending" {
			n = "p" + n
		}
		out = append(out, n)
	}
	return strings.Join(out, " ")
}

// alerts writes six episodes and two pending alerts of rule 1.
func alerts(t *testing.T, db *mysqlx.DB, now time.Time) []episode {
	t.Helper()
	es := []episode{
		{fp: fp(1), starts: now.Add(-30 * 24 * time.Hour), rule: 1, name: "errors", severity: "critical", team: "shop", service: "web", reason: "condition"}, // a month, and still
		{fp: fp(2), starts: now.Add(-3 * time.Hour), lasts: time.Minute, rule: 1, name: "errors", severity: "high", team: "shop", service: "db", zone: "eu", reason: "condition"},
		{fp: fp(3), starts: now.Add(-2 * time.Hour), lasts: 3 * time.Minute, rule: 2, name: "slow", severity: "low", team: "pay", service: "web", zone: "us", reason: "manual"},
		{fp: fp(4), starts: now.Add(-2 * time.Hour), lasts: time.Hour, rule: 2, name: "slow", severity: "low", team: "pay", service: "web", zone: "eu", reason: "rule_deleted"},
		{fp: fp(5), starts: now.Add(-time.Hour), rule: 3, name: "O'Brien", severity: "low", team: "pay", service: "x", zone: `a"b`, reason: "condition", silence: "12"},
		{fp: fp(6), starts: now.Add(-20 * 24 * time.Hour), lasts: time.Hour, rule: 1, name: "errors", severity: "high", team: "shop", service: "db", reason: "condition"}, // long over
	}
	for i := range es {
		es[i].write(t, db)
	}
	_, err := db.Text.Exec(`INSERT INTO stream (cluster_id, topic, topic_id, partitions, created_at) VALUES ('c', 't', 'i', 3, NOW())`)
	require.NoError(t, err)
	v := 8.0
	for source, st := range map[string]engine.Status{
		"p0": {Pending: []engine.Pending{{RuleID: "1", Version: 1, Fingerprint: fp(7), Labels: map[string]string{"service": "web", "zone": "eu"}, Since: now.Add(-20 * time.Second).UnixNano(), Fires: now.Add(time.Minute).UnixNano(), Value: &v}}},
		"g":  {Pending: []engine.Pending{{RuleID: "1", Version: 1, Fingerprint: fp(8), Labels: map[string]string{}, Since: now.Add(-10 * time.Second).UnixNano(), Fires: now.Add(time.Minute).UnixNano()}, {RuleID: "99", Fingerprint: fp(9)}}},
	} {
		raw, err := json.Marshal(st)
		require.NoError(t, err)
		_, err = db.Text.Exec(`INSERT INTO alert_status (stream_id, source, status, updated_at) VALUES (1, ?, ?, NOW())`, source, string(raw))
		require.NoError(t, err)
	}
	return es
}

func TestAlertsAreFound(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	alerts(t, db, time.Now().UTC())
	code, _, all := call(t, "GET", url+"/api/alerts", "")
	require.Equal(t, 200, code, all)
	documented(t, url, "Alerts", all)
	require.Equal(t, "p8 p7 5 4 3 2 1", ids(t, all), "what fires is there however old it is")
	for filter, want := range map[string]string{
		"state=pending": "p8 p7", "state=resolved": "4 3 2", "state=active,pending": "p8 p7 5 1", "severity=low": "5 4 3", "service=web&state=active,resolved": "4 3 1", "service=web": "p7 4 3 1",
		"team=pay": "5 4 3", "rule=1": "p8 p7 2 1", "rule=slow": "4 3", "rule=O'Brien": "5", "rule=2": "4 3", "label=zone=eu": "p7 4 2", "label=zone%3D": "p8 1", "label=zone!=eu": "p8 5 3 1",
		"label=zone=eu&label=service=web": "p7 4", `label=zone=a"b`: "5", "label=zone=eu'+OR+1=1--": "", "silenced=true": "5", "silenced=false&state=active": "1",
		"start=now-90m": "p8 p7 5 4 1", "end=now-150m": "2 1", "start=now-30d": "p8 p7 5 4 3 2 6 1", "rule=slow'+OR+'1'='1": "",
	} {
		_, _, got := call(t, "GET", url+"/api/alerts?"+filter, "")
		require.Equal(t, want, ids(t, got), filter)
	}
	for limit := 1; limit < 5; limit++ {
		var pages []string
		cursor := ""
		for range 10 {
			_, _, got := call(t, "GET", fmt.Sprintf("%s/api/alerts?limit=%d&cursor=%s", url, limit, cursor), "")
			pages = append(pages, ids(t, got))
			if cursor = got["next_cursor"].(string); cursor == "" {
				break
			}
		}
		require.Equal(t, "p8 p7 5 4 3 2 1", strings.TrimSpace(strings.Join(pages, " ")), "in pages of %d", limit)
	}
	_, _, got := call(t, "GET", url+"/api/alerts/active", "")
	require.Equal(t, "5 1", ids(t, got))
	_, _, got = call(t, "GET", url+"/api/alerts/active?limit=1", "")
	_, _, got = call(t, "GET", url+"/api/alerts/active?limit=1&cursor="+got["next_cursor"].(string), "")
	require.Equal(t, "1", ids(t, got))
	for _, bad := range []string{"state=open", "severity=worst", "label=zone", "label=zone=~eu", "label=a-b=c", "silenced=perhaps", "cursor=x", "nonsense=1", "start=soon"} {
		code, _, _ = call(t, "GET", url+"/api/alerts?"+bad, "")
		require.Equal(t, 400, code, bad)
	}
}

func TestPendingAlertsAreShown(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	alerts(t, db, time.Now().UTC())
	code, _, got := call(t, "GET", url+"/api/alerts/"+fp(7)+"-pending", "")
	require.Equal(t, 200, code, got)
	documented(t, url, "AlertDetail", got)
	require.Equal(t, []any{"pending", "High error rate", 8.0, "web"}, []any{got["status"], got["rule_name"], got["value"], got["service"]})
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+fp(7)+"-pending/acknowledge", `{"who":"ann"}`)
	require.Equal(t, 409, code, "it does not fire")
	code, _, _ = call(t, "GET", url+"/api/alerts/"+fp(1)+"-pending", "")
	require.Equal(t, 404, code)
	_, err := db.Text.Exec(`UPDATE alert_rule SET definition = JSON_SET(definition, '$.enabled', true), updated_at = UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE WHERE id IN (1, 2)`)
	require.NoError(t, err)
	_, err = db.Text.Exec(`INSERT INTO alert_watch (stream_id, epoch, owner, checked_at) VALUES (1, 1, 'x', UTC_TIMESTAMP(6))`)
	require.NoError(t, err)
	_, err = db.Text.Exec(`INSERT INTO alert_problem (stream_id, kind, part, service, rule_id, since_ns, event_ns, detail, fingerprint) VALUES (1, 'error', -1, '', 2, 5, 0, 'it does not compile', '')`)
	require.NoError(t, err)
	_, _, got = call(t, "GET", url+"/api/alert-rules", "")
	var states []any
	for _, r := range got["rules"].([]any) {
		states = append(states, r.(map[string]any)["state"])
	}
	require.Equal(t, []any{"firing", "error", "disabled", "disabled"}, states[:4])
}

func TestAlertHistory(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	now := time.Now().UTC().Add(-time.Hour).Truncate(time.Millisecond)
	e := episode{fp: fp(1), starts: now, lasts: 20 * time.Minute, rule: 1, name: "errors", severity: "high", service: "web", reason: "manual"}
	before := e
	before.starts = now.Add(-time.Hour)
	e.write(t, db)
	before.happened(t, db, 1, contract.AlertFiring, 0, 1, nil)
	value := func(v float64) func(*contract.AlertData) { return func(d *contract.AlertData) { d.Value = &v } }
	e.happened(t, db, 2, contract.AlertFiring, 0, 2, func(d *contract.AlertData) { value(5)(d); d.Early = true })
	e.happened(t, db, 3, contract.AlertUpdated, time.Minute, 1, func(d *contract.AlertData) { d.Annotations["silenced_by"] = "4" })
	e.happened(t, db, 4, contract.AlertUpdated, 2*time.Minute, 1, func(d *contract.AlertData) { d.Annotations["silenced_by"] = "4"; d.Severity = "critical" })
	e.happened(t, db, 5, contract.AlertUpdated, 3*time.Minute, 1, func(d *contract.AlertData) { d.Severity = "critical" })
	e.happened(t, db, 6, contract.AlertUpdated, 4*time.Minute, 1, func(d *contract.AlertData) { d.Severity = "critical"; d.Annotations["acknowledged_by"] = "ann" })
	e.happened(t, db, 7, contract.AlertFiring, 10*time.Minute, 1, func(d *contract.AlertData) { d.Severity, d.Reason = "critical", "renotify" })
	e.happened(t, db, 8, contract.AlertResolved, 20*time.Minute, 1, func(d *contract.AlertData) { d.Severity, d.Reason = "critical", "manual" })
	for i, c := range []string{"acknowledge", "note", "resolve"} {
		_, err := db.Text.Exec(`INSERT INTO alert_command (seq, effective_ns, kind, fingerprint, starts_ns, who, note, created_at) VALUES (?, 1, ?, ?, ?, 'ann', ?, ?)`, i+1, c, e.fp, e.starts.UnixNano(), []string{"", "the disk", ""}[i], now.Add(time.Duration(4+i*5)*time.Minute+time.Second))
		require.NoError(t, err)
	}
	code, _, got := call(t, "GET", url+"/api/alerts/"+e.id(), "")
	require.Equal(t, 200, code, got)
	documented(t, url, "AlertDetail", got)
	var lines []string
	for _, h := range got["history"].([]any) {
		m := h.(map[string]any)
		at, err := time.Parse(time.RFC3339Nano, m["at"].(string))
		require.NoError(t, err)
		delete(m, "at")
		what := m["what"]
		delete(m, "what")
		lines = append(lines, fmt.Sprintf("%s %v %v", at.Sub(now).Truncate(time.Minute), what, m))
	}
	require.Equal(t, []string{
		"0s firing map[early:true reason:manual severity:high value:5 withheld:true]",
		"0s confirmed map[value:9]",
		"1m0s silenced map[silence:4 value:9]",
		"2m0s severity map[severity:critical value:9]",
		"3m0s unsilenced map[silence:4 value:9]",
		"4m0s acknowledge map[who:ann]",
		"9m0s note map[note:the disk who:ann]",
		"10m0s renotified map[value:9]",
		"14m0s resolve map[who:ann]",
		"20m0s resolved map[reason:manual value:9]",
	}, lines)
	require.Equal(t, []any{5.0, 9.0, "the disk", "ann", "errors is high"}, []any{got["early_value"], got["value"], got["note"], got["acknowledged_by"], got["summary"]})
	require.Equal(t, map[string]any{"self": "/api/alerts/" + e.id(), "rule": "/api/alert-rules/1", "logs": "/api/logs?start=1"}, got["links"])

	_, err := db.Text.Exec(`DELETE FROM alert_outbox`) // housekeeping
	require.NoError(t, err)
	_, _, got = call(t, "GET", url+"/api/alerts/"+e.id(), "")
	h := got["history"].([]any)
	require.Equal(t, []any{"firing", "resolved"}, []any{h[0].(map[string]any)["what"], h[len(h)-1].(map[string]any)["what"]})
}

func TestAlertStats(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	now := time.Now().UTC()
	es := alerts(t, db, now)
	for i, d := range []time.Duration{30 * time.Second, 90 * time.Second} {
		_, err := db.Text.Exec(`INSERT INTO alert_command (seq, effective_ns, kind, fingerprint, starts_ns, who, note, created_at) VALUES (?, 1, 'acknowledge', ?, ?, 'ann', '', ?)`, i+1, es[i+3].fp, es[i+3].starts.UnixNano(), es[i+3].starts.Add(d))
		require.NoError(t, err)
	}
	code, _, got := call(t, "GET", fmt.Sprintf("%s/api/alerts/stats?step=1h&start=%d&end=%d", url, now.Add(-4*time.Hour).Unix(), now.Unix()), "")
	require.Equal(t, 200, code, got)
	documented(t, url, "AlertStats", got)
	require.Equal(t, 4.0, got["total"])
	require.Equal(t, map[string]any{"resolved": 3.0, "acknowledged": 1.0, "pending": 2.0}, got["by_status"])
	require.Equal(t, map[string]any{"high": 1.0, "low": 3.0}, got["by_severity"])
	require.Equal(t, map[string]any{"errors": 1.0, "slow": 2.0, "O'Brien": 1.0}, got["by_rule"])
	require.Equal(t, map[string]any{"shop": 1.0, "pay": 3.0}, got["by_team"])
	require.Equal(t, 1.0, got["silenced"])
	require.InDelta(t, 60, got["mean_seconds_to_acknowledge"], 0.01)
	require.InDelta(t, 120, got["mean_seconds_to_resolve"], 0.01, "a minute and three; not the hour that a deletion ended")
	points := got["points"].([]any)
	require.GreaterOrEqual(t, len(points), 4)
	total := 0.0
	for i, p := range points {
		m := p.(map[string]any)
		total += m["total"].(float64)
		at, err := time.Parse(time.RFC3339, m["time"].(string))
		require.NoError(t, err)
		require.Equal(t, now.Add(-4*time.Hour).Truncate(time.Hour).Add(time.Duration(i)*time.Hour), at, "aligned, without holes")
		if at.Equal(es[3].starts.Truncate(time.Hour)) {
			require.Equal(t, map[string]any{"low": 2.0}, m["by_severity"])
			require.InDelta(t, 30, m["mean_seconds_to_acknowledge"], 0.01)
			require.InDelta(t, 180, m["mean_seconds_to_resolve"], 0.01)
		}
	}
	require.Equal(t, 4.0, total)
	_, _, got = call(t, "GET", url+"/api/alerts/stats?team=shop&state=resolved&start=now-30d", "")
	require.Equal(t, []any{2.0, map[string]any{"resolved": 2.0}}, []any{got["total"], got["by_status"]})
	require.Nil(t, got["points"])
	for _, bad := range []string{"step=0", "step=1s", "step=x", "start=now&end=now-1h", "limit=1"} {
		code, _, _ = call(t, "GET", url+"/api/alerts/stats?"+bad, "")
		require.Equal(t, 400, code, bad)
	}
}
