package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// pruneBatch is how many rows one transaction deletes.
const pruneBatch = 500

// decidedSQL is the event time up to which every engine's stored state has come, with how many states there are and should be. An engine starts
// from its snapshot, so what was over by then, no engine can ask for. Streams that nobody has evaluated for as long as history is kept do not count.
const decidedSQL = `SELECT COUNT(n.watermark_ns), COALESCE(MIN(n.watermark_ns), 0),
 (SELECT COALESCE(SUM(s.partitions + 1), 0) FROM stream s WHERE EXISTS (SELECT 1 FROM alert_partition p WHERE p.stream_id = s.id AND p.updated_at >= UTC_TIMESTAMP(6) - INTERVAL ? SECOND))
FROM alert_snapshot n WHERE n.chunk = 0 AND EXISTS (SELECT 1 FROM alert_partition p WHERE p.stream_id = n.stream_id AND p.updated_at >= UTC_TIMESTAMP(6) - INTERVAL ? SECOND)`

// decided is that event time, ns; 0 while some engine has no stored state, or one from before its time was stored with it.
func (s *Store) decided(ctx context.Context, age time.Duration) (int64, error) {
	var have, want, oldest int64
	seconds := int64(age.Seconds())
	if err := s.db.Text.QueryRowContext(ctx, decidedSQL, seconds, seconds).Scan(&have, &oldest, &want); err != nil {
		return 0, fmt.Errorf("asking how far rules are decided: %w", err)
	}
	if want == 0 || have < want {
		return 0, nil
	}
	return oldest, nil
}

// A version is superseded when a later one is in force for every engine. A deletion is a version too; it goes last, or the rule would come back.
const (
	oldVersionsSQL = `SELECT v.seq FROM rule_version v WHERE v.created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND
 AND EXISTS (SELECT 1 FROM rule_version n WHERE n.rule_id = v.rule_id AND n.version > v.version AND n.effective_ns <= ?) ORDER BY v.seq LIMIT ?`
	deletionsSQL = `SELECT v.seq FROM rule_version v WHERE v.deleted = 1 AND v.created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND AND v.effective_ns <= ?
 AND NOT EXISTS (SELECT 1 FROM rule_version o WHERE o.rule_id = v.rule_id AND o.seq <> v.seq) ORDER BY v.seq LIMIT ?`
	oldCommandsSQL = `SELECT c.seq FROM alert_command c WHERE c.created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND AND c.effective_ns <= ?
 AND NOT EXISTS (SELECT 1 FROM alert_instance i WHERE i.fingerprint = c.fingerprint AND i.starts_ns = c.starts_ns) ORDER BY c.seq LIMIT ?`
	oldSilencesSQL = `SELECT v.seq FROM silence_version v JOIN alert_silence a ON a.id = v.silence_id
WHERE a.ends_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND AND v.effective_ns <= ? ORDER BY v.seq LIMIT ?`
)

// PruneVersions deletes a batch of versions of rules that are older than age and that no engine can need; the newest of a rule that lives stays for ever.
func (s *Store) PruneVersions(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	n, more, err = s.prune(ctx, age, oldVersionsSQL, `DELETE FROM rule_version WHERE seq IN (`)
	if err != nil || more {
		return n, more, err
	}
	deleted, more, err := s.prune(ctx, age, deletionsSQL, `DELETE FROM rule_version WHERE seq IN (`)
	return n + deleted, more, err
}

// PruneCommands deletes a batch of what people did to alerts longer than age ago, once the alert itself is gone from the history.
func (s *Store) PruneCommands(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	return s.prune(ctx, age, oldCommandsSQL, `DELETE FROM alert_command WHERE seq IN (`)
}

// PruneSilences deletes a batch of the versions of silences that ended longer than age ago, and then the silences.
func (s *Store) PruneSilences(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	n, more, err = s.prune(ctx, age, oldSilencesSQL, `DELETE FROM silence_version WHERE seq IN (`)
	if err != nil || more {
		return n, more, err
	}
	_, err = s.db.Text.ExecContext(ctx, `DELETE FROM alert_silence WHERE ends_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND
 AND NOT EXISTS (SELECT 1 FROM silence_version v WHERE v.silence_id = alert_silence.id) LIMIT ?`, int64(age.Seconds()), pruneBatch)
	return n, false, err
}

// PruneAudit deletes a batch of what is in the audit for longer than age. Engines do not need it.
func (s *Store) PruneAudit(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	r, err := s.db.Text.ExecContext(ctx, `DELETE FROM audit WHERE at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND ORDER BY at LIMIT ?`, int64(age.Seconds()), pruneBatch)
	if err != nil {
		return 0, false, fmt.Errorf("pruning the audit: %w", err)
	}
	n, err = r.RowsAffected()
	return n, n == pruneBatch, err
}

// prune deletes the rows whose numbers a query finds.
func (s *Store) prune(ctx context.Context, age time.Duration, find, remove string) (n int64, more bool, err error) {
	decided, err := s.decided(ctx, age)
	if err != nil || decided == 0 {
		return 0, false, err
	}
	seqs, err := s.numbers(ctx, find, int64(age.Seconds()), decided, pruneBatch)
	if err != nil || len(seqs) == 0 {
		return 0, false, err
	}
	r, err := s.db.Text.ExecContext(ctx, remove+strings.TrimSuffix(strings.Repeat("?,", len(seqs)), ",")+`)`, seqs...)
	if err != nil {
		return 0, false, err
	}
	n, err = r.RowsAffected()
	return n, len(seqs) == pruneBatch, err
}

// numbers are the results of a query with one column.
func (s *Store) numbers(ctx context.Context, query string, args ...any) (out []any, err error) {
	rows, err := s.db.Text.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, err
		}
		out = append(out, seq)
	}
	return out, rows.Err()
}

// Alone runs f while no other api of this database does; it does nothing when one does.
func (s *Store) Alone(ctx context.Context, f func() error) (err error) {
	conn, err := s.db.Text.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, `SELECT GET_LOCK(LEFT(CONCAT('logmill_prune_', DATABASE()), 64), 0)`).Scan(&got); err != nil || got.Int64 != 1 {
		return err
	}
	defer func() {
		_, rerr := conn.ExecContext(context.WithoutCancel(ctx), `SELECT RELEASE_LOCK(LEFT(CONCAT('logmill_prune_', DATABASE()), 64))`)
		err = errors.Join(err, rerr)
	}()
	return f()
}
