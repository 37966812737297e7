package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// pulse stands in for a processor with nothing to do: it keeps the watermarks of partitions at the present.
type pulse struct {
	w    *world
	mu   sync.Mutex
	dead map[int32]bool // no heartbeats; nor is progress written
	mute map[int32]bool // no heartbeats, but progress is written
	next map[int32]int64
}

func (w *world) pulse() *pulse {
	p := &pulse{w: w, dead: map[int32]bool{}, mute: map[int32]bool{}, next: map[int32]int64{}}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { every(ctx, 100*time.Millisecond, p.beat) })
	w.t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

func (p *pulse) beat(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for part := range p.w.kafka.Partitions {
		if p.dead[part] {
			continue
		}
		at := time.Now().Add(-500 * time.Millisecond).UnixNano()
		if _, err := p.w.db.Text.ExecContext(ctx, `INSERT INTO partition_progress (stream_id, part, watermark_ns, updated_at) VALUES (1, ?, ?, NOW()) ON DUPLICATE KEY UPDATE watermark_ns = ?`, part, at, at); err != nil {
			return // the test is over
		}
		if !p.mute[part] {
			h := contract.Enriched{Stream: 1, Partition: part, From: p.next[part], To: p.next[part] - 1, Prev: p.next[part] - 1, Watermark: at}
			if p.w.pub.Publish(ctx, contract.TopicEnriched, part, nil, nil, h.Headers()) != nil {
				return
			}
		}
	}
}

func (p *pulse) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// watched runs an evaluator that calls rules blind after ten seconds: sooner than usual, and late enough for a busy machine.
func (w *world) watched() (url string, stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, Config{MySQL: w.my, Kafka: w.kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, BlindAfter: 10 * time.Second, MaxAge: 5 * time.Minute}, zerolog.Nop())
	require.NoError(w.t, err)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return "http://" + a.Addr(), func() {
		cancel()
		require.NoError(w.t, <-done)
	}
}

// problems are the rows of alert_problem, as kind/partition/service/rule.
func (w *world) problems() []string {
	w.t.Helper()
	f, err := store.New(w.db).Facts(context.Background(), 1)
	require.NoError(w.t, err)
	out := []string{}
	for _, p := range f.Known {
		require.Positive(w.t, p.Since)
		require.NotEmpty(w.t, p.Detail)
		out = append(out, fmt.Sprintf("%s/%d/%s/%s", p.Kind, p.Partition, p.Service, p.RuleID))
	}
	slices.Sort(out)
	return out
}

// awaits waits for problems to be there, or to be gone.
func (w *world) awaits(there bool, rows ...string) {
	w.t.Helper()
	var have []string
	ok := func() bool {
		have = w.problems()
		return !slices.ContainsFunc(rows, func(r string) bool { return slices.Contains(have, r) != there })
	}
	if !assert.Eventually(w.t, ok, time.Minute, 100*time.Millisecond) {
		require.FailNow(w.t, "problems", "%v there: %v; have %v", rows, there, have)
	}
}

// readiness is /readyz' status and what its check of rules says.
func readiness(t *testing.T, url string) (status int, failure, warning string) {
	t.Helper()
	resp, err := http.Get(url + "/readyz")
	require.NoError(t, err)
	defer resp.Body.Close()
	var doc struct {
		Checks []struct{ Name, Error, Warning string }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&doc))
	for _, c := range doc.Checks {
		if c.Name == "rules" {
			return resp.StatusCode, c.Error, c.Warning
		}
	}
	return resp.StatusCode, "", ""
}

// metas are the events of a kind of meta alert: status and reason.
func metas(es []*contract.AlertEvent, kind string) (out []string) {
	for _, e := range es {
		if e.Data.Labels["kind"] == kind {
			out = append(out, e.Data.Status+" "+e.Data.Reason)
		}
	}
	return out
}

// TestBlindNotOK: while a partition stands still, whoever is to blame, that is written down, shown, and told by a meta alert, which resolves.
func TestBlindNotOK(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		home := contract.Home("checkout", cfg.Partitions)
		w.addRule(1, time.Now(), rule.Rule{Name: "errors", Condition: "COUNT(*)", Filter: "service = 'checkout'", Threshold: 3, TimeWindow: rule.Window(2 * time.Second)})
		p := w.pulse()
		url, stop := w.watched()
		defer stop()
		processor, evaluator := fmt.Sprintf("processor_behind/%d//", home), fmt.Sprintf("evaluator_behind/%d//", home)
		require.Eventually(t, func() bool { status, _, warning := readiness(t, url); return status == http.StatusOK && warning == "" }, 2*time.Minute, 100*time.Millisecond)
		w.awaits(false, processor, evaluator)

		p.set(func() { p.dead[home] = true })
		w.awaits(true, processor)
		require.Eventually(t, func() bool { // it is not this replica that fails
			status, _, warning := readiness(t, url)
			return status == http.StatusOK && strings.Contains(warning, "the processor has got no further than")
		}, 2*time.Minute, 100*time.Millisecond)
		got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(metas(es, "processor_behind")) > 0 })
		require.Equal(t, "1 of 1: errors", got[len(got)-1].Data.Annotations["rules"])
		require.Contains(t, got[len(got)-1].Data.Annotations["partitions"], fmt.Sprint(home))

		p.set(func() { p.dead[home], p.mute[home] = false, true })
		w.awaits(true, evaluator)
		require.Eventually(t, func() bool {
			status, failure, _ := readiness(t, url)
			return status == http.StatusServiceUnavailable && strings.Contains(failure, "rules are decided no further than")
		}, 2*time.Minute, 100*time.Millisecond)
		w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(metas(es, "evaluator_behind")) > 0 })
		p.set(func() { p.mute[home] = false })
		w.awaits(false, processor, evaluator)
		got = w.fired(contract.TopicAlertsState, func(es []*contract.AlertEvent) bool {
			return len(metas(es, "processor_behind")) >= 2 && len(metas(es, "evaluator_behind")) >= 2
		})
		for _, kind := range []string{"processor_behind", "evaluator_behind"} {
			require.Equal(t, []string{"firing meta", "resolved meta"}, metas(got, kind)[:2])
		}
		require.Eventually(t, func() bool {
			var open, rows int
			require.NoError(t, w.db.Text.QueryRow(`SELECT COUNT(*), SUM(ends_ns = 0) FROM alert_instance WHERE rule_id = 0`).Scan(&rows, &open))
			return rows >= 2 && open == 0
		}, 2*time.Minute, 100*time.Millisecond)
	})
}

