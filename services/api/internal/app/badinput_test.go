package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused checks that an answer is problem+json of a status whose mistakes name the field, and returns the reason.
func refused(t *testing.T, status int, field, method, url, body string) string {
	t.Helper()
	code, h, got := call(t, method, url, body)
	about := body[:min(len(body), 200)]
	require.Equal(t, status, code, "%s: %v", about, got)
	require.Equal(t, "application/problem+json", h.Get("Content-Type"), about)
	documented(t, strings.Split(url, "/api/")[0], "Problem", got)
	if field == "" {
		return fmt.Sprint(got["detail"])
	}
	errors, _ := got["errors"].([]any)
	require.NotEmpty(t, errors, "%s: %v", about, got)
	first := errors[0].(map[string]any)
	require.Equal(t, field, first["field"], "%s: %v", about, got)
	return first["reason"].(string)
}

func ruleWith(t *testing.T, field string, value any) string {
	t.Helper()
	r := map[string]any{"name": "x", "condition": "COUNT(*)", "threshold": 1}
	r[field] = value
	raw, err := json.Marshal(r)
	require.NoError(t, err)
	return string(raw)
}

// TestBadInput: whatever is sent, the answer says which field is wrong, where, and what would be right; nothing else is harmed.
func TestBadInput(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	rules := url + "/api/alert-rules"
	tables := func() (n int) {
		require.NoError(t, db.Text.QueryRow(`SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()`).Scan(&n))
		return n
	}
	before := tables()

	for condition, want := range map[string]string{
		"COUNT(*); DROP TABLE block":                  "at 9: unexpected character “;”",
		"COUNT(*) -- all":                             "at 10: ",
		"COUNT(*) /* all */":                          "at 10: ",
		"COUNT(*) # all":                              "at 10: unexpected character “#”",
		"(SELECT MAX(id) FROM block)":                 "at 2: SELECT cannot stand here",
		"COUNT(*) UNION SELECT 1":                     "at 10: ",
		"COUNT(*) INTO OUTFILE '/tmp/x'":              "at 10: ",
		"SLEEP(10)":                                   "at 1: unknown function SLEEP",
		"MAX(LOAD_FILE('/etc/passwd'))":               "at 5: unknown function LOAD_FILE",
		"MAX(BENCHMARK(1000000000, MD5('x')))":        "at 27: unknown function MD5",
		"COUNT(@@version)":                            "at 7: unexpected character “@”",
		"COUNT(`id`)":                                 "at 7: ",
		"COUNT(block.id)":                             "at 7: ",
		"COUNT(CASE WHEN message = 'it THEN 1 END)":   "at 27: ",
		"COUNT(CASE WHEN '' OR 1=1 --' THEN 1 END)":   "",
		"AVG(respose_time_ms)":                        "did you mean response_time_ms?",
		"AVG(duration_ms)":                            "did you mean response_time_ms?",
		"COUNT(status)":                               "did you mean response_status?",
		"COUNT(sevice)":                               "did you mean service?",
		"COUNT(timestamp)":                            "a rule sees time through its window",
		"COUNT(CASE WHEN level = 'ERROR' THEN 1 END)": "did you mean 'error'?",
		"RAND()":           "RAND",
		"NOW()":            "NOW",
		"AVG(COUNT(*))":    "",
		"response_time_ms": "",
		"SUM(message)":     "",
		"COUNT(*) > ":      "at 12: ",
		"":                 "at 1: ",
		"COUNT(CASE WHEN message REGEXP '(' THEN 1 END)":               "",
		"COUNT(*)" + strings.Repeat(" ", 4097-8):                       "4096",
		strings.Repeat("(", 65) + "COUNT(*)" + strings.Repeat(")", 65): "64",
		strings.Repeat("-", 5000) + "1":                                "4096",
		"COUNT(*)\x00":                                                 "",
	} {
		reason := refused(t, 400, "condition", "POST", rules, ruleWith(t, "condition", condition))
		require.Contains(t, reason, want, condition[:min(len(condition), 80)])
		require.Regexp(t, `^at \d+: `, reason, "%s: every mistake in a text has its place", condition[:min(len(condition), 80)])
	}
	refused(t, 400, "filter", "POST", rules, ruleWith(t, "filter", "service = 'a' OR (SELECT 1)"))
	refused(t, 400, "group_by", "POST", rules, ruleWith(t, "group_by", []string{"service; DROP TABLE block"}))
	for _, fits := range []string{"COUNT(*)" + strings.Repeat(" ", 4096-8), strings.Repeat("(", 60) + "COUNT(*)" + strings.Repeat(")", 60)} {
		code, _, got := call(t, "POST", rules+"/validate?estimate=false", ruleWith(t, "condition", fits))
		require.Equal(t, 200, code)
		require.Equal(t, true, got["valid"], got)
	}

	for body, field := range map[string]string{
		`{"name":"x","condition":"COUNT(*)","threshold":NaN}`:                                   "body",
		`{"name":"x","condition":"COUNT(*)","threshold":Infinity}`:                              "body",
		`{"name":"x","condition":"COUNT(*)","threshold":1e999}`:                                 "threshold",
		`{"name":"x","condition":"COUNT(*)","threshold":"Inf"}`:                                 "threshold",
		`{"name":"x","condition":"COUNT(*)","resolve_threshold":"NaN"}`:                         "resolve_threshold",
		`{"name":"x","condition":"COUNT(*)","threshold":1,"thresold":2}`:                        "thresold",
		`{"name":"x","condition":"COUNT(*)","threshold":1,"time_window":-1}`:                    "time_window",
		`{"name":"x","condition":"COUNT(*)","threshold":1,"time_window":"1y"}`:                  "time_window",
		`{"name":"x","condition":"COUNT(*)","threshold":1,"labels":{"a b":""}}`:                 "labels",
		`{"name":"x","condition":"COUNT(*)","threshold":1,"runbook_url":"javascript:alert(1)"}`: "runbook_url",
		`{"name":"` + strings.Repeat("n", 201) + `","condition":"COUNT(*)","threshold":1}`:      "name",
		`not json`: "body", ``: "body", `[1]`: "body", `{"name":"x"}{}`: "body", strings.Repeat("[", 50000): "body",
	} {
		refused(t, 400, field, "POST", rules, body)
		code, _, got := call(t, "POST", rules+"/validate", body)
		require.Equal(t, 200, code)
		require.Equal(t, field, got["errors"].([]any)[0].(map[string]any)["field"])
	}
	require.Contains(t, refused(t, 400, "thresold", "POST", rules, ruleWith(t, "thresold", 2)), "did you mean threshold?")

	big := ruleWith(t, "description", strings.Repeat("d", 1<<20))
	for _, route := range []string{"POST /api/alert-rules", "PUT /api/alert-rules/1", "POST /api/alert-rules/validate", "POST /api/alert-rules/backtest", "POST /api/silences", "PUT /api/alerts/x-1/note"} {
		method, path, _ := strings.Cut(route, " ")
		refused(t, 413, "", method, url+path, big)
	}
	refused(t, 400, "description", "POST", rules, ruleWith(t, "description", strings.Repeat("d", 1<<19)))

	_, _, page := call(t, "GET", rules+"?limit=1", "")
	cursor := page["next_cursor"].(string)
	for _, list := range []string{"/api/alerts", "/api/silences", "/api/audit", "/api/alert-rules/1/versions", "/api/logs"} {
		refused(t, 400, "cursor", "GET", url+list+"?cursor="+cursor, "")
	}
	for _, forged := range []string{"x", "1", "MQ", cursor + "A", strings.ToUpper(cursor), "%00", strings.Repeat("A", 10000)} {
		refused(t, 400, "cursor", "GET", rules+"?cursor="+forged, "")
	}
	for path, field := range map[string]string{"/api/alerts?service=%ff": "service", "/api/alerts?label=a%ff=b": "label", "/api/alert-rules?team=%fe": "team", "/api/audit?who=%ff": "who", "/api/alerts?limit=99999999999999999999": "limit", "/api/alerts/stats?step=-1h": "step"} {
		refused(t, 400, field, "GET", url+path, "")
	}
	for _, path := range []string{"/api/alert-rules/0", "/api/alert-rules/1'--", "/api/alert-rules/99999999999999999999", "/api/alerts/x", "/api/alerts/" + strings.Repeat("a", 32) + "-x", "/api/silences/-1", "/api/backtests/x"} {
		refused(t, 404, "", "GET", url+path, "")
	}

	const name = `'); DROP TABLE alert_rule; -- " \ % _`
	code, h, _ := call(t, "POST", rules, ruleWith(t, "name", name))
	require.Equal(t, 201, code, "a name is a text")
	_, _, got := call(t, "GET", url+h.Get("Location"), "")
	require.Equal(t, name, got["name"])
	require.Equal(t, before, tables())
	_, _, got = call(t, "GET", rules, "")
	require.Len(t, got["rules"], 9, "the others are unharmed")
}
