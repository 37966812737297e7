package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// call sends JSON and returns the answer's status, headers and body.
func call(t *testing.T, method, url, body string, headers ...string) (int, http.Header, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, url, bytes.NewBufferString(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var out map[string]any
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &out), string(raw))
	}
	return resp.StatusCode, resp.Header, out
}

// documented checks an answer against a schema of the OpenAPI document.
func documented(t *testing.T, base, schema string, answer map[string]any) {
	t.Helper()
	_, doc := get(t, base+"/api/openapi.json")
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mem://openapi.json", parsed))
	s, err := c.Compile("mem://openapi.json#/components/schemas/" + schema)
	require.NoError(t, err)
	require.NoError(t, s.Validate(answer))
}

const seedRule = `{"name":"high error rate","description":"d","condition":"COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)","operator":">=","threshold":5,"time_window":5,"severity":"high","enabled":true}`

func TestRuleLifeCycle(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	rules := url + "/api/alert-rules"
	code, h, made := call(t, "POST", rules, seedRule)
	require.Equal(t, 201, code, made)
	one, tag := url+h.Get("Location"), h.Get("ETag")
	code, _, _ = call(t, "POST", rules, seedRule)
	require.Equal(t, 409, code, "the name is taken")
	code, _, got := call(t, "PUT", one, `{"name":"high error rate","condition":"COUNT(*)","threshold":7,"time_window":"90s"}`, "If-Match", `"77", `+tag)
	require.Equal(t, 200, code, got)
	documented(t, url, "StoredRule", got)
	require.Equal(t, "1m30s", got["time_window"])
	code, _, _ = call(t, "PUT", one, seedRule, "If-Match", `"1"`)
	require.Equal(t, 412, code, "somebody else was faster")
	code, _, _ = call(t, "DELETE", one, "", "If-Match", `"somebody else's"`)
	require.Equal(t, 412, code)
	_, h, got = call(t, "GET", one, "")
	code, _, _ = call(t, "GET", one, "", "If-None-Match", h.Get("ETag"))
	require.Equal(t, 304, code)
	code, _, _ = call(t, "GET", one, "", "If-None-Match", tag)
	require.Equal(t, 200, code)
	delete(got, "description")
	raw, err := json.Marshal(got)
	require.NoError(t, err)
	code, h2, got := call(t, "PUT", one, string(raw), "If-Match", "*")
	require.Equal(t, 200, code, "what GET answered may come back")
	require.Equal(t, 2.0, got["version"], "nothing was changed: no version")
	require.Equal(t, h.Get("ETag"), h2.Get("ETag"))
	code, _, got = call(t, "GET", rules, "")
	require.Equal(t, 200, code)
	require.Len(t, got["rules"], 9, "with the eight samples")
	documented(t, url, "Rules", got)
	for filter, want := range map[string]int{"enabled=true": 1, "enabled=false": 8, "severity=high": 4, "severity=high,critical&enabled=false": 6, "name=Fatal+logs": 1, "name=fatal+logs": 0, "name=*ERROR+rate": 3, "name=*%25*": 0, "team=x": 0} {
		_, _, got = call(t, "GET", rules+"?"+filter, "")
		require.Len(t, got["rules"], want, filter)
	}
	code, _, _ = call(t, "DELETE", one, "")
	require.Equal(t, 204, code)
	code, _, _ = call(t, "GET", one, "")
	require.Equal(t, 404, code)
	code, _, _ = call(t, "POST", rules, seedRule)
	require.Equal(t, 201, code, "the name is free again")
	_, _, got = call(t, "GET", one+"/versions", "")
	documented(t, url, "RuleVersions", got)
	var history []string
	for _, v := range got["versions"].([]any) {
		m := v.(map[string]any)
		history = append(history, fmt.Sprint(m["version"], m["deleted"], m["changed"], m["rule"].(map[string]any)["threshold"]))
	}
	require.Equal(t, []string{"3 true [] 7", "2 false [condition description severity threshold time_window] 7", "1 false [] 5"}, history, "they stay readable")
	_, _, got = call(t, "GET", one+"/versions?limit=2", "")
	_, _, got = call(t, "GET", one+"/versions?limit=2&cursor="+got["next_cursor"].(string), "")
	require.Len(t, got["versions"], 1)
	code, _, _ = call(t, "GET", rules+"/99/versions", "")
	require.Equal(t, 404, code)
	var versions, seq int
	require.NoError(t, db.Text.QueryRow(`SELECT COUNT(*), MAX(seq) FROM rule_version`).Scan(&versions, &seq))
	require.Equal(t, []int{12, 12}, []int{versions, seq}, "each version is kept, and refused changes take no number")
}

