package store

import (
	"context"
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
