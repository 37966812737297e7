package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/load"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/testkit"
)

// TestRollingRestart restarts every service, two of each kind, one at a time and in the order of docs/operating.md, under load (ROUNDS times). A
// client that tries again sees no error: each line sent is there, once, and each question is answered by one api or the other. No rule is blind
// afterwards.
func TestRollingRestart(t *testing.T) {
	rounds := setting(t, "ROUNDS", 1)
	s := stack.New(t, 1)
	services := map[string]string{"collector": "COLLECTOR_PORT", "processor": "PROCESSOR_PORT", "alert-evaluator": "ALERT_EVALUATOR_PORT", "api": "API_PORT"}
	order := []string{"processor", "alert-evaluator", "api", "collector"}
	for _, kind := range order {
		for i := range 2 {
			name := fmt.Sprintf("%s-%d", kind, i+1)
			s.Start(name, kind, fmt.Sprintf("%s=%d", services[kind], s.Port(name)), "KAFKA_SESSION_TIMEOUT="+gone.String())
			s.AwaitReady(name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := load.StartRepeating(ctx, []string{s.URL("collector-1") + "/api/logs", s.URL("collector-2") + "/api/logs"}, 4, 1)
	r := &readers{urls: []string{s.URL("api-1"), s.URL("api-2")}}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { r.read(ctx) })
	}
	pause(2 * time.Second)
	for range rounds {
		for _, kind := range order {
			for i := range 2 {
				name := fmt.Sprintf("%s-%d", kind, i+1)
				require.NoError(t, s.Stop(name))
				require.NoError(t, s.Restart(name))
				s.AwaitReady(name)
				pause(time.Second)
			}
		}
	}
	cancel()
	sent := l.Wait()
	wg.Wait()
	report := settle(t, s, sent)
	t.Logf("%s; %d questions answered, %d at the second try or later", report, r.answered, r.again)
	require.True(t, report.OK(), report.String())
	require.Equal(t, report.Sent, report.Acked, "a client gave up")
	require.Equal(t, report.Sent, report.Stored)
	require.NotZero(t, report.Acked)
	require.Empty(t, r.failed)
	require.NotZero(t, r.answered)
	requireNobodyBlind(t, s)
}

// requireNobodyBlind waits until the evaluators have everything, and looks for what they missed.
func requireNobodyBlind(t *testing.T, s *stack.Stack) {
	t.Helper()
	db := testkit.DB(t, s.MySQL)
	count := func(query string) (n int) {
		require.NoError(t, db.Text.QueryRow(query).Scan(&n))
		return n
	}
	require.Eventually(t, func() bool {
		return count(`SELECT COUNT(*) FROM partition_progress p LEFT JOIN alert_partition a ON a.stream_id = p.stream_id AND a.part = p.part WHERE COALESCE(a.source_next, 0) < p.next_offset`) == 0
	}, time.Minute, 200*time.Millisecond, "evaluators lack lines")
	require.Zero(t, count(`SELECT COUNT(*) FROM alert_partition WHERE blind_since IS NOT NULL`))
	require.Zero(t, count(`SELECT COUNT(*) FROM alert_problem WHERE kind IN ('gap', 'lost', 'misplaced', 'error')`))
}

// readers ask for the newest lines, of another api when one does not answer.
type readers struct {
	urls            []string
	mu              sync.Mutex
	answered, again int
	failed          []string
}

const readerTries = 20 // half a second each: an api that is restarted takes some seconds on a slow machine

func (r *readers) read(ctx context.Context) {
	client := &http.Client{Timeout: 20 * time.Second}
	for ctx.Err() == nil {
		err := r.once(client, r.urls[0])
		tries := 1
		for ; err != nil && tries < readerTries; tries++ {
			pause(500 * time.Millisecond)
			err = r.once(client, r.urls[tries%len(r.urls)])
		}
		r.mu.Lock()
		switch {
		case err != nil:
			r.failed = append(r.failed, err.Error())
		case tries > 1:
			r.again++
		}
		r.answered++
		r.mu.Unlock()
	}
}

func (r *readers) once(client *http.Client, url string) error {
	resp, err := client.Get(url + "/api/logs?limit=20")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
