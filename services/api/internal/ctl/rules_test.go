package ctl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/mysqlx"
)

const shopRules = `groups:
  - name: checkout
    team: shop
    defaults: {filter: service = 'checkout', severity: high}
    rules:
      - name: checkout errors
        condition: COUNT(CASE WHEN level = 'error' THEN 1 END)
        threshold: 5
        time_window: 1m
        annotations:
          summary: |
            checkout declines payments
            look at the provider first
      - name: checkout is slow
        condition: P95(response_time_ms)
        operator: ">"
        threshold: 800
        for: 2m
`

func TestRulesCheck(t *testing.T) {
	t.Parallel()
	s := newShell(t, "http://127.0.0.1:1")
	s.file("shop.yaml", shopRules)
	s.file("bad.yaml", strings.NewReplacer("level =", "levle =", "threshold: 800", "treshold: 800", "checkout is slow", "checkout errors").Replace(shopRules))
	golden(t, "check-good.txt", s.ok("rules", "check", "shop.yaml")+s.ok("rules", "check", "--explain", "shop.yaml")+s.ok("rules", "check", "--explain", "-o", "json", "shop.yaml"))
	code, out, errs := s.run("rules", "check", "shop.yaml", "bad.yaml")
	require.Equal(t, []any{exitNo, ""}, []any{code, out})
	golden(t, "check-bad.txt", errs)
	code, out, errs = s.run("rules", "check", "-o", "json", "bad.yaml")
	require.Equal(t, []any{exitNo, ""}, []any{code, errs})
	golden(t, "check-bad.json", out)
	s.file("ratio.yaml", strings.Replace(shopRules, "COUNT(CASE WHEN level = 'error' THEN 1 END)", "COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)", 1))
	code, out, errs = s.run("rules", "check", "ratio.yaml")
	const warning = "ratio.yaml:6:9: warning: min_samples: is 1: a single line is 0 or 100 percent; 20 is usual\n"
	require.Equal(t, []any{exitOK, "ratio.yaml: 2 rules, no mistakes\n", warning}, []any{code, out, errs})
	require.Contains(t, s.fails(exitNo, "rules", "check", "--strict", "ratio.yaml"), warning)
	s.in = shopRules
	require.Equal(t, "-: 2 rules, no mistakes\n", s.ok("rules", "check", "-"))
	for name, schema := range map[string]string{"rules": "Logmill alert rules", "tests": "Tests of Logmill alert rules"} {
		require.Contains(t, s.ok("rules", "schema", name), schema)
	}
}

const shopTests = `rule_files: [shop.yaml]
tests:
  - name: five errors fire
    input:
      - {at: 5s, every: 1s, times: 6, line: {service: checkout, level: error, message: declined}}
    alerts:
      - {at: 8s, rule: checkout errors, expect: []}
      - {at: 1m, rule: checkout errors, expect: [{value: 6, since: 9s, labels: {service: checkout}}]}
  - name: this test is wrong
    input:
      - {file: lines.ndjson}
    alerts:
      - {at: 5m, expect: [{labels: {service: cart}}, {labels: {alertname: checkout is slow}, value: 1000, status: firing}]}
`

func TestRulesTest(t *testing.T) {
	t.Parallel()
	s := newShell(t, "http://127.0.0.1:1")
	s.file("shop.yaml", shopRules)
	s.file("shop_test.yaml", shopTests)
	s.file("lines.ndjson", strings.Repeat(`{"service":"checkout","duration_ms":900}`+"\n", 20))
	require.Equal(t, "1 test: 1 passed, 0 failed\n", s.ok("rules", "test", "--run", "^five", "shop_test.yaml"))
	golden(t, "test.txt", s.fails(exitNo, "rules", "test", "-v", "--junit", "report.xml", "shop_test.yaml"))
	golden(t, "test.xml", s.text("report.xml"))
	golden(t, "test.json", s.fails(exitNo, "rules", "test", "-o", "json", "shop_test.yaml"))
	require.Contains(t, s.fails(exitUsage, "rules", "test", "--run", "nothing", "shop_test.yaml"), "no test was run")
	require.Contains(t, s.fails(exitUsage, "rules", "test", "--run", "(", "shop_test.yaml"), "--run: error parsing regexp")
	s.file("shop.yaml", strings.Replace(shopRules, "threshold: 5", "threshold: x", 1))
	require.Contains(t, s.fails(exitNo, "rules", "test", "shop_test.yaml"), `shop.yaml:8:20: must be a number, not "x"`, "no test of rules that cannot be read")
	s.file("shop_test.yaml", strings.Replace(shopTests, "expect", "expected", 1))
	require.Contains(t, s.fails(exitNo, "rules", "test", "shop_test.yaml"), `there is no field "expected" here (did you mean expect?)`)
}