// TestOneReplicaSpeaks: two replicas look, one tells; when it is gone the other goes on with the same alert.
func TestOneReplicaSpeaks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	p := w.pulse()
	_, stopA := w.watched()
	stopA = sync.OnceFunc(stopA)
	defer stopA()
	speaker := func() (owner string) {
		_ = w.db.Text.QueryRow(`SELECT owner FROM alert_watch WHERE checked_at > UTC_TIMESTAMP(6) - INTERVAL 10 SECOND`).Scan(&owner)
		return owner
	}
	first := ""
	require.Eventually(t, func() bool { first = speaker(); return first != "" }, 2*time.Minute, 50*time.Millisecond)
	_, stopB := w.watched()
	defer stopB()
	p.set(func() { p.dead[1] = true })
	w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(metas(es, "processor_behind")) > 0 })
	stopA()
	require.Eventually(t, func() bool { owner := speaker(); return owner != "" && owner != first }, 2*time.Minute, 100*time.Millisecond)
	w.awaits(true, "processor_behind/1//")
	p.set(func() { p.dead[1] = false })
	w.awaits(false, "processor_behind/1//")
	got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool {
		return slices.Contains(metas(es, "processor_behind"), "resolved meta")
	})
	var told []*contract.AlertEvent
	for _, e := range got {
		if e.Data.Labels["kind"] == "processor_behind" && e.Type != contract.AlertUpdated {
			told = append(told, e)
		}
	}
	require.Equal(t, []string{"firing", "resolved"}, []string{told[0].Data.Status, told[1].Data.Status}, "told once, by whoever")
	require.Equal(t, told[0].Data.StartsAt, told[1].Data.StartsAt)
	require.Greater(t, told[1].Sequence, told[0].Sequence)
}

// TestWhatOwnersFind: gaps, lines astray, too many groups and a broken rule, each with its alert; other rules go on.
func TestWhatOwnersFind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	home := contract.Home("checkout", w.kafka.Partitions)
	away := (home + 1) % w.kafka.Partitions
	start, long := time.Now().Add(-time.Minute), rule.Window(30*time.Minute)
	w.addRule(1, start, rule.Rule{Name: "pinned", Condition: "COUNT(*)", Filter: "service = 'checkout'", Threshold: 3, TimeWindow: rule.Window(10 * time.Second)})
	w.addRule(2, start, rule.Rule{Name: "groups", Condition: "COUNT(*)", Filter: "service = 'checkout'", GroupBy: []string{"message"}, Threshold: 1e6, TimeWindow: long})
	w.addRule(3, start, rule.Rule{Name: "broken", Condition: "COUNT(*)", Threshold: 1})
	_, err := w.db.Text.Exec(`UPDATE rule_version SET definition = '{"name":"broken","condition":"NOW()","enabled":true}' WHERE rule_id = 3`)
	require.NoError(t, err)
	p := w.pulse()
	_, stop := w.watched()
	defer stop()
	gap, astray := fmt.Sprintf("gap/%d//", home), fmt.Sprintf("misplaced/%d/checkout/", away)
	w.awaits(true, "error/-1//3")
	w.awaits(false, gap, astray, "overflow/-1//2")

	now := time.Now()
	w.lines(away, 0, now, now.Add(-time.Second), "checkout", 5)
	w.awaits(true, astray)
	w.many(home, 0, time.Now(), "checkout", 1100)
	p.set(func() { p.next[home], p.next[away] = 9, 1 }) // a heartbeat that knows of blocks nobody has
	w.awaits(true, "error/-1//3", gap, astray, "overflow/-1//2")
	kinds := []string{"error", "misplaced", "gap", "overflow"}
	got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool {
		pinned := slices.ContainsFunc(es, func(e *contract.AlertEvent) bool { return e.Data.Rule.Name == "pinned" })
		return pinned && !slices.ContainsFunc(kinds, func(k string) bool { return len(metas(es, k)) == 0 })
	})
	for _, k := range kinds {
		require.Equal(t, "firing meta", metas(got, k)[0])
	}
	for _, e := range got {
		if e.Data.Rule.Name == "pinned" {
			require.InDelta(t, 1100, *e.Data.Value, 0, "good rules go on")
		}
	}
}
