package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/contract"
)

// incidents are what the generator can do and the alerts that it must cause, by rule and service, with a word of their evidence. The generator's
// own test has them all, and that no other alerts come of them.
var incidents = []struct {
	name string
	want map[string]string
}{
	{"outage", map[string]string{"Critical error rate": "database primary is gone", "High error rate": "", "Low success rate": ""}},
	{"timeouts", map[string]string{"Slow responses": "", "Very slow responses": ""}},
	{"silent-service", map[string]string{"Service is silent shipping": ""}},
	{"network-partition", map[string]string{"Few services": ""}},
	{"fatal", map[string]string{"Fatal logs inventory": "negative stock"}},
}

// TestTheSampleRules: each of the eight fires in its incident and resolves after it, as the example consumer reads it. Their windows are
// shortened, nothing else.
func TestTheSampleRules(t *testing.T) {
	onEachBroker(t, func(t *testing.T, s *stack.Stack) {
		enableSampleRules(t, s)
		steering := generate(t, s)
		f := follow(t, s)
		f.expect("following")
		watch := sampleWatch{t: t, events: f.events, last: map[string]*contract.AlertEvent{}, seen: map[string]bool{}}
		for _, i := range incidents {
			watch.until(steering(i.name), i.name, i.want, contract.AlertFiring)
			watch.until(steering("calm"), i.name, i.want, contract.AlertResolved)
		}
		require.Len(t, watch.seen, 8, "rules that fired: %v", watch.seen)
	})
}

// enableSampleRules switches the migration's rules on, with windows of five seconds.
func enableSampleRules(t *testing.T, s *stack.Stack) {
	t.Helper()
	rules := call(t, s, http.MethodGet, "/api/alert-rules", nil)["rules"].([]any)
	require.Len(t, rules, 8)
	for _, r := range rules {
		path := fmt.Sprintf("/api/alert-rules/%v", r.(map[string]any)["id"])
		versions := call(t, s, http.MethodGet, path+"/versions", nil)["versions"].([]any)
		on := versions[0].(map[string]any)["rule"].(map[string]any)
		require.Equal(t, false, on["enabled"], "%s", on["name"])
		on["enabled"], on["time_window"] = true, "5s"
		call(t, s, http.MethodPut, path, on)
	}
}

// generate starts calm traffic, and returns how to begin an incident.
func generate(t *testing.T, s *stack.Stack) (steering func(incident string) (again func())) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "incident")
	cmd := exec.Command(s.Program("loggen"), "--url", s.URL("collector")+"/api/logs", "--rate", "200", "--batch", "50", "--incident", "calm", "--steered-by", file)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
	})
	return func(incident string) func() {
		return func() {
			out, err := exec.Command(s.Program("loggen"), "--steer", file, "--incident", incident).CombinedOutput()
			require.NoError(t, err, string(out))
		}
	}
}

// sampleWatch knows how the alerts of the sample rules stand.
type sampleWatch struct {
	t      *testing.T
	events <-chan *contract.AlertEvent
	last   map[string]*contract.AlertEvent // by rule and service
	seen   map[string]bool                 // rules that fired
}

// again is how often an incident is begun anew while its alerts are waited for: it ends by itself, and a slow machine may need longer.
const again = 20 * time.Second

// until waits until all wanted alerts have come to a state.
func (w *sampleWatch) until(steer func(), incident string, want map[string]string, state string) {
	w.t.Helper()
	steer()
	tick := time.NewTicker(again)
	defer tick.Stop()
	deadline := time.After(3 * time.Minute)
	for !w.all(want, state) {
		select {
		case e, ok := <-w.events:
			require.True(w.t, ok, "the consumer ended")
			w.take(e, want)
		case <-tick.C:
			steer()
		case <-deadline:
			require.FailNow(w.t, "alerts are missing", "%s, %s: %v of %v", incident, state, slices.Sorted(maps.Keys(w.last)), want)
		}
	}
}

func (w *sampleWatch) all(want map[string]string, state string) bool {
	for name := range want {
		if e := w.last[name]; e == nil || e.Type != state {
			return false
		}
	}
	return true
}

func (w *sampleWatch) take(e *contract.AlertEvent, want map[string]string) {
	w.t.Helper()
	name := strings.TrimSpace(e.Data.Rule.Name + " " + e.Data.Labels["service"])
	before := w.last[name]
	w.last[name] = e
	switch e.Type {
	case contract.AlertFiring:
		w.seen[e.Data.Rule.Name] = true
		require.True(w.t, before == nil || before.Type == contract.AlertResolved, "%s fires twice", name)
		require.NotNil(w.t, e.Data.Value, name)
		if text := want[name]; text != "" {
			require.NotEmpty(w.t, e.Data.Evidence, name)
			require.Contains(w.t, fmt.Sprint(e.Data.Evidence), text, name)
		}
	case contract.AlertResolved:
		require.True(w.t, before != nil && before.Type == contract.AlertFiring, "%s resolves without having fired", name)
		require.Equal(w.t, before.Data.StartsAt, e.Data.StartsAt, name)
		require.True(w.t, e.Data.EndsAt.After(e.Data.StartsAt), name)
	}
}