// TestRulesOnAServer is the life of a rule file.
func TestRulesOnAServer(t *testing.T) {
	t.Parallel()
	base, db := server(t)
	s := newShell(t, base)
	s.file("shop.yaml", shopRules)
	golden(t, "diff-new.txt", s.fails(exitNo, "rules", "diff", "shop.yaml"))
	require.Equal(t, s.fails(exitNo, "rules", "diff", "shop.yaml"), s.ok("rules", "apply", "--dry-run", "shop.yaml"), "a dry run shows the difference and is no failure")
	golden(t, "apply.txt", s.ok("rules", "apply", "shop.yaml"))
	require.Equal(t, "no differences\n", s.ok("rules", "diff", "--prune", "shop.yaml"))
	require.Equal(t, "0 changes applied\n", s.ok("rules", "apply", "shop.yaml"))
	golden(t, "list.txt", s.ok("rules", "list", "--team", "shop"))
	var author string
	require.NoError(t, db.Text.QueryRow(`SELECT DISTINCT author FROM rule_version WHERE rule_id > 8`).Scan(&author))
	require.Equal(t, "ann", author)

	changed := strings.NewReplacer("threshold: 5", "threshold: 7", "look at the provider first", "look at the bank first", "    severity: high", "", "checkout is slow", "checkout is very slow").Replace(shopRules)
	s.file("shop.yaml", changed)
	golden(t, "diff-changed.txt", s.fails(exitNo, "rules", "diff", "--prune", "shop.yaml"))
	golden(t, "diff-changed.json", s.fails(exitNo, "rules", "diff", "--prune", "-o", "json", "shop.yaml"))
	golden(t, "apply-changed.txt", s.ok("rules", "apply", "--prune", "shop.yaml"))
	require.Equal(t, "no differences\n", s.ok("rules", "diff", "--prune", "shop.yaml"))

	t.Run("export applies back to no difference", func(t *testing.T) {
		s.ok("rules", "export", "all.yaml")
		require.Equal(t, "no differences\n", s.ok("rules", "diff", "--prune", "all.yaml"))
		require.Contains(t, s.text("all.yaml"), "name: Fatal logs", "the samples, which are nobody's, are in it")
		golden(t, "export.yaml", s.ok("rules", "export", "--team", "shop", "--group", "checkout"))
		require.Equal(t, "all.yaml: 10 rules, no mistakes\n", s.ok("rules", "check", "all.yaml"))
	})
	t.Run("another team's rule stops everything", func(t *testing.T) {
		s.file("ops.yaml", strings.NewReplacer("team: shop", "team: ops", "checkout is slow", "new").Replace(shopRules))
		said := s.fails(exitNo, "rules", "apply", "ops.yaml")
		require.Contains(t, said, `! blocked "checkout errors" of ops/checkout (rule 9, version 2): rule 9 has this name and belongs to team "shop"; wanted at ops.yaml:6:15`)
		require.Contains(t, said, "nothing was changed")
		require.NotContains(t, s.ok("rules", "list"), "new")
	})
	t.Run("prune spares what was made by hand and other groups", func(t *testing.T) {
		for name, group := range map[string]string{"by hand": "", "of a group": "other"} {
			post(t, base+"/api/alert-rules", fmt.Sprintf(`{"name":%q,"team":"shop","group":%q,"condition":"COUNT(*)","threshold":1}`, name, group))
		}
		require.Equal(t, "no differences\n", s.ok("rules", "diff", "--prune", "shop.yaml"))
		s.file("shop.yaml", "groups:\n- {name: checkout, team: shop, rules: []}\n- {team: shop, rules: []}")
		require.Equal(t, "deleted rule 9 \"checkout errors\" of shop/checkout\ndeleted rule 11 \"checkout is very slow\" of shop/checkout\n2 changes applied\n", s.ok("rules", "apply", "--prune", "shop.yaml"))
		require.Contains(t, s.ok("rules", "list", "--team", "shop"), "by hand")
	})
	t.Run("more rules than a page has", func(t *testing.T) { manyRules(t, s, db) })
}

func manyRules(t *testing.T, s *shell, db *mysqlx.DB) {
	var values []string
	for i := range pageSize + 5 {
		values = append(values, fmt.Sprintf(`('many %d', 'many', 1, '{"name":"many %d","team":"many","condition":"COUNT(*)","threshold":1,"enabled":true}', NOW(), NOW())`, i, i))
	}
	_, err := db.Text.Exec(`INSERT INTO alert_rule (name, team, version, definition, created_at, updated_at) VALUES ` + strings.Join(values, ","))
	require.NoError(t, err)
	s.ok("rules", "export", "--team", "many", "many.yaml")
	require.Equal(t, fmt.Sprintf("many.yaml: %d rules, no mistakes\n", pageSize+5), s.ok("rules", "check", "many.yaml"))
	require.Equal(t, "no differences\n", s.ok("rules", "diff", "many.yaml"))
}

func post(t *testing.T, url, body string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Less(t, resp.StatusCode, 300)
}

// TestSomebodyIsFaster: between the plan and the change, the rule is changed. That rule is left alone, the others are applied, and applying
// again takes the new version for what it is.
func TestSomebodyIsFaster(t *testing.T) {
	t.Parallel()
	base, _ := server(t)
	target, err := url.Parse(base)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	var once atomic.Bool
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut && once.CompareAndSwap(false, true) {
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			r.Body = io.NopCloser(bytes.NewReader(body))
			var theirs map[string]any
			require.NoError(t, json.Unmarshal(body, &theirs))
			theirs["threshold"] = 99
			raw, err := json.Marshal(theirs)
			require.NoError(t, err)
			req, err := http.NewRequest(http.MethodPut, base+r.URL.Path, bytes.NewReader(raw))
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			resp.Body.Close()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	s := newShell(t, between.URL)
	s.file("shop.yaml", shopRules)
	s.ok("rules", "apply", "shop.yaml")
	s.file("shop.yaml", strings.NewReplacer("threshold: 5", "threshold: 6", "threshold: 800", "threshold: 900").Replace(shopRules))
	code, out, errs := s.run("rules", "apply", "shop.yaml")
	require.Equal(t, exitRefused, code, out+errs)
	require.Contains(t, errs, `logmillctl: shop.yaml:6:15 "checkout errors": update: the api answered 412 Precondition Failed: rule 9 is at version 2 by now`)
	require.Equal(t, "updated rule 10 \"checkout is slow\" of shop/checkout\n", out)
	require.Contains(t, s.fails(exitNo, "rules", "diff", "shop.yaml"), "threshold: 99 → 6")
	s.ok("rules", "apply", "shop.yaml")
	require.Equal(t, "no differences\n", s.ok("rules", "diff", "shop.yaml"))
}
