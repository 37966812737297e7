package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// probe is a kind of rule whose latency is measured: each line (or lines) makes an alert fire, of a user id that is used again when it has resolved.
type probe struct {
	Name     string
	rule     map[string]any
	users    int           // 0: each probe has a user id of its own, a group that was never seen
	services int           // that a probe's lines are of
	goal     time.Duration // of the 99th percentile
}

// probeUsers come round after some 20 s at ten a second: windows are 5 s.
const probeUsers = 200

var (
	perUser   = []string{"service", "user_id"}
	countRule = map[string]any{"condition": "COUNT(*)", "threshold": 1, "group_by": perUser}
	probes    = []probe{
		{"count", countRule, probeUsers, 1, time.Second},
		{"count, first seen", countRule, 0, 1, time.Second},
		{"ratio", map[string]any{"condition": "COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)", "threshold": 50, "group_by": perUser}, probeUsers, 1, 2 * time.Second},
		{"cross-service", map[string]any{"condition": "COUNT(DISTINCT service)", "threshold": 2, "group_by": []string{"user_id"}}, probeUsers, 2, 2 * time.Second},
	}
)

// BenchmarkAlerts is `make bench-alerts`: the time from the collector's answer to the event being readable on alerts.fired, with so many lines a
// second in the background (RATES), and what 10,000 rules (RULES) cost the running service. It prints tables, and the same as JSON.
//
//	PROBES=500   firings of each kind and rate       RATES="10000 50000"   lines a second
//	NODES=1      of a real Kafka; 0 = the development broker       RULES=10000   LINES=1000000   for the throughput
func BenchmarkAlerts(b *testing.B) {
	for range b.N {
		s := stack.New(b, setting(b, "NODES", 1))
		names := []string{"collector", "processor", "alert-evaluator", "api"}
		for _, n := range names {
			s.Start(n, n, strings.ToUpper(strings.ReplaceAll(n, "-", "_"))+"_PORT="+strconv.Itoa(s.Port(n)), "COMPACTION_AFTER=1m", "LOG_LEVEL=warn")
		}
		for _, n := range names {
			s.AwaitReady(n)
		}
		var out struct {
			Latency []latency     `json:"latency"`
			Rules   *rulesMeasure `json:"rules"`
		}
		l := listen(b, s)
		for _, text := range strings.Fields(setText("RATES", "10000 50000")) {
			rate, err := strconv.Atoi(text)
			require.NoError(b, err)
			out.Latency = append(out.Latency, measureLatency(b, s, l, rate)...)
		}
		out.Rules = measureRules(b, s, l)
		raw, err := json.MarshalIndent(out, "", " ")
		require.NoError(b, err)
		fmt.Printf("\n%s\n", raw)
	}
}

