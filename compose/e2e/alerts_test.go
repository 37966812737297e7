package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/contract"
)

// onEachBroker runs f on the embedded broker and on a real Kafka.
func onEachBroker(t *testing.T, f func(t *testing.T, s *stack.Stack)) {
	for name, nodes := range map[string]int{"embedded": 0, "kafka": 1} {
		t.Run(name, func(t *testing.T) {
			s := stack.New(t, nodes)
			s.Services(1, stack.Processor)
			f(t, s)
		})
	}
}

// follower is the example consumer at work.
type follower struct {
	t      *testing.T
	events chan *contract.AlertEvent // nil: what fires now has been said
	stop   func()
}

// follow starts the example consumer.
func follow(t *testing.T, s *stack.Stack) *follower {
	t.Helper()
	cmd := exec.Command(s.Program("alerts-consumer"), "--json", "--brokers", strings.Join(s.Kafka.Brokers, ","))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	f := &follower{t: t, events: make(chan *contract.AlertEvent, 10_000)}
	stopped := false
	f.stop = func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Signal(os.Interrupt)
			require.NoError(t, cmd.Wait())
		}
	}
	t.Cleanup(f.stop)
	go func() {
		defer close(f.events)
		lines := bufio.NewReader(out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			if !bytes.HasPrefix(line, []byte("{")) {
				f.events <- nil
			} else if e, err := contract.ParseAlert(line); err == nil {
				f.events <- e
			}
		}
	}()
	return f
}

// brief is an event for comparisons.
func brief(e *contract.AlertEvent) string {
	if e == nil {
		return "following"
	}
	what := strings.TrimSuffix(strings.TrimPrefix(e.Type, "logmill.alert."), ".v1")
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", what, e.Data.Rule.Name, e.Data.Annotations["acknowledged_by"]))
}

// next is the next event.
func (f *follower) next() *contract.AlertEvent {
	f.t.Helper()
	select {
	case e, ok := <-f.events:
		require.True(f.t, ok, "the consumer ended")
		return e
	case <-time.After(2 * time.Minute):
		require.FailNow(f.t, "no more events")
		return nil
	}
}

func (f *follower) expect(want ...string) {
	f.t.Helper()
	for _, w := range want {
		require.Equal(f.t, w, brief(f.next()))
	}
}

// call asks the api and returns what it answers.
func call(t testing.TB, s *stack.Stack, method, path string, body any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequest(method, s.URL("api")+path, bytes.NewReader(raw))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 2, resp.StatusCode/100, "%s %s: %s", method, path, text)
	var answer map[string]any
	require.NoError(t, json.Unmarshal(text, &answer), string(text))
	return answer
}

// TestTheExampleConsumer: it sees an alert fire, acknowledged and resolved, each once, across a kill -9 of the evaluator; one that comes late
// learns of what fires from alerts.state.
func TestTheExampleConsumer(t *testing.T) {
	onEachBroker(t, func(t *testing.T, s *stack.Stack) {
		first := follow(t, s)
		first.expect("following")
		call(t, s, http.MethodPost, "/api/alert-rules", map[string]any{"name": "shop errors", "filter": "service = 'shop'", "condition": "COUNT(CASE WHEN level = 'error' THEN 1 END)", "threshold": 3, "time_window": "20s"})
		deadline := time.Now().Add(time.Minute)
		for len(first.events) == 0 && time.Now().Before(deadline) { // until the rule is in force
			sendErrors(t, s, "shop", 1)
			pause(200 * time.Millisecond)
		}
		first.expect("firing shop errors")

		second := follow(t, s)
		second.expect("firing shop errors", "following")
		active := call(t, s, http.MethodGet, "/api/alerts/active", nil)["alerts"].([]any)
		require.Len(t, active, 1)
		call(t, s, http.MethodPut, fmt.Sprintf("/api/alerts/%s/acknowledge", active[0].(map[string]any)["id"]), map[string]any{"who": "ann", "note": "on it"})
		for _, f := range []*follower{first, second} {
			f.expect("updated shop errors ann")
		}
		require.NoError(t, s.Kill("alert-evaluator"))
		require.NoError(t, s.Restart("alert-evaluator"))
		for _, f := range []*follower{first, second} {
			f.stop()
			var rest []string
			for e := range f.events {
				rest = append(rest, brief(e))
			}
			require.NotContains(t, rest, "firing shop errors")
		}
		third := follow(t, s)
		third.expect("updated shop errors ann", "following", "resolved shop errors ann")
	})
}

func sendErrors(t *testing.T, s *stack.Stack, service string, n int) {
	t.Helper()
	line := fmt.Sprintf(`{"service":%q,"level":"error","message":"it broke"}`+"\n", service)
	resp, err := http.Post(s.URL("collector")+"/api/logs", "application/x-ndjson", strings.NewReader(strings.Repeat(line, n)))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
