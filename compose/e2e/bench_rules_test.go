package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// rulesMeasure is what many enabled rules cost the running evaluator.
type rulesMeasure struct {
	Rules            int       `json:"rules"`
	Records          int       `json:"records"`
	RecordsPerSecond float64   `json:"records_per_second"`     // of the clock: it has the machine with Kafka and MySQL
	RecordsPerCPU    float64   `json:"records_per_cpu_second"` // of its own processor time, once it has begun to read
	EventSeconds     float64   `json:"event_seconds"`          // that the records are of: four ticks each, which cost as much as the records
	PeakMB           int       `json:"peak_mb"`
	ReadyMS          float64   `json:"start_to_first_record_ms"` // the group's session time-out (it was killed), compiling the rules, restoring the states of all partitions
	ChangeMS         []float64 `json:"change_to_event_ms"`       // from the api's answer to the event that the change causes, sorted
	Load             string    `json:"load_average"`
}

// measureRules lets lines pile up while the evaluator is away, and times it going through them under so many rules; then rules are changed.
func measureRules(b *testing.B, s *stack.Stack, l *listener) *rulesMeasure {
	b.Helper()
	m := &rulesMeasure{Rules: setting(b, "RULES", 10_000), Records: setting(b, "LINES", 1_000_000)}
	db := testkit.DB(b, s.MySQL)
	insertRules(b, db, m.Rules)
	stop := background(b, s, 2000)
	pause(20 * time.Second) // they are in force, know all services, and are in a snapshot
	stop()
	require.NoError(b, s.Kill("alert-evaluator"))
	began := time.Now()
	pile(b, s, db, m.Records)
	m.EventSeconds = time.Since(began).Seconds()
	m.throughput(b, s, db)
	m.changes(b, s, l)
	m.Load = loadAverage(b)
	fmt.Printf("\n%d rules, load average %s: %d records of %.0f s at %.0f/s, %.0f/s of its processor time; peak %d MB; the first record %.0f ms after its start\n", m.Rules, m.Load, m.Records, m.EventSeconds, m.RecordsPerSecond, m.RecordsPerCPU, m.PeakMB, m.ReadyMS)
	fmt.Printf("from a rule's change to the event that it causes: p50 %.0f ms, max %.0f ms (%d changes; a change is in force after 2 s)\n", quantile(m.ChangeMS, 0.5), quantile(m.ChangeMS, 1), len(m.ChangeMS))
	return m
}

