package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

const year = 365 * 24 * time.Hour

// decided is a store whose one partition and global shard have stored states at event time 100.
func decided(t *testing.T) (*Store, *mysqlx.DB) {
	t.Helper()
	db := testkit.DB(t, testkit.MySQL(t))
	for _, q := range []string{
		`DELETE FROM rule_version`,
		`INSERT INTO stream (id, cluster_id, topic, topic_id, partitions, created_at) VALUES (1, 'c', 't', 'i', 1, NOW()), (2, 'c', 't', 'older', 6, NOW())`,
		`INSERT INTO alert_partition (stream_id, part, updated_at) VALUES (1, 0, UTC_TIMESTAMP(6)), (2, 0, UTC_TIMESTAMP(6) - INTERVAL 3 YEAR)`,
		`INSERT INTO alert_snapshot (stream_id, source, chunk, next_offset, source_next, out_seq, rule_seq, watermark_ns, state) VALUES (1, 'p0', 0, 1, 1, 0, 0, 100, ''), (1, 'p0', 1, 1, 1, 0, 0, 100, ''), (1, 'g', 0, 1, 1, 0, 0, 120, '')`,
	} {
		_, err := db.Text.Exec(q)
		require.NoError(t, err, q)
	}
	return New(db), db
}

func versions(t *testing.T, db *mysqlx.DB) string {
	t.Helper()
	var left *string
	require.NoError(t, db.Text.QueryRow(`SELECT GROUP_CONCAT(CONCAT(rule_id, '.', version) ORDER BY seq SEPARATOR ' ') FROM rule_version`).Scan(&left))
	if left == nil {
		return ""
	}
	return *left
}

func TestPruneVersions(t *testing.T) {
	t.Parallel()
	s, db := decided(t)
	ctx := context.Background()
	for seq, v := range []struct{ rule, version, effective, years, deleted int }{
		{1, 1, 10, 3, 0}, {1, 2, 20, 3, 0}, {1, 3, 30, 2, 0}, {1, 4, 90, 0, 0}, // the newest lives, and so does what is not old
		{2, 1, 10, 2, 0}, {2, 2, 110, 2, 0}, // an engine is not yet at 110
		{3, 1, 10, 3, 0}, {3, 2, 20, 3, 1}, // deleted
		{4, 1, 10, 3, 0}, {4, 2, 110, 3, 1}, // deleted, but not yet for every engine
		{5, 1, 10, 9, 0}, // never changed
	} {
		_, err := db.Text.Exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, deleted, created_at) VALUES (?, ?, ?, ?, '{}', ?, UTC_TIMESTAMP(6) - INTERVAL ? DAY)`, seq+1, v.rule, v.version, v.effective, v.deleted, v.years*366)
		require.NoError(t, err)
	}
	all := versions(t, db)
	_, err := db.Text.Exec(`UPDATE alert_snapshot SET watermark_ns = 0 WHERE source = 'g'`)
	require.NoError(t, err)
	n, _, err := s.PruneVersions(ctx, year)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, all, versions(t, db), "a state whose time is not known may need anything")
	_, err = db.Text.Exec(`UPDATE alert_snapshot SET watermark_ns = 120 WHERE source = 'g'`)
	require.NoError(t, err)
	n, more, err := s.PruneVersions(ctx, year)
	require.NoError(t, err)
	require.False(t, more)
	require.EqualValues(t, 5, n)
	require.Equal(t, "1.4 2.1 2.2 4.1 4.2 5.1", versions(t, db))
	_, err = db.Text.Exec(`UPDATE alert_snapshot SET watermark_ns = 200`)
	require.NoError(t, err)
	_, _, err = s.PruneVersions(ctx, year)
	require.NoError(t, err)
	require.Equal(t, "1.4 2.2 5.1", versions(t, db))
	_, err = db.Text.Exec(`DELETE FROM alert_snapshot WHERE source = 'p0'`)
	require.NoError(t, err)
	n, _, err = s.PruneVersions(ctx, time.Hour)
	require.NoError(t, err)
	require.Zero(t, n, "an engine without a stored state may need anything")
}

func TestPruneCommandsAndSilences(t *testing.T) {
	t.Parallel()
	s, db := decided(t)
	ctx := context.Background()
	_, err := db.Text.Exec(`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, rule_id, rule_version, rule_name, team, severity, service, reason, note, event, updated_at)