func TestRuleMistakesNameTheirFields(t *testing.T) {
	t.Parallel()
	url, _ := api(t)
	for body, want := range map[string]string{
		`{"name":"x","condition":"COUNT(*); DROP TABLE block","threshold":1}`:               `at 9: unexpected character`,
		`{"name":"x","condition":"AVG(respose_time_ms)","threshold":1}`:                     `did you mean response_time_ms?`,
		`{"name":"x","condition":"COUNT(*)","threshold":1,"time_window":0.001}`:             `must be between 1s and 24h`,
		`{"name":"x","condition":"COUNT(*)","threshold":1,"thresold":2}`:                    `unknown field`,
		`{"name":"x","condition":"COUNT(*)","threshold":"NaN"}`:                             `must be a number, not string`,
		`{"name":"","condition":"COUNT(*)","threshold":1,"severity":"bad"}`:                 `is not one of low medium high critical`,
		`{"name":"x","condition":"COUNT(*)","threshold":1,"group_by":["response_time_ms"]}`: `group by a column of texts`,
		`{"name":"x","condition":"COUNT(*)","threshold":1,"filter":"COUNT(*) > 1"}`:         `cannot aggregate`,
		`{"name":"x","condition":"COUNT(*)","threshold":1,"resolve_threshold":2}`:           `must not be above the threshold`,
		`{"name":"x","condition":"SELECT 1","threshold":1}`:                                 `SELECT cannot stand here`,
	} {
		code, _, got := call(t, "POST", url+"/api/alert-rules", body)
		raw, err := json.Marshal(got)
		require.NoError(t, err)
		require.Equal(t, 400, code, body)
		require.Contains(t, string(raw), want, body)
		code, _, got = call(t, "POST", url+"/api/alert-rules/validate", body)
		require.Equal(t, 200, code)
		require.Equal(t, false, got["valid"])
		require.NotEmpty(t, got["errors"])
	}
	_, _, got := call(t, "POST", url+"/api/alert-rules/validate", `{"name":"x","condition":"COUNT(*) + AVG(tme)","filter":"level = ","threshold":1}`)
	documented(t, url, "Validation", got)
	require.ElementsMatch(t, []any{
		map[string]any{"field": "filter", "reason": "at 9: expected a value, a column or a function, not the end", "pos": 9.0},
		map[string]any{"field": "condition", "reason": "at 16: unknown column tme; free attributes are written attributes['tme']", "pos": 16.0, "len": 3.0},
	}, got["errors"], "places for editors")
	code, _, got := call(t, "POST", url+"/api/alert-rules/validate", seedRule)
	require.Equal(t, 200, code)
	require.Equal(t, true, got["valid"])
	require.Contains(t, got["explain"], "the number of lines where level is 'error'")
	require.Len(t, got["warnings"], 1, "a ratio of single lines")
	for _, path := range []string{"/api/alerts?state=open", "/api/alerts?cursor=x", "/api/alerts?nonsense=1"} {
		code, _, _ = call(t, "GET", url+path, "")
		require.Equal(t, 400, code, path)
	}
}

