package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
)

// crowdQueries are what people on call ask. %S is one of the services, %s one of a few words.
var crowdQueries = []struct{ name, path string }{
	{"latest errors of a service", "/api/logs?q=level:error+service:%S&limit=100"},
	{"a word", "/api/logs?q=%s&limit=50"},
	{"a regular expression", "/api/logs?q=/token=zz[0-9a-f]{6}/&limit=20"},
	{"a trace", "/api/logs?trace_id=00000000000000000000000000c0ffee"},
	{"errors by service by minute", "/api/logs/stats?q=level:error&by=service&step=1m&limit=20"},
	{"95th percentile by service", "/api/logs/stats?q=service:%S&metrics=p95(response_time_ms)&step=1m"},
	{"histogram", "/api/logs/histogram?q=level:>=warn"},
	{"facets", "/api/logs/facets?q=service:%S&fields=host,level"},
	{"dashboard", "/api/metrics?start=now-1h&step=1m"},
	{"dashboard of a service", "/api/metrics?start=now-1h&service=%S"},
}

// crowdAnswer is how a kind of query was answered, ms.
type crowdAnswer struct {
	Query   string  `json:"query"`
	Answers int     `json:"answers"`
	Partial int     `json:"partial"`
	P50     float64 `json:"p50_ms"`
	P95     float64 `json:"p95_ms"`
	Max     float64 `json:"max_ms"`
}

// BenchmarkCrowd is `make bench-crowd`: CLIENTS people who ask mixed queries, each half a second after an answer on average, while RATE lines a
// second come in and alerts fire. It prints how fast they are answered, what the services' memory grows to, and the alerts' latency without them and
// with them; an answer that is an error fails it.
//
//	CLIENTS=20   RATE=20000   PROBES=200   firings each time
func BenchmarkCrowd(b *testing.B) {
	for range b.N {
		s := stack.New(b, setting(b, "NODES", 1))
		names := []string{"collector", "processor", "alert-evaluator", "api"}
		for _, n := range names {
			s.Start(n, n, strings.ToUpper(strings.ReplaceAll(n, "-", "_"))+"_PORT="+strconv.Itoa(s.Port(n)), "COMPACTION_AFTER=10s", "LOG_LEVEL=warn", "API_MEMORY_MB=256", "API_CALLER_QUERIES=50", "API_CALLER_BUDGET=1000")
		}
		for _, n := range names {
			s.AwaitReady(n)
		}
		l := listen(b, s)
		rate, n := setting(b, "RATE", 20_000), setting(b, "PROBES", 200)
		p := probes[0]
		call(b, s, http.MethodPost, "/api/alert-rules", map[string]any{"name": p.at(rate), "filter": fmt.Sprintf("request_path = '%s'", p.path(rate)), "time_window": "5s",
			"condition": "COUNT(*)", "threshold": 1, "group_by": perUser})
		stop := background(b, s, rate)
		p.send(b, s, rate, p.users, 20*time.Millisecond)
		pause(12 * time.Second)
		alone := crowdLatency(b, s, l, rate, n)
		before := memories(b, s, names)
		people := gather(b, s, setting(b, "CLIENTS", 20))
		pause(12 * time.Second) // the users' windows are empty again
		together := crowdLatency(b, s, l, rate, n)
		answers := people()
		after := memories(b, s, names)
		reached := stop()
		fmt.Printf("\n%d lines/s asked for, %.0f reached, load average %s\n", rate, reached, loadAverage(b))
		fmt.Printf("alerts, ms: alone p50 %.0f p99 %.0f, with the crowd p50 %.0f p99 %.0f\n", alone.P50, alone.P99, together.P50, together.P99)
		fmt.Printf("%-32s %8s %8s %9s %9s %9s\n", "query", "answers", "partial", "p50 ms", "p95 ms", "max ms")
		for _, a := range answers {
			fmt.Printf("%-32s %8d %8d %9.0f %9.0f %9.0f\n", a.Query, a.Answers, a.Partial, a.P50, a.P95, a.Max)
		}
		fmt.Printf("memory, MB, before and after: %v %v\n", before, after)
		raw, err := json.MarshalIndent(map[string]any{"alerts_alone": alone, "alerts_with_crowd": together, "answers": answers, "memory_mb": after, "background_reached": reached}, "", " ")
		require.NoError(b, err)
		fmt.Printf("\n%s\n", raw)
	}
}

func crowdLatency(b *testing.B, s *stack.Stack, l *listener, rate, n int) latency {
	b.Helper()
	sent := make([][]sentProbe, len(probes))
	sent[0] = probes[0].send(b, s, rate, n, 200*time.Millisecond)
	l.await(sent, rate)
	m := l.summary(probes[0], rate, sent[0], decisions(b, s))
	require.Zero(b, m.Missing, "firings that never came")
	return m
}

// gather lets people ask until the function that it returns is called.
func gather(b *testing.B, s *stack.Stack, clients int) (dismiss func() []crowdAnswer) {
	b.Helper()
	var mu sync.Mutex
	times, partial := map[string][]float64{}, map[string]int{}
	end := make(chan struct{})
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(c), 1))
			for {
				select {
				case <-end:
					return
				case <-time.After(time.Duration(rng.IntN(1000)) * time.Millisecond):
				}
				q := crowdQueries[rng.IntN(len(crowdQueries))]
				path := strings.NewReplacer("%S", fmt.Sprintf("service-%03d", rng.IntN(200)), "%s", []string{"timeout", "connection", "failed", "cache"}[rng.IntN(4)]).Replace(q.path)
				took, part, err := askOnce(s.URL("api") + path)
				if err != nil {
					b.Errorf("%s: %v", path, err)
					return
				}
				mu.Lock()
				times[q.name] = append(times[q.name], took)
				if part {
					partial[q.name]++
				}
				mu.Unlock()
			}
		})
	}
	return func() (out []crowdAnswer) {
		close(end)
		wg.Wait()
		for _, q := range crowdQueries {
			all := times[q.name]
			slices.Sort(all)
			out = append(out, crowdAnswer{q.name, len(all), partial[q.name], quantile(all, 0.5), quantile(all, 0.95), quantile(all, 1)})
		}
		return out
	}
}

func askOnce(address string) (took float64, partial bool, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, false, err
	}
	u.RawQuery = strings.NewReplacer("[", "%5B", "]", "%5D", "{", "%7B", "}", "%7D", ">", "%3E").Replace(u.RawQuery)
	began := time.Now()
	resp, err := http.Get(u.String())
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, false, err
	}
	took = ms(time.Since(began))
	if resp.StatusCode != http.StatusOK {
		return 0, false, fmt.Errorf("%s: %.300s", resp.Status, body)
	}
	var said struct {
		Partial bool `json:"partial"`
	}
	err = json.Unmarshal(body, &said)
	return took, said.Partial, err
}

// memories are the services' resident sets, MB.
func memories(b *testing.B, s *stack.Stack, names []string) map[string]int {
	b.Helper()
	out := map[string]int{}
	for _, n := range names {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.Pid(n)))
		require.NoError(b, err)
		pages, err := strconv.Atoi(strings.Fields(string(raw))[1])
		require.NoError(b, err)
		out[n] = pages * os.Getpagesize() >> 20
	}
	return out
}
