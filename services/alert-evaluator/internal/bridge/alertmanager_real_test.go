package bridge

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// startAlertmanager runs the real one on loopback until the test ends. What it notifies of, it posts to notify.
func startAlertmanager(t *testing.T, binary, notify string) (url string) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it cannot say which port it took
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	conf := filepath.Join(dir, "alertmanager.yml")
	// resolve_timeout is far too short for the bridge's posts: theirs must not depend on it.
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, `
global: {resolve_timeout: 1s}
route: {receiver: test, group_by: [fp], group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h}
receivers: [{name: test, webhook_configs: [{url: %q, send_resolved: true}]}]
`, notify), 0o600))
	cmd := exec.Command(binary, "--config.file="+conf, "--storage.path="+dir, "--web.listen-address="+addr, "--cluster.listen-address=", "--log.level=warn")
	cmd.Dir = filepath.Dir(filepath.Dir(binary)) // its templates are there
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + addr + "/-/ready")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond)
	return "http://" + addr
}

// held is what Alertmanager says it has, as "fp:severity".
func held(t *testing.T, url string) map[string]map[string]any {
	t.Helper()
	resp, err := http.Get(url + alertsPath)
	require.NoError(t, err)
	defer resp.Body.Close()
	var alerts []map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&alerts))
	out := map[string]map[string]any{}
	for _, a := range alerts {
		labels := a["labels"].(map[string]any)
		out[fmt.Sprint(labels["fp"], ":", labels["severity"])] = a
	}
	return out
}

// TestRealAlertmanager: it takes what we post, keeps what fires beyond its resolve_timeout, across a restart of ours, and hears of ends.
func TestRealAlertmanager(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1000)
	people := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct {
			Alerts []struct {
				Status string
				Labels map[string]string
			}
		}
		if json.NewDecoder(r.Body).Decode(&n) == nil {
			for _, a := range n.Alerts {
				told <- a.Labels["fp"] + ":" + a.Labels["severity"] + " " + a.Status
			}
		}
	}))
	t.Cleanup(people.Close)
	url := startAlertmanager(t, testkit.Alertmanager(t), people.URL)
	w := newWorld(t, testkit.Kafka(t))
	f := File{ExternalURL: "http://logs.example", Receivers: []Receiver{{Name: "pager", Alertmanager: &Alertmanager{URL: url, Resend: time.Second, Delivery: quick()}}}, Routes: []Route{{Receiver: "pager", Severity: []string{"high", "critical"}}}}
	stop := w.run(f)

	odd := func(d *contract.AlertData) {
		d.Labels["service.name"], d.Labels["größe"], d.Annotations["runbook-url"] = "a b", "ü", "http://x"
	}
	w.say(event("a", 1, "firing", odd))
	w.say(event("b", 1, "firing"))
	w.say(event("quiet", 1, "firing", silenced))
	w.say(event("low", 1, "firing", severity("low")))
	awaitPosts(t, told, "a:high firing", "b:high firing")
	have := held(t, url)
	require.Len(t, have, 2)
	require.Equal(t, "http://logs.example/api/alert-rules/1", have["a:high"]["generatorURL"])
	require.Equal(t, "a b", have["a:high"]["labels"].(map[string]any)["service_name"])

	w.say(event("b", 2, "firing", severity("critical")))
	awaitPosts(t, told, "b:critical firing", "b:high resolved")
	stop()
	w.run(f)
	<-time.After(6 * time.Second) // beyond the end that the last post before the restart gave it
	require.Contains(t, held(t, url), "a:high")
	for len(told) > 0 {
		require.NotContains(t, <-told, "resolved", "what fires must not resolve by time-out")
	}
	w.say(event("a", 2, "resolved", odd))
	w.say(event("b", 3, "resolved", severity("critical")))
	awaitPosts(t, told, "a:high resolved", "b:critical resolved")
	require.Empty(t, held(t, url))
}
