package app

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

func get(t *testing.T, a *App, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + a.Addr() + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

// TestScrub: a stored block whose bytes have changed, and one whose bytes are gone, are found without anybody asking for them, and named in
// the table, in metrics and in readiness, which stays ready; what is mended is found out too.
func TestScrub(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	s.tune = func(c *Config) { c.CompactAfter, c.ScrubEvery = 0, time.Nanosecond } // all is always due
	a, stop := s.start(t)
	s.send(t, rand.New(rand.NewPCG(3, 3)), 20)
	s.requireExact(t)
	const damaged = "SELECT COUNT(*) FROM block WHERE damaged_at IS NOT NULL"
	require.Eventually(t, func() bool { return !strings.Contains(get(t, a, "/metrics"), "scrubbed_blocks_total 0") }, 60*time.Second, 50*time.Millisecond)
	require.Zero(t, s.number(t, damaged))

	first, second := s.number(t, "SELECT MIN(block_id) FROM block_data"), s.number(t, "SELECT MAX(block_id) FROM block_data")
	var data []byte
	require.NoError(t, s.db.Blob.QueryRow("SELECT data FROM block_data WHERE block_id = ?", first).Scan(&data))
	broken := append([]byte{}, data...)
	broken[len(broken)/2] ^= 4
	s.exec(t, "UPDATE block_data SET data = ? WHERE block_id = ?", broken, first)
	s.exec(t, "UPDATE block_data SET block_id = block_id + 1000 WHERE block_id = ?", second)
	require.Eventually(t, func() bool { return s.number(t, damaged) == 2 }, 60*time.Second, 50*time.Millisecond)
	require.Equal(t, http.StatusOK, readyz(t, a))
	require.Contains(t, get(t, a, "/readyz"), "2 stored blocks are damaged and left out of answers: block ")
	require.Contains(t, get(t, a, "/metrics"), "logmill_processor_damaged_blocks 2")

	s.exec(t, "UPDATE block_data SET data = ? WHERE block_id = ?", data, first)
	s.exec(t, "UPDATE block_data SET block_id = ? WHERE block_id = ?", second, second+1000)
	require.Eventually(t, func() bool { return s.number(t, damaged) == 0 }, 60*time.Second, 50*time.Millisecond)
	stop()
}

func (s *system) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := s.db.Blob.ExecContext(context.Background(), query, args...)
	require.NoError(t, err)
}

// TestLaps: all is read within a lap's time, whatever comes in meanwhile, and no sooner.
func TestLaps(t *testing.T) {
	t.Parallel()
	l := lap{began: 1000, total: 500}
	require.EqualValues(t, 0, l.due(1000, time.Hour))
	require.EqualValues(t, 250, l.due(1000+int64(30*time.Minute), time.Hour))
	require.EqualValues(t, 750, l.due(1000+int64(90*time.Minute), time.Hour))
}

// TestRetentionOfAPartition: what is too old leaves the set, the newest block included, and what comes after it follows it.
func TestRetentionOfAPartition(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	r := rand.New(rand.NewPCG(4, 4))
	s.tune = func(c *Config) { c.CompactAfter = 0 }
	_, stop := s.start(t)
	s.send(t, r, 20)
	s.requireExact(t)
	stop()
	s.exec(t, "UPDATE block SET created_at = created_at - INTERVAL 3 HOUR, day = day - 1")
	for _, table := range []string{"block_data", "block_filter"} {
		s.exec(t, "UPDATE "+table+" SET day = day - 1")
	}
	s.tune = func(c *Config) { c.CompactAfter, c.Retention = 0, 2*time.Hour }
	_, stop = s.start(t)
	require.Eventually(t, func() bool { return s.number(t, "SELECT COUNT(*) FROM block WHERE retired_seq IS NULL") == 0 }, 60*time.Second, 50*time.Millisecond)
	stop()
	last := s.number(t, "SELECT SUM(prev) FROM (SELECT MAX(to_offset) AS prev FROM block GROUP BY part) b")
	s.exec(t, "UPDATE block SET retired_at = retired_at - INTERVAL 1 HOUR")
	_, stop = s.start(t)
	require.Eventually(t, func() bool { return s.number(t, "SELECT COUNT(*) FROM block WHERE byte_count > 0") == 0 }, 60*time.Second, 50*time.Millisecond)
	sent := s.sent
	s.send(t, r, 40)
	require.Eventually(t, func() bool {
		return s.number(t, "SELECT COALESCE(SUM(row_count), 0) FROM block WHERE byte_count > 0") == s.sent-sent
	}, 60*time.Second, 50*time.Millisecond)
	stop()
	require.Equal(t, last, s.number(t, "SELECT SUM(prev) FROM (SELECT MIN(prev_to) AS prev FROM block WHERE byte_count > 0 GROUP BY part) b"), "no gap between what is gone and what came after")
	require.NotZero(t, s.number(t, "SELECT MIN(retained_from_ns) FROM partition_progress"))
}

// TestRetentionOfAnOrphan: a stream that nobody has read for a week loses what is too old as well, down to its last block, and one that was read
// a day ago is left to its owner.
func TestRetentionOfAnOrphan(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	for id, days := range map[int]int{901: 8, 902: 1} {
		s.exec(t, "INSERT INTO stream (id, cluster_id, topic, topic_id, partitions, created_at) VALUES (?, 'gone', 'logs.raw', ?, 6, NOW())", id, id)
		s.exec(t, "INSERT INTO partition_progress (stream_id, part, epoch, next_offset, updated_at) VALUES (?, 0, 7, 5, UTC_TIMESTAMP(6) - INTERVAL ? DAY)", id, days)
		s.exec(t, "INSERT INTO window_data VALUES (?, 0, 1000, 0, 1, '')", id)
		s.exec(t, "INSERT INTO error_hour VALUES (?, 0, 0, 0, 1, '')", id)
		s.exec(t, "INSERT INTO block (stream_id, part, from_offset, to_offset, prev_to, row_count, byte_count, checksum, min_time_ns, max_time_ns, level_mask, services, watermark_ns, change_seq, day, created_at) VALUES (?, 0, 0, 4, -1, 1, 10, 0, 0, 0, 0, '[]', 0, 1, TO_DAYS(UTC_TIMESTAMP()) - TO_DAYS('1970-01-01') - 9, UTC_TIMESTAMP(6) - INTERVAL 9 DAY)", id)
	}
	s.tune = func(c *Config) { c.Retention, c.WindowsFor, c.HoursFor = 24*time.Hour, 24*time.Hour, 24*time.Hour }
	_, stop := s.start(t)
	require.Eventually(t, func() bool {
		return s.number(t, "SELECT COUNT(*) FROM block WHERE stream_id = 901 AND retired_seq = 1") == 1 && s.number(t, "SELECT (SELECT COUNT(*) FROM window_data WHERE stream_id = 901) + (SELECT COUNT(*) FROM error_hour WHERE stream_id = 901)") == 0
	}, 60*time.Second, 50*time.Millisecond)
	s.exec(t, "UPDATE block SET retired_at = retired_at - INTERVAL 1 HOUR WHERE retired_seq IS NOT NULL")
	require.Eventually(t, func() bool {
		return s.number(t, "SELECT COUNT(*) FROM block WHERE stream_id = 901 AND byte_count > 0") == 0
	}, 60*time.Second, 50*time.Millisecond)
	stop()
	require.Equal(t, 1, s.number(t, "SELECT COUNT(*) FROM block WHERE stream_id = 902 AND retired_seq IS NULL"))
	require.Equal(t, 1, s.number(t, "SELECT COUNT(*) FROM window_data WHERE stream_id = 902"))
}
