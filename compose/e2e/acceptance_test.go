package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"context"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/audit"
	"github.com/logmill/logmill/compose/e2e/internal/load"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// answer is what the log routes answer.
type answer struct {
	Logs []struct {
		Timestamp time.Time `json:"timestamp"`
		Level     string    `json:"level"`
		Message   string    `json:"message"`
	} `json:"logs"`
	Total   int  `json:"total"`
	Partial bool `json:"partial"`
}

func find(t *testing.T, s *stack.Stack, params url.Values) answer {
	t.Helper()
	resp, err := http.Get(s.URL("api") + "/api/logs?" + params.Encode())
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(body))
	var a answer
	require.NoError(t, json.Unmarshal(body, &a))
	require.False(t, a.Partial, string(body[:min(len(body), 300)]))
	return a
}

// stored waits until all that was acknowledged is stored.
func stored(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(t, audit.AwaitStored(ctx, s.MySQL, s.Kafka))
}

// greps are what is counted in each system's log: chosen to be frequent, rare, at the border of words, and in more than one case.
var greps = map[string][]string{
	"Apache": {"error", "workerEnv.init() ok", "mod_jk child", "Directory index forbidden", "scoreboard slot"},
	"BGL":    {"FATAL", "instruction cache parity error corrected", "generating core", "R02-M1", "kernel"}, "HDFS": {"blk_", "PacketResponder 1", "Received block", "exception", "terminating"},
	"Hadoop": {"ERROR", "Progress of TaskAttempt", "NoRouteToHost", "attempt_14", "retry"}, "Linux": {"authentication failure", "session opened", "ftpd", "rhost=", "user unknown"},
	"OpenSSH": {"Failed password", "Invalid user", "POSSIBLE BREAK-IN", "173.234.31.186", "preauth"}, "Spark": {"Found block", "rdd_", "TID", "ms", "Executor"},
	"Zookeeper": {"WARN", "Connection broken", "Interrupted", "election", "Established session"},
}

// TestRealLogs sends every line of the real logs and compares five counts of each system with grep's.
func TestRealLogs(t *testing.T) {
	dir := testkit.Loghub(t)
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	files := map[string][]string{}
	for system := range greps {
		raw, err := os.ReadFile(filepath.Join(dir, system, system+"_2k.log"))
		require.NoError(t, err)
		for line := range strings.SplitSeq(strings.TrimRight(string(raw), "\r\n"), "\n") {
			files[system] = append(files[system], strings.TrimRight(line, "\r"))
		}
		sendLines(t, s, system, files[system])
	}
	stored(t, s)
	for system, lines := range files {
		require.Equal(t, len(lines), find(t, s, url.Values{"service": {system}, "count": {"true"}, "limit": {"1"}}).Total, system)
		for _, text := range greps[system] {
			want := 0
			for _, l := range lines { // grep -ci
				if strings.Contains(strings.ToLower(l), strings.ToLower(text)) {
					want++
				}
			}
			got := find(t, s, url.Values{"service": {system}, "search": {text}, "count": {"true"}, "limit": {"1"}})
			require.Equal(t, want, got.Total, "%s: grep -ci %q", system, text)
			require.NotZero(t, want, "%s: %q is a bad choice", system, text)
		}
	}
	first := find(t, s, url.Values{"service": {"Apache"}, "order": {"asc"}, "limit": {"1"}}).Logs[0]
	require.Equal(t, time.Date(2005, 12, 4, 4, 47, 44, 0, time.UTC), first.Timestamp, "the time is the text's")
	require.Equal(t, "info", first.Level)
	require.Equal(t, countLevel(files["Zookeeper"], " - WARN "), find(t, s, url.Values{"service": {"Zookeeper"}, "level": {"warn"}, "count": {"true"}}).Total)
}

func countLevel(lines []string, mark string) int {
	n := 0
	for _, l := range lines {
		if strings.Contains(l, mark) {
			n++
		}
	}
	return n
}

func sendLines(t *testing.T, s *stack.Stack, service string, lines []string) {
	t.Helper()
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	for _, l := range lines {
		require.NoError(t, enc.Encode(map[string]string{"service": service, "message": l}))
	}
	resp, err := http.Post(s.URL("collector")+"/api/logs", "application/x-ndjson", &body)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"accepted":%d}`, len(lines)), strings.TrimSpace(string(text)))
}

// TestOutage takes MySQL away under load, then the broker (OUTAGE seconds each): nothing is lost, memory stays bounded, and all recovers.
func TestOutage(t *testing.T) {
	seconds := setting(t, "OUTAGE", 5)
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	ctx, cancel := context.WithCancel(context.Background())
	l := load.Start(ctx, s.URL("collector")+"/api/logs", 3, 9)
	pause(2 * time.Second)
	pid, err := s.MySQLPid()
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP)) // hangs: worse than a refused connection
	pause(time.Duration(seconds) * time.Second)
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	pause(2 * time.Second)
	require.NoError(t, s.Kill("kafka"))
	pause(time.Duration(seconds) * time.Second)
	require.NoError(t, s.Restart("kafka"))
	pause(3 * time.Second)
	cancel()
	report := settle(t, s, l.Wait())
	t.Logf("%d s without MySQL, %d s without Kafka: %s", seconds, seconds, report)
	require.Empty(t, report.Lost, "acknowledged lines were lost")
	require.Empty(t, report.Problems)
	for _, name := range []string{"collector", "processor-1", "alert-evaluator", "api"} {
		mb := peakMB(t, s.Pid(name))
		t.Logf("%s: at most %d MB", name, mb)
		require.Less(t, mb, 300, name)
		require.True(t, s.Alive(name), name)
	}
}

// peakMB is a process's largest resident set so far, MB.
func peakMB(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb int
		if n, _ := fmt.Sscanf(lines.Text(), "VmHWM: %d kB", &kb); n == 1 {
			return kb >> 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// TestGarbageOnTheTopic puts bytes that are no records on logs.raw: they go to logs.dead, and what lies behind them is stored.
func TestGarbageOnTheTopic(t *testing.T) {
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	c := sarama.NewConfig()
	c.Version, c.Producer.Return.Successes, c.Producer.Partitioner = sarama.V2_8_0_0, true, sarama.NewManualPartitioner
	p, err := sarama.NewSyncProducer(s.Kafka.Brokers, c)
	require.NoError(t, err)
	defer p.Close()
	for _, junk := range []string{"\xff\xfe\x00\x01", "{not json", ""} {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: contract.TopicRaw, Partition: 0, Value: sarama.StringEncoder(junk)})
		require.NoError(t, err)
	}
	for i := range 20 {
		sendLines(t, s, fmt.Sprintf("svc-%d", i), []string{"after the garbage"})
	}
	stored(t, s)
	require.Equal(t, 20, find(t, s, url.Values{"search": {"after the garbage"}, "count": {"true"}}).Total)
	sc, err := sarama.NewConsumer(s.Kafka.Brokers, c)
	require.NoError(t, err)
	defer sc.Close()
	pc, err := sc.ConsumePartition(contract.TopicDead, 0, sarama.OffsetOldest)
	require.NoError(t, err)
	defer pc.Close()
	m := <-pc.Messages()
	headers := map[string]string{}
	for _, h := range m.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	d, err := contract.ParseDead(headers)
	require.NoError(t, err)
	require.NotEmpty(t, d.Error)
	require.Equal(t, "\xff\xfe\x00\x01", string(m.Value))
}