VALUES ('fires', 7, 0, 1, 1, '', '', '', '', '', '', '{}', NOW())`)
	require.NoError(t, err)
	for seq, c := range []struct {
		fingerprint     string
		effective, days int
	}{{"fires", 10, 200}, {"gone", 10, 200}, {"gone", 110, 200}, {"gone", 10, 20}} {
		_, err := db.Text.Exec(`INSERT INTO alert_command (seq, effective_ns, kind, fingerprint, starts_ns, who, note, created_at) VALUES (?, ?, 'note', ?, 7, '', '', UTC_TIMESTAMP(6) - INTERVAL ? DAY)`, seq+1, c.effective, c.fingerprint, c.days)
		require.NoError(t, err)
	}
	for id, days := range []int{200, 20, -1} {
		_, err := db.Text.Exec(`INSERT INTO alert_silence (id, version, starts_at, ends_at, created_by, definition, created_at, updated_at) VALUES (?, 1, NOW(), UTC_TIMESTAMP(6) - INTERVAL ? DAY, '', '{}', NOW(), NOW())`, id+1, days)
		require.NoError(t, err)
		_, err = db.Text.Exec(`INSERT INTO silence_version (seq, silence_id, version, effective_ns, definition, created_at) VALUES (?, ?, 1, 10, '{}', NOW())`, 100+id, id+1)
		require.NoError(t, err)
	}
	n, more, err := s.PruneCommands(ctx, 90*24*time.Hour)
	require.NoError(t, err)
	require.Equal(t, []any{int64(1), false}, []any{n, more})
	_, _, err = s.PruneSilences(ctx, 90*24*time.Hour)
	require.NoError(t, err)
	var commands, silences, quiet string
	require.NoError(t, db.Text.QueryRow(`SELECT (SELECT GROUP_CONCAT(seq ORDER BY seq) FROM alert_command), (SELECT GROUP_CONCAT(silence_id ORDER BY 1) FROM silence_version), (SELECT GROUP_CONCAT(id ORDER BY 1) FROM alert_silence)`).Scan(&commands, &silences, &quiet))
	require.Equal(t, []string{"1,3,4", "2,3", "2,3"}, []string{commands, silences, quiet})
}

// TestPruneAudit: what is old goes in batches, the oldest first, whatever engines have come to.
func TestPruneAudit(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.MySQL(t))
	s := New(db)
	_, err := db.Text.Exec(`INSERT INTO audit (seq, at, who, kind, object, name, action)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, UTC_TIMESTAMP(6) - INTERVAL IF(i <= 700, 800 - i, 10) DAY, 'ann', 'rule', '1', '', 'update' FROM n`)
	require.NoError(t, err)
	for _, want := range []struct {
		n, first int64
		more     bool
	}{{500, 501, true}, {200, 701, false}, {0, 701, false}} { // number 700 is 100 days old
		n, more, err := s.PruneAudit(context.Background(), 30*24*time.Hour)
		require.NoError(t, err)
		var first int64
		require.NoError(t, db.Text.QueryRow(`SELECT MIN(seq) FROM audit`).Scan(&first))
		require.Equal(t, []any{want.n, want.first, want.more}, []any{n, first, more})
	}
}

// TestAlone: of two at once, one does it.
func TestAlone(t *testing.T) {
	t.Parallel()
	s, _ := decided(t)
	ran := 0
	require.NoError(t, s.Alone(context.Background(), func() error {
		ran++
		return s.Alone(context.Background(), func() error { ran += 10; return nil })
	}))
	require.Equal(t, 1, ran)
	require.NoError(t, s.Alone(context.Background(), func() error { ran++; return nil }))
	require.Equal(t, 2, ran)
}