func TestAlertsAreHandled(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	const fp = "0123456789abcdef0123456789abcdef"
	_, err := db.Text.Exec(`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, rule_id, rule_version, rule_name, team, severity, service, value, peak, reason, note, event, updated_at)
VALUES (?, UNIX_TIMESTAMP() * 1000000000, 0, 1, 1, 'r', 'shop', 'high', 'web', 9, 9, 'condition', '', '{"labels":{"service":"web"},"condition":{"operator":">","threshold":5},"evidence":[{"message":"m"}]}', NOW())`, fp)
	require.NoError(t, err)
	code, _, got := call(t, "GET", url+"/api/alerts/active?team=shop", "")
	require.Equal(t, 200, code)
	require.Len(t, got["alerts"], 1)
	id := got["alerts"].([]any)[0].(map[string]any)["id"].(string)
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/acknowledge", `{}`)
	require.Equal(t, 400, code, "who?")
	code, _, got = call(t, "PUT", url+"/api/alerts/"+id+"/acknowledge", `{"who":"ann","note":"mine"}`)
	require.Equal(t, 200, code, got)
	require.Equal(t, "acknowledged", got["status"])
	require.Equal(t, "ann", got["acknowledged_by"])
	require.Len(t, got["history"], 2)
	code, _, got = call(t, "PUT", url+"/api/alerts/"+id+"/acknowledge", `{"who":"bob"}`)
	require.Equal(t, 409, code, "the second hears who was first")
	require.Contains(t, got["detail"], "by ann")
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/note", `{"who":"bob"}`)
	require.Equal(t, 400, code, "an empty note")
	code, _, got = call(t, "PUT", url+"/api/alerts/"+id+"/note", `{"who":"bob","note":"it is the disk"}`)
	require.Equal(t, 200, code)
	require.Equal(t, []any{"it is the disk", "ann"}, []any{got["note"], got["acknowledged_by"]})
	_, _, got = call(t, "GET", url+"/api/alerts/stats", "")
	require.Equal(t, map[string]any{"acknowledged": 1.0}, got["by_status"])
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/resolve", `{"who":"ann"}`)
	require.Equal(t, 200, code)
	for _, kind := range []string{"resolve", "acknowledge"} {
		code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/"+kind, `{"who":"bob"}`)
		require.Equal(t, 409, code, "it is being resolved: %s", kind)
	}
	_, err = db.Text.Exec(`UPDATE alert_instance SET ends_ns = starts_ns + 1`) // the evaluator does
	require.NoError(t, err)
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/resolve", `{"who":"ann"}`)
	require.Equal(t, 409, code)
	code, _, _ = call(t, "PUT", url+"/api/alerts/"+id+"/note", `{"who":"ann","note":"post mortem"}`)
	require.Equal(t, 200, code, "a note may come after the end")
	code, _, _ = call(t, "GET", url+"/api/alerts/nothing", "")
	require.Equal(t, 404, code)
	_, _, got = call(t, "GET", url+"/api/alerts?state=resolved&severity=high", "")
	require.Len(t, got["alerts"], 1)
}

// TestSampleRules: each of the eight is a good rule, disabled until somebody enables it.
func TestSampleRules(t *testing.T) {
	t.Parallel()
	url, _ := api(t)
	_, _, got := call(t, "GET", url+"/api/alert-rules", "")
	rules := got["rules"].([]any)
	require.Len(t, rules, 8)
	for _, r := range rules {
		m := r.(map[string]any)
		require.Equal(t, false, m["enabled"])
		id := fmt.Sprintf("%s/api/alert-rules/%.0f", url, m["id"])
		for _, k := range []string{"id", "version", "created_at", "updated_at"} {
			delete(m, k)
		}
		m["enabled"] = true
		body, err := json.Marshal(m)
		require.NoError(t, err)
		code, _, answer := call(t, "PUT", id, string(body), "If-Match", `"1"`)
		require.Equal(t, 200, code, answer)
		require.Equal(t, true, answer["enabled"])
	}
}
