package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// world is a broker and a database as a processor leaves them.
type world struct {
	t     *testing.T
	kafka config.Kafka
	my    config.MySQL
	db    *mysqlx.DB
	pub   *bus.Publisher
}

func newWorld(t *testing.T, kafka config.Kafka) *world {
	t.Helper()
	w := &world{t: t, kafka: kafka, my: testkit.MySQL(t)}
	w.db = testkit.DB(t, w.my)
	w.pub = bus.NewPublisher(kafka, "test", true, zerolog.Nop())
	t.Cleanup(func() { require.NoError(t, w.pub.Close()) })
	_, err := w.db.Text.Exec(`DELETE FROM rule_version`) // the sample rules: a test has its own
	require.NoError(t, err)
	cluster, id, n, err := testkit.BusClient(t, kafka).Identity(context.Background(), contract.TopicRaw)
	require.NoError(t, err)
	_, err = w.db.Text.Exec(`INSERT INTO stream (cluster_id, topic, topic_id, partitions, created_at) VALUES (?, ?, ?, ?, NOW())`, cluster, kafka.Topic(contract.TopicRaw), id, n)
	require.NoError(t, err)
	return w
}

// publish sends a block of rows lines that holds the offsets from … to. damage changes its bytes after the checksum.
func (w *world) publish(from, to, prev int64, rows int, damage bool) {
	w.t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(w.t, err)
	recs := make([]logrec.Record, rows)
	for i := range recs {
		recs[i] = logrec.Record{Timestamp: from*1000 + int64(i), Service: "s", Level: logrec.LevelInfo, SrcOffset: from}
	}
	blk, err := b.Build(recs)
	require.NoError(w.t, err)
	if damage {
		blk.Data[len(blk.Data)/2] ^= 1
	}
	h := contract.Enriched{Stream: 1, Partition: 0, From: from, To: to, Prev: prev, Rows: rows, Watermark: to * 1000, Checksum: blk.Meta.Checksum}
	require.NoError(w.t, w.pub.Publish(context.Background(), contract.TopicEnriched, 0, nil, blk.Data, h.Headers()))
}

// store writes a block as the processor would have; its records' offsets are the caller's.
func (w *world) store(partition int32, from, to, prev int64, recs []logrec.Record) block.Block {
	w.t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(w.t, err)
	blk, err := b.Build(recs)
	require.NoError(w.t, err)
	res, err := w.db.Blob.Exec(`INSERT INTO block (stream_id, part, from_offset, to_offset, prev_to, row_count, byte_count, checksum, min_time_ns, max_time_ns, level_mask, services, watermark_ns, change_seq, created_at)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, 0, 0, 8, '[]', 0, 1, NOW())`, partition, from, to, prev, len(recs), len(blk.Data), blk.Meta.Checksum)
	require.NoError(w.t, err)
	id, err := res.LastInsertId()
	require.NoError(w.t, err)
	_, err = w.db.Blob.Exec(`INSERT INTO block_data (block_id, data) VALUES (?, ?)`, id, blk.Data)
	require.NoError(w.t, err)
	return blk
}

// at is n error lines of a service at a moment and an offset.
func at(offset int64, moment time.Time, service string, n int) []logrec.Record {
	recs := make([]logrec.Record, n)
	for i := range recs {
		recs[i] = logrec.Record{Timestamp: moment.UnixNano(), EvalTime: moment.UnixNano() + int64(i), Service: service, Level: logrec.LevelError, Message: "it broke", SrcOffset: offset, SrcRow: int32(i)}
	}
	return recs
}

// run runs an evaluator until stop is called.
func (w *world) run() (url string, stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, Config{MySQL: w.my, Kafka: w.kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxAge: 5 * time.Minute}, zerolog.Nop())
	require.NoError(w.t, err)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return "http://" + a.Addr(), func() {
		cancel()
		require.NoError(w.t, <-done)
	}
}

// awaits waits for a metric of partition 0 to have a value.
func awaits(t *testing.T, url, metric string, value int) {
	t.Helper()
	want := fmt.Sprintf("logmill_evaluator_%s{partition=\"0\"} %d\n", metric, value)
	text := ""
	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		text = string(b)
		return err == nil && strings.Contains(text, want)
	}, 40*time.Second, 50*time.Millisecond, want)
}

func TestFollowsExactlyAcrossARestart(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		url, stop := w.run()
		w.publish(0, 4, -1, 10, false)
		w.publish(5, 9, 4, 7, false)
		w.publish(5, 9, 4, 7, false) // a new owner of the partition publishes its newest block again
		awaits(t, url, "rows_total", 17)
		awaits(t, url, "repeats_total", 1)
		stop()
		url, stop = w.run()
		w.publish(5, 9, 4, 7, false)
		w.publish(12, 13, 9, 3, false) // 10 and 11 were poison: no gap
		awaits(t, url, "rows_total", 3)
		awaits(t, url, "repeats_total", 1)
		stop()
		var next, source int64
		require.NoError(t, w.db.Text.QueryRow(`SELECT next_offset, source_next FROM alert_partition WHERE part = 0`).Scan(&next, &source))
		require.Equal(t, []int64{5, 14}, []int64{next, source})
	})
}

func TestGapsAreFilledOrSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	w.addRule(1, time.Unix(0, 0), rule.Rule{Name: "any", Condition: "COUNT(*)", GroupBy: []string{"service"}, Threshold: 1e6})
	url, stop := w.run()
	defer stop()
	w.publish(0, 4, -1, 10, false)
	merged := slices.Concat(at(2, time.Unix(1, 0), "s", 20), at(7, time.Unix(1, 0), "s", 100), at(10, time.Unix(1, 0), "s", 1))
	w.store(0, 0, 11, -1, merged) // begins before the gap and ends behind it
	w.publish(10, 11, 9, 1, false)
	awaits(t, url, "gaps_filled_total", 1)
	awaits(t, url, "rows_total", 111)
	w.publish(12, 13, 11, 5, true) // damaged on its way: not folded
	w.publish(14, 15, 13, 1, false)
	awaits(t, url, "damaged_total", 1)
	awaits(t, url, "blind", 1) // and not in MySQL either
	status, failure, _ := readiness(t, url)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, failure, "are missing")
}

// TestADamagedStoredBlockFillsNoGap: what can be read of the gap is taken in, and the partition is blind.
func TestADamagedStoredBlockFillsNoGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testkit.Kafka(t))
	w.addRule(1, time.Unix(0, 0), rule.Rule{Name: "any", Condition: "COUNT(*)", GroupBy: []string{"service"}, Threshold: 1e6})
	url, stop := w.run()
	defer stop()
	w.publish(0, 4, -1, 10, false)
	awaits(t, url, "rows_total", 10)
	w.store(0, 5, 6, 4, at(5, time.Unix(1, 0), "s", 100))
	w.store(0, 7, 9, 6, at(7, time.Unix(1, 0), "s", 5))
	_, err := w.db.Text.Exec(`UPDATE block SET checksum = checksum ^ 1 WHERE from_offset = 5`)
	require.NoError(t, err)
	w.publish(10, 11, 9, 1, false)
	awaits(t, url, "rows_total", 16)
	awaits(t, url, "blind", 1)
}