func setText(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// listener has read alerts.fired from when it was made on.
type listener struct {
	mu   sync.Mutex
	seen map[string][]heard // by rule, status and user id
}

// heard is an event and when it could be read.
type heard struct {
	at time.Time
	id string
}

// listen reads as any subscriber would: what is committed, as soon as it is.
func listen(b *testing.B, s *stack.Stack) *listener {
	b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Kafka.Brokers...), kgo.ConsumeTopics(s.Kafka.Topic(contract.TopicAlerts)), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(b, err)
	l := &listener{seen: map[string][]heard{}}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	b.Cleanup(func() { cancel(); client.Close(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			fetches := client.PollFetches(ctx)
			now := time.Now()
			fetches.EachRecord(func(r *kgo.Record) {
				if e, err := contract.ParseAlert(r.Value); err == nil {
					l.take(now, e)
				}
			})
		}
	}()
	return l
}

func (l *listener) take(now time.Time, e *contract.AlertEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := listenKey(e.Data.Rule.Name, e.Data.Status, e.Data.Labels["user_id"])
	l.seen[key] = append(l.seen[key], heard{now, e.ID})
}

func listenKey(rule, status, user string) string { return rule + " " + status + " " + user }

// after is the first event that was read after a moment.
func (l *listener) after(key string, t time.Time) (heard, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.seen[key] {
		if h.at.After(t) {
			return h, true
		}
	}
	return heard{}, false
}

// latency is what was measured of one kind of rule at one rate. Times are ms.
type latency struct {
	Rule       string  `json:"rule"`
	Background int     `json:"background_lines_per_second"`
	Sent       float64 `json:"background_reached"`
	Firings    int     `json:"firings"`
	Missing    int     `json:"missing"`
	P50        float64 `json:"p50_ms"`
	P95        float64 `json:"p95_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	DecidedP50 float64 `json:"decided_p50_ms"` // of it, from the answer to the step that decides; the rest is the relay's and Kafka's
	DecidedP99 float64 `json:"decided_p99_ms"`
	Goal       float64 `json:"goal_p99_ms"`
	Holds      bool    `json:"goal_holds"`
	Load       string  `json:"load_average"`
}

// measureLatency measures all kinds at a rate.
func measureLatency(b *testing.B, s *stack.Stack, l *listener, rate int) (out []latency) {
	b.Helper()
	n := setting(b, "PROBES", 500)
	for _, p := range probes {
		r := map[string]any{"name": p.at(rate), "filter": fmt.Sprintf("request_path = '%s'", p.path(rate)), "time_window": "5s"}
		maps.Copy(r, p.rule)
		call(b, s, http.MethodPost, "/api/alert-rules", r)
	}
	stop := background(b, s, rate)
	var wg sync.WaitGroup
	for _, p := range probes {
		wg.Go(func() { p.send(b, s, rate, p.users, 20*time.Millisecond) }) // groups are known, windows full, and everybody has settled
	}
	wg.Wait()
	pause(12 * time.Second)
	sent := make([][]sentProbe, len(probes))
	for k, p := range probes {
		wg.Go(func() { sent[k] = p.send(b, s, rate, n, 200*time.Millisecond) })
	}
	wg.Wait()
	l.await(sent, rate)
	load, reached, decided := loadAverage(b), stop(), decisions(b, s)
	fmt.Printf("\n%d lines/s in the background (%.0f reached), load average %s\n%-18s %8s %9s %9s %9s %9s %18s %12s\n", rate, reached, load, "rule", "firings", "p50 ms", "p95 ms", "p99 ms", "max ms", "decided p50/p99", "goal p99")
	for k, p := range probes {
		m := l.summary(p, rate, sent[k], decided)
		m.Sent, m.Load = reached, load
		fmt.Printf("%-18s %8d %9.0f %9.0f %9.0f %9.0f %11.0f/%6.0f %6.0f %s\n", p.Name, m.Firings, m.P50, m.P95, m.P99, m.Max, m.DecidedP50, m.DecidedP99, m.Goal, map[bool]string{true: "holds", false: "MISSED"}[m.Holds])
		require.Zero(b, m.Missing, "%s: firings that never came", m.Rule)
		out = append(out, m)
	}
	return out
}

// at is the name of the probe's rule for a rate.
func (p probe) at(rate int) string { return fmt.Sprintf("%s at %d", p.Name, rate) }

func (p probe) path(rate int) string {
	return "/" + strings.NewReplacer(" ", "-", ",", "").Replace(p.at(rate))
}

// sentProbe is one on its way.
type sentProbe struct {
	user        string
	sent, acked time.Time
}

// send sends n probes at random moments, up to twice the pause apart.
func (p probe) send(b *testing.B, s *stack.Stack, rate, n int, atMost time.Duration) (out []sentProbe) {
	rng := rand.New(rand.NewPCG(uint64(rate), uint64(len(p.Name))))
	for i := range n {
		pause(time.Duration(rng.Int64N(int64(atMost))))
		user := i
		if p.users > 0 {
			user %= p.users
		}
		var body bytes.Buffer
		for k := range p.services {
			fmt.Fprintf(&body, `{"service":"probe-%d","level":"error","message":"a probe","user_id":"%d","request_path":%q}`+"\n", (user+7*k)%24, user, p.path(rate))
		}
		one := sentProbe{user: strconv.Itoa(user), sent: time.Now()}
		resp, err := http.Post(s.URL("collector")+"/api/logs", "application/x-ndjson", &body)
		if err != nil {
			b.Error(err)
			return out
		}
		_, _ = io.Copy(io.Discard, resp.Body) // the answer is there
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			b.Errorf("a probe was answered %s", resp.Status)
		}
		one.acked = time.Now()
		out = append(out, one)
	}
	return out
}

// fired is the event of a probe.
func (l *listener) fired(p probe, rate int, s sentProbe) (heard, bool) {
	return l.after(listenKey(p.at(rate), "firing", s.user), s.sent)
}

// await waits until all have come, or none has for a minute.
func (l *listener) await(sent [][]sentProbe, rate int) {
	last, at := -1, time.Now()
	for time.Since(at) < time.Minute {
		missing := 0
		for k, p := range probes {
			for _, s := range sent[k] {
				if _, ok := l.fired(p, rate, s); !ok {
					missing++
				}
			}
		}
		if missing == 0 {
			return
		}
		if missing != last {
			last, at = missing, time.Now()
		}
		pause(100 * time.Millisecond)
	}
}

func (l *listener) summary(p probe, rate int, sent []sentProbe, decided map[string]time.Time) latency {
	m := latency{Rule: p.Name, Background: rate, Goal: ms(p.goal)}
	var all, early []float64
	for _, s := range sent {
		h, ok := l.fired(p, rate, s)
		if !ok {
			m.Missing++
			continue
		}
		all = append(all, ms(h.at.Sub(s.acked)))
		if d, ok := decided[h.id]; ok {
			early = append(early, ms(d.Sub(s.acked)))
		}
	}
	slices.Sort(all)
	slices.Sort(early)
	m.Firings, m.P50, m.P95, m.P99, m.Max = len(all), quantile(all, 0.5), quantile(all, 0.95), quantile(all, 0.99), quantile(all, 1)
	m.DecidedP50, m.DecidedP99 = quantile(early, 0.5), quantile(early, 0.99)
	m.Holds = m.Missing == 0 && m.P99 < m.Goal
	return m
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile of sorted values, by nearest rank.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(float64(len(sorted))*q+0.999999)-1)]
}

// decisions are when each event was put into the outbox.
func decisions(b *testing.B, s *stack.Stack) map[string]time.Time {
	b.Helper()
	out := map[string]time.Time{}
	rows, err := testkit.DB(b, s.MySQL).Text.Query(`SELECT event->>'$.id', TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) FROM alert_outbox`)
	require.NoError(b, err)
	defer rows.Close()
	for rows.Next() {
		var id string
		var us int64
		require.NoError(b, rows.Scan(&id, &us))
		out[id] = time.UnixMicro(us)
	}
	require.NoError(b, rows.Err())
	return out
}

// background sends lines until stop is called, which says how many a second were taken.
func background(b *testing.B, s *stack.Stack, rate int) (stop func() float64) {
	b.Helper()
	var out bytes.Buffer
	cmd := exec.Command(s.Program("loggen"), "--url", s.URL("collector")+"/api/logs", "--profile", "bench", "--rate", strconv.Itoa(rate), "--batch", "500", "--concurrency", "6")
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	require.NoError(b, cmd.Start())
	stopped := false
	end := func() {
		if !stopped {
			stopped = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait() // what it said is read below
		}
	}
	b.Cleanup(end)
	return func() float64 {
		end()
		var said struct {
			Rate float64 `json:"lines_per_second"`
		}
		require.NoError(b, json.Unmarshal(out.Bytes(), &said), out.String())
		return said.Rate
	}
}

func loadAverage(b *testing.B) string {
	b.Helper()
	raw, err := os.ReadFile("/proc/loadavg")
	require.NoError(b, err)
	return strings.Fields(string(raw))[0]
}
