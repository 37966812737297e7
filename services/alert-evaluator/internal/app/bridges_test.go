package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// TestBridgesTellPeople: with ALERT_BRIDGES_FILE an alert reaches an Alertmanager, and what fires is posted again by an evaluator that has
// no MySQL.
func TestBridgesTellPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	posts := make(chan string, 1000)
	pager := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var alerts []struct{ Labels map[string]string }
		if json.NewDecoder(r.Body).Decode(&alerts) == nil {
			for _, a := range alerts {
				posts <- a.Labels["alertname"]
			}
		}
	}))
	defer pager.Close()
	file := filepath.Join(t.TempDir(), "bridges.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "receivers: [{name: pager, alertmanager: {url: %q}}]\nroutes: [{receiver: pager}]\n", pager.URL), 0o600))
	run := func(my config.MySQL) (url string, stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		a, err := New(ctx, Config{MySQL: my, Kafka: w.kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, BridgesFile: file, MaxAge: 5 * time.Minute}, zerolog.Nop())
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		return "http://" + a.Addr(), func() {
			cancel()
			<-done // without MySQL it says that it was stopped while it waited
		}
	}
	hears := func() {
		t.Helper()
		select {
		case name := <-posts:
			require.Equal(t, "errors", name)
		case <-time.After(40 * time.Second):
			require.FailNow(t, "nobody was told")
		}
	}

	t0 := time.Now().Add(-30 * time.Second).Truncate(time.Second).UTC()
	home := contract.Home("checkout", w.kafka.Partitions)
	w.addRule(1, t0, rule.Rule{Name: "errors", Condition: "COUNT(*)", Filter: "service = 'checkout'", Threshold: 3, TimeWindow: rule.Window(2 * time.Second), Severity: "high"})
	url, stop := run(w.my)
	for p := range w.kafka.Partitions {
		w.heartbeat(p, 0, t0)
	}
	w.lines(home, 0, t0.Add(5*time.Second), t0.Add(4*time.Second), "checkout", 4)
	hears()
	resp, err := http.Get(url + "/readyz")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), `{"name":"bridges","ok":true}`)
	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(text), `logmill_bridge_events_total{outcome="sent",receiver="pager"} 1`)
	}, 40*time.Second, 50*time.Millisecond)
	stop()

	away := w.my
	away.Port = 1
	_, stop = run(away)
	defer stop()
	hears()
}

func TestABadBridgesFileStopsTheStart(t *testing.T) {
	t.Parallel()
	_, err := New(t.Context(), Config{BridgesFile: filepath.Join(t.TempDir(), "none.yaml")}, zerolog.Nop())
	require.ErrorContains(t, err, "ALERT_BRIDGES_FILE")
	require.ErrorIs(t, err, os.ErrNotExist)
}
