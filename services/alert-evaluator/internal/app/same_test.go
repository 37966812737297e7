package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// history writes a seeded stretch of logs to logs.enriched, a block a partition and half second, and returns how to store its blocks in a database.
func (w *world) history(seed uint64, t0 time.Time, length time.Duration) (store func(*world), last map[int32]int64) {
	w.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	names := map[int32][]string{}
	for i := 0; len(names[0]) < 3 || len(names[1]) < 3 || len(names[2]) < 3; i++ {
		n := fmt.Sprintf("svc-%d", i)
		h := contract.Home(n, w.kafka.Partitions)
		names[h] = append(names[h], n)
	}
	b, err := block.NewBuilder(block.Options{})
	require.NoError(w.t, err)
	var stores []func(*world)
	next := map[int32]int64{}
	last = map[int32]int64{}
	publish := func(p int32, from time.Time, n int) {
		watermark := from.Add(400 * time.Millisecond)
		off := next[p]
		next[p]++
		recs := make([]logrec.Record, n)
		for i := range recs {
			eval := from.Add(time.Duration(rng.IntN(900))*time.Millisecond + time.Millisecond).UnixNano()
			eval = max(eval, from.Add(-100*time.Millisecond).UnixNano()+1)
			recs[i] = logrec.Record{Timestamp: eval, EvalTime: eval, Service: names[p][rng.IntN(3)], Level: []logrec.Level{logrec.LevelInfo, logrec.LevelError}[rng.IntN(2)],
				Message: fmt.Sprintf("line %d", rng.IntN(20)), HasResponseTime: true, ResponseTimeMS: float64(rng.IntN(300)), SrcOffset: off, SrcRow: int32(i)}
		}
		blk, err := b.Build(recs)
		require.NoError(w.t, err)
		h := contract.Enriched{Stream: 1, Partition: p, From: off, To: off, Prev: off - 1, Rows: n, Watermark: watermark.UnixNano(), Checksum: blk.Meta.Checksum}
		require.NoError(w.t, w.pub.Publish(context.Background(), contract.TopicEnriched, p, nil, blk.Data, h.Headers()))
		data := append([]byte(nil), blk.Data...)
		stores = append(stores, func(w *world) {
			res, err := w.db.Blob.Exec(`INSERT INTO block (stream_id, part, from_offset, to_offset, prev_to, row_count, byte_count, checksum, min_time_ns, max_time_ns, level_mask, services, watermark_ns, change_seq, created_at)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, 0, 0, 8, '[]', ?, 1, NOW())`, p, off, off, off-1, n, len(data), h.Checksum, watermark.UnixNano())
			require.NoError(w.t, err)
			id, err := res.LastInsertId()
			require.NoError(w.t, err)
			_, err = w.db.Blob.Exec(`INSERT INTO block_data (block_id, data) VALUES (?, ?)`, id, data)
			require.NoError(w.t, err)
		})
	}
	for at := t0; at.Before(t0.Add(length)); at = at.Add(500 * time.Millisecond) {
		for p := range w.kafka.Partitions {
			if rng.IntN(5) > 0 {
				publish(p, at, 1+rng.IntN(6))
			} else {
				w.heartbeat(p, next[p], at.Add(400*time.Millisecond))
			}
		}
	}
	for p := range w.kafka.Partitions {
		w.heartbeat(p, next[p], t0.Add(length+30*time.Second))
		last[p] = t0.Add(length + 30*time.Second).UnixNano()
	}
	return func(w *world) {
		for _, s := range stores {
			s(w)
		}
	}, last
}

// outbox is everything that was decided from the log, by source and number; meta alerts depend on the clock.
func (w *world) outbox() []string {
	w.t.Helper()
	rows, err := w.db.Text.Query(`SELECT source, seq, event FROM alert_outbox WHERE source <> 'm' ORDER BY source, seq`)
	require.NoError(w.t, err)
	defer rows.Close()
	var out []string
	for rows.Next() {
		var source, event string
		var seq int64
		require.NoError(w.t, rows.Scan(&source, &seq, &event))
		out = append(out, fmt.Sprintf("%s:%d %s", source, seq, event))
	}
	require.NoError(w.t, rows.Err())
	return out
}

// done waits until all partitions and the global shard have come to the end of the history.
func (w *world) done(end map[int32]int64, while func()) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		while()
		var parts int
		var global int64
		require.NoError(w.t, w.db.Text.QueryRow(`SELECT COUNT(*) FROM alert_partition WHERE watermark_ns >= ?`, end[0]).Scan(&parts))
		_ = w.db.Text.QueryRow(`SELECT tick FROM alert_global`).Scan(&global) // no row yet: 0
		return parts == len(end) && global*int64(250*time.Millisecond) >= end[0]
	}, 4*time.Minute, 100*time.Millisecond)
}

