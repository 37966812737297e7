package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPruneEvents: old events that are dealt with go, in batches, and nothing behind one that is still to be sent.
func TestPruneEvents(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ctx := context.Background()
	add := func(source string, from, to, sent, days int) {
		_, err := db.Text.Exec(`INSERT INTO alert_outbox (stream_id, source, seq, fingerprint, tick_ns, event, sent, created_at)
WITH RECURSIVE n (i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT /*+ SET_VAR(cte_max_recursion_depth = 5000) */ 1, ?, i, 'f', 0, '{}', ?, UTC_TIMESTAMP(6) - INTERVAL ? DAY FROM n`, from, to, source, sent, days)
		require.NoError(t, err)
	}
	add("p0", 1, 2500, 1, 40)
	add("p0", 2501, 2510, 1, 1)
	add("p1", 1, 3, 2, 40)
	add("p1", 4, 4, 0, 40)
	add("p1", 5, 5, 1, 40)
	add("g", 1, 2, 1, 1)
	var total int64
	for turn, more := 0, true; more; turn++ {
		require.Less(t, turn, 4)
		var n int64
		var err error
		n, more, err = s.PruneEvents(ctx, 30*24*time.Hour)
		require.NoError(t, err)
		require.LessOrEqual(t, n, int64(pruneBatch+3))
		total += n
	}
	require.EqualValues(t, 2503, total)
	left := map[string][2]int64{}
	for _, source := range []string{"p0", "p1", "g"} {
		var v [2]int64
		require.NoError(t, db.Text.QueryRow(`SELECT MIN(seq), COUNT(*) FROM alert_outbox WHERE source = ?`, source).Scan(&v[0], &v[1]))
		left[source] = v
	}
	require.Equal(t, map[string][2]int64{"p0": {2501, 10}, "p1": {4, 2}, "g": {1, 2}}, left)
}

// TestPruneEpisodes: what fires stays, however old.
func TestPruneEpisodes(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	now := time.Now().UnixNano()
	day := int64(24 * time.Hour)
	for i, ends := range []int64{0, now - 91*day, now - 89*day, now - 400*day} {
		_, err := db.Text.Exec(`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, ends_ns, rule_id, rule_version, rule_name, team, severity, service, reason, note, event, updated_at)
VALUES (?, ?, 0, ?, 1, 1, '', '', '', '', '', '', '{}', NOW())`, i, now-500*day, ends)
		require.NoError(t, err)
	}
	n, more, err := s.PruneEpisodes(context.Background(), 90*24*time.Hour)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.False(t, more)
	var left string
	require.NoError(t, db.Text.QueryRow(`SELECT GROUP_CONCAT(fingerprint ORDER BY fingerprint) FROM alert_instance`).Scan(&left))
	require.Equal(t, "0,2", left)
}

// TestPruneStreams: what is left of a stream that nobody evaluates any more goes, in batches; the others keep all of theirs.
func TestPruneStreams(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	for stream, days := range map[int]int{1: 0, 2: 100, 3: 80, 4: 400} {
		for _, q := range []string{
			`INSERT INTO alert_partition (stream_id, part, updated_at) SELECT ?, n.part, UTC_TIMESTAMP(6) - INTERVAL ? + n.part DAY FROM (SELECT 0 part UNION SELECT 1) n`,
			`INSERT INTO alert_outbox (stream_id, source, seq, fingerprint, tick_ns, event, sent, created_at) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 950)
SELECT /*+ SET_VAR(cte_max_recursion_depth = 5000) */ ?, IF(i < 400, 'p0', 'g'), i + ?, 'f', 0, '{}', 0, NOW() FROM n`,
			`INSERT INTO alert_partial (stream_id, part, to_tick, cells) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 130) SELECT ?, 0, i + ?, '' FROM n`,
			`INSERT INTO alert_snapshot (stream_id, source, chunk, next_offset, source_next, out_seq, rule_seq, state) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 13) SELECT ?, 'g', i + ?, 0, 0, 0, 0, '' FROM n`,
			`INSERT INTO alert_status (stream_id, source, status, updated_at) SELECT ?, 'g', '{}', NOW() - INTERVAL ? DAY`,
			`INSERT INTO alert_problem (stream_id, kind, part, service, rule_id, since_ns, event_ns, detail, fingerprint) VALUES (?, 'lost', ?, '', 0, 0, 0, '', '')`,
			`INSERT INTO alert_watch (stream_id, epoch, owner, checked_at) VALUES (?, 1, ?, NOW())`,
			`INSERT INTO alert_global (stream_id, epoch, owner, tick, out_seq, lease_at) VALUES (?, 1, ?, 0, 0, NOW())`,
		} {
			_, err := db.Text.Exec(q, stream, days)
			require.NoError(t, err, q)
		}
	}
	count := func() map[string]int64 {
		out := map[string]int64{}
		for _, table := range []string{"alert_partition", "alert_outbox", "alert_partial", "alert_snapshot", "alert_status", "alert_problem", "alert_watch", "alert_global"} {
			for stream := range 5 {
				var n int64
				require.NoError(t, db.Text.QueryRow(`SELECT COUNT(*) FROM `+table+` WHERE stream_id = ?`, stream).Scan(&n))
				if n > 0 {
					out[fmt.Sprint(table, stream)] = n
				}
			}
		}
		return out
	}
	want := count()
	gone := int64(0)
	for k, n := range want {
		if strings.HasSuffix(k, "2") || strings.HasSuffix(k, "4") {
			delete(want, k)
			gone += n
		}
	}
	var total int64
	for turn, more := 0, true; more; turn++ {
		require.Less(t, turn, 20)
		var n int64
		var err error
		n, more, err = s.PruneStreams(context.Background(), 90*24*time.Hour)
		require.NoError(t, err)
		require.LessOrEqual(t, n, int64(pruneBatch+200))
		total += n
	}
	require.Equal(t, want, count())
	require.Equal(t, gone, total)
}
