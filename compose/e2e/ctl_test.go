package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
)

const declinedRules = `groups:
- name: checkout
  team: shop
  rules:
  - name: payments declined
    condition: COUNT(CASE WHEN level = 'error' THEN 1 END)
    filter: service = 'checkout'
    threshold: 5
    time_window: 5s
    severity: critical
    labels: {area: money}
`

const declinedTest = `rule_files: [rules.yaml]
tests:
- name: six declined payments fire
  input: [{at: 20s, times: 6, line: {service: checkout, level: error, message: "payment ${n} declined"}}]
  alerts:
  - {at: 20s, expect: [{value: 6, labels: {alertname: payments declined, service: checkout, area: money}}]}
  - {at: 26s, expect: [{status: resolved}]}
`

// TestTheCommandLine: a rule is written, tested, applied; what the test said comes true; somebody looks, acknowledges, silences; the lines are found.
func TestTheCommandLine(t *testing.T) {
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	dir := t.TempDir()
	for name, text := range map[string]string{"rules.yaml": declinedRules, "rules_test.yaml": declinedTest} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	ctl := func(code int, args ...string) string {
		t.Helper()
		cmd := exec.Command(s.Program("logmillctl"), args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "LOGMILL_URL="+s.URL("api"), "LOGMILL_USER=ann")
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) {
			require.NoError(t, err)
		}
		require.Equal(t, code, cmd.ProcessState.ExitCode(), "%v: %s%s", args, out.String(), errs.String())
		return out.String()
	}
	objects := func(args ...string) (out []map[string]any) {
		t.Helper()
		for line := range strings.Lines(ctl(0, append(args, "-o", "json")...)) {
			var v map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &v))
			out = append(out, v)
		}
		return out
	}
	await := func(what string, f func() bool) {
		t.Helper()
		require.Eventually(t, f, time.Minute, 200*time.Millisecond, what)
	}

	require.Equal(t, "1 test: 1 passed, 0 failed\n", ctl(0, "rules", "test", "rules_test.yaml"))
	ctl(1, "rules", "diff", "rules.yaml")
	ctl(0, "rules", "apply", "--prune", "rules.yaml")
	ctl(0, "rules", "diff", "--prune", "rules.yaml")
	await("the rule is in force, its window whole", func() bool { return objects("rules", "list", "--team", "shop")[0]["state"] == "ok" })

	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	var body bytes.Buffer
	for i := range 6 {
		_, err := fmt.Fprintf(&body, `{"service":"checkout","level":"error","message":"payment %d declined","trace_id":%q}`+"\n", i, trace)
		require.NoError(t, err)
	}
	resp, err := http.Post(s.URL("collector")+"/api/logs", "application/x-ndjson", &body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var alert map[string]any
	await("the alert fires", func() bool {
		got := objects("alerts", "list", "--team", "shop", "--label", "area=money")
		if len(got) == 1 {
			alert = got[0]
		}
		return alert != nil
	})
	require.Equal(t, []any{"payments declined", "checkout", "critical"}, []any{alert["rule_name"], alert["service"], alert["severity"]})
	id := alert["id"].(string)
	require.Contains(t, ctl(0, "alerts", "show", id[:8]), "payment 5 declined", "with its lines")
	ctl(0, "alerts", "ack", "-m", "looking", id[:8])
	ctl(3, "alerts", "ack", id)
	ctl(0, "alerts", "silence", "--for", "1h", id[:8])
	await("it resolves, and kept what was said", func() bool {
		got := objects("alerts", "list", "--state", "resolved", "--rule", "payments declined")
		return len(got) == 1 && got[0]["acknowledged_by"] == "ann" && got[0]["note"] == "looking"
	})
	require.Len(t, objects("silences", "list"), 1)

	require.Equal(t, "6\n", ctl(0, "search", "--count", "-s", "checkout", "DECLINED"))
	require.Len(t, objects("trace", trace), 6)
	require.Equal(t, "payment 3 declined\n", ctl(0, "search", "-o", "raw", "payment 3"))
}