// evaluatorBinary builds the service, so that it can be killed.
func evaluatorBinary(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "alert-evaluator")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/logmill/logmill/services/alert-evaluator/cmd/alert-evaluator").CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

func (w *world) spawn(bin string) *exec.Cmd {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(w.t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(w.t, l.Close())
	cmd := exec.Command(bin)
	cmd.Env = append(os.Environ(), "MYSQL_HOST="+w.my.Host, "MYSQL_PORT="+strconv.Itoa(w.my.Port), "MYSQL_USER="+w.my.User, "MYSQL_PASSWORD="+w.my.Password.Reveal(), "MYSQL_DATABASE="+w.my.Database,
		"KAFKA_BROKERS="+strings.Join(w.kafka.Brokers, ","), "KAFKA_TOPIC_PREFIX="+w.kafka.TopicPrefix, "KAFKA_PARTITIONS="+strconv.Itoa(int(w.kafka.Partitions)), "ALERT_EVALUATOR_PORT="+strconv.Itoa(port), "LOG_LEVEL=error")
	require.NoError(w.t, cmd.Start())
	return cmd
}

// TestSameAlertsAlways: over one history on a real Kafka, one calm evaluator and three that are killed with SIGKILL leave the same outbox, byte for
// byte. The proof, with the whole pipeline and many kills, is compose/e2e's (make test-alerts).
func TestSameAlertsAlways(t *testing.T) {
	t.Parallel()
	const kills = 2
	calm := newWorld(t, testkit.RealKafka(t))
	t0 := time.Now().Add(-4 * time.Minute).Truncate(time.Second).UTC()
	store, end := calm.history(5, t0, 150*time.Second)
	chaos := newWorld(t, calm.kafka)
	rules := []rule.Rule{
		{Name: "errors", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", GroupBy: []string{"service"}, Threshold: 9, TimeWindow: rule.Window(5 * time.Second)},
		{Name: "ratio", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)", Threshold: 55, TimeWindow: rule.Window(5 * time.Second), For: rule.Duration(time.Second)},
		{Name: "slow", Condition: "P95(response_time_ms)", Operator: ">", Threshold: 290, TimeWindow: rule.Window(10 * time.Second), KeepFiringFor: rule.Duration(2 * time.Second)},
		{Name: "quiet", Condition: "COUNT(*)", GroupBy: []string{"service"}, Operator: "<", Threshold: 1, TimeWindow: rule.Window(5 * time.Second)},
		{Name: "texts", Condition: "COUNT(DISTINCT message)", Threshold: 20, TimeWindow: rule.Window(3 * time.Second)},
	}
	for _, w := range []*world{calm, chaos} {
		store(w)
		for i, r := range rules {
			w.addRule(i+1, t0.Add(time.Duration(i)*time.Second), r)
		}
	}
	_, stop := calm.run()
	calm.done(end, func() {})
	stop()
	want := calm.outbox()
	require.Greater(t, len(want), 50)

	bin := evaluatorBinary(t)
	replicas := make([]*exec.Cmd, 3)
	for i := range replicas {
		replicas[i] = chaos.spawn(bin)
	}
	t.Cleanup(func() {
		for _, r := range replicas {
			_ = r.Process.Kill()
			_ = r.Wait()
		}
	})
	rng := rand.New(rand.NewPCG(1, 1))
	killed, at := 0, time.Now()
	chaos.done(end, func() {
		for i, r := range replicas { // one that starts over from what is stored ends, and whoever supervises it starts it again
			if r.Process.Signal(syscall.Signal(0)) != nil {
				replicas[i] = chaos.spawn(bin)
			}
		}
		if killed < kills && time.Since(at) > time.Duration(500+rng.IntN(4000))*time.Millisecond {
			i := rng.IntN(3)
			_ = replicas[i].Process.Kill()
			_ = replicas[i].Wait()
			replicas[i] = chaos.spawn(bin)
			killed, at = killed+1, time.Now()
		}
	})
	got := chaos.outbox()
	t.Logf("%d events, %d kills", len(want), killed)
	for i := range max(len(want), len(got)) {
		require.Less(t, i, min(len(want), len(got)), "%d events and %d", len(want), len(got))
		require.Equal(t, want[i], got[i])
	}
}