// insertRules writes rules as the api does, in the mix of BenchmarkFold: 60 % of one of the generator's services, 30 % grouped by service, 10 % over
// everything.
func insertRules(b *testing.B, db *mysqlx.DB, n int) {
	b.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	tx, err := db.Text.Begin()
	require.NoError(b, err)
	defer func() { _ = tx.Rollback() }() // after a commit nothing
	var seq, id, effective int64
	require.NoError(b, tx.QueryRow(`SELECT seq FROM rule_clock WHERE id = 1 FOR UPDATE`).Scan(&seq))
	require.NoError(b, tx.QueryRow(`SELECT COALESCE(MAX(id), 0) FROM alert_rule`).Scan(&id))
	require.NoError(b, tx.QueryRow(`SELECT (TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) + 5000000) * 1000`).Scan(&effective))
	for i := range n {
		r := mixedRule(rng, i)
		raw, err := json.Marshal(r)
		require.NoError(b, err)
		seq, id = seq+1, id+1
		_, err = tx.Exec(`INSERT INTO alert_rule (id, name, version, definition, created_at, updated_at) VALUES (?, ?, 1, ?, NOW(6), NOW(6))`, id, r.Name, raw)
		require.NoError(b, err)
		_, err = tx.Exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, deleted, created_at) VALUES (?, ?, 1, ?, ?, 0, NOW(6))`, seq, id, effective/250e6*250e6, raw)
		require.NoError(b, err)
	}
	_, err = tx.Exec(`UPDATE rule_clock SET seq = ?`, seq)
	require.NoError(b, err)
	require.NoError(b, tx.Commit())
}

func mixedRule(rng *rand.Rand, i int) rule.Rule {
	c := 100 * (1 + rng.IntN(10))
	r := rule.Rule{Name: fmt.Sprintf("one of many %d", i), Enabled: true, Threshold: 1e9, Operator: ">", TimeWindow: rule.Window([]time.Duration{time.Minute, 5 * time.Minute}[rng.IntN(2)])}
	switch rng.IntN(4) {
	case 0:
		r.Condition = fmt.Sprintf("COUNT(CASE WHEN response_time_ms > %d THEN 1 END)", c)
	case 1:
		r.Condition = fmt.Sprintf("COUNT(CASE WHEN response_time_ms > %d THEN 1 END) * 100.0 / COUNT(*)", c)
	case 2:
		r.Condition = "AVG(response_time_ms)"
	default:
		r.Condition = "COUNT(CASE WHEN level = 'error' THEN 1 END)"
	}
	switch k := rng.IntN(10); {
	case k < 6:
		r.Filter = fmt.Sprintf("service = 'service-%03d'", rng.IntN(200))
	case k < 9:
		r.GroupBy = []string{"service"}
	}
	r.Normalize()
	return r
}

// pile sends lines as fast as they are taken, and waits until they are stored.
func pile(b *testing.B, s *stack.Stack, db *mysqlx.DB, lines int) {
	b.Helper()
	count := func() (n int) {
		require.NoError(b, db.Text.QueryRow(`SELECT COALESCE(SUM(row_count), 0) FROM block WHERE retired_seq IS NULL`).Scan(&n))
		return n
	}
	want := count() + lines
	out, err := exec.Command(s.Program("loggen"), "--url", s.URL("collector")+"/api/logs", "--profile", "bench", "--lines", strconv.Itoa(lines), "--batch", "1000", "--concurrency", "6").CombinedOutput()
	require.NoError(b, err, string(out))
	waitFor(b, "storing the lines", func() (string, bool) { n := count(); return strconv.Itoa(n), n >= want })
}

// throughput starts the evaluator and waits until it has seen all that is stored.
func (m *rulesMeasure) throughput(b *testing.B, s *stack.Stack, db *mysqlx.DB) {
	b.Helper()
	behind := func() (n int64) {
		require.NoError(b, db.Text.QueryRow(`SELECT COALESCE(SUM(GREATEST(0, CAST(p.next_offset AS SIGNED) - CAST(a.source_next AS SIGNED))), 0) FROM partition_progress p JOIN alert_partition a USING (stream_id, part)`).Scan(&n))
		return n
	}
	began := time.Now()
	require.NoError(b, s.Restart("alert-evaluator"))
	s.AwaitReady("alert-evaluator")
	first, rows, starting := time.Time{}, 0.0, time.Duration(0)
	waitFor(b, "catching up", func() (string, bool) {
		if rows = metricSum(b, s, "logmill_evaluator_rows_total"); rows > 0 && first.IsZero() {
			first = time.Now()
			starting, _ = processUse(b, s.Pid("alert-evaluator"))
		}
		n := behind()
		return fmt.Sprint(n, rows), n == 0
	})
	m.ReadyMS, m.Records = ms(first.Sub(began)), int(rows)
	m.RecordsPerSecond = rows / time.Since(first).Seconds()
	cpu, peak := processUse(b, s.Pid("alert-evaluator"))
	m.RecordsPerCPU, m.PeakMB = rows/(cpu-starting).Seconds(), peak
}

// changes changes a rule to and fro under a light load; each change makes an alert fire, or resolves it.
func (m *rulesMeasure) changes(b *testing.B, s *stack.Stack, l *listener) {
	b.Helper()
	stop := background(b, s, 1000)
	r := map[string]any{"name": "to and fro", "condition": "COUNT(*)", "filter": "service = 'service-000'", "threshold": 1e9, "time_window": "10s"}
	path := fmt.Sprintf("/api/alert-rules/%v", call(b, s, http.MethodPost, "/api/alert-rules", r)["id"])
	pause(15 * time.Second) // its window is full
	for i := range 2 * setting(b, "CHANGES", 10) {
		want, before := []string{"firing", "resolved"}[i%2], time.Now()
		r["threshold"] = []float64{1, 1e9}[i%2]
		call(b, s, http.MethodPut, path, r)
		answered := time.Now()
		waitFor(b, "an event "+want, func() (string, bool) {
			h, ok := l.after(listenKey("to and fro", want, ""), before)
			if ok {
				m.ChangeMS = append(m.ChangeMS, ms(h.at.Sub(answered)))
			}
			return "", ok
		})
		pause(time.Duration(rand.IntN(500)) * time.Millisecond)
	}
	stop()
	slices.Sort(m.ChangeMS)
}

// waitFor looks again and again until done, and fails when nothing moves for minutes.
func waitFor(b *testing.B, what string, look func() (progress string, done bool)) {
	b.Helper()
	last, at := "", time.Now()
	for {
		progress, done := look()
		if done {
			return
		}
		if progress != last {
			last, at = progress, time.Now()
		}
		require.Less(b, time.Since(at), noProgress, "%s hangs at %s", what, progress)
		pause(20 * time.Millisecond)
	}
}

// metricSum is the sum of all series of a metric of the evaluator's.
func metricSum(b *testing.B, s *stack.Stack, name string) (sum float64) {
	b.Helper()
	resp, err := http.Get(s.URL("alert-evaluator") + "/metrics")
	require.NoError(b, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+"{"); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
			require.NoError(b, err)
			sum += v
		}
	}
	return sum
}

// processUse is a process's processor time and the most memory that it had.
func processUse(b *testing.B, pid int) (cpu time.Duration, peakMB int) {
	b.Helper()
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	require.NoError(b, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second: fields 14 and 15 of proc(5)
		n, err := strconv.Atoi(f)
		require.NoError(b, err)
		cpu += time.Duration(n) * 10 * time.Millisecond
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(b, err)
	return cpu, kb >> 10
}
