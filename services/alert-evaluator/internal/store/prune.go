package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// pruneBatch is how many rows one transaction deletes: some 3 MB of events, a tenth of a second.
const pruneBatch = 1000

// outbox is one writer's.
type outbox struct {
	stream uint32
	source string
}

// PruneEvents deletes a batch of each outbox: events that are dealt with and older than age. It returns how many, and whether more may be left.
func (s *Store) PruneEvents(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	all, err := s.outboxes(ctx)
	if err != nil {
		return 0, false, err
	}
	for _, o := range all {
		gone, full, err := s.pruneOutbox(ctx, o, age)
		if err != nil {
			return n, false, fmt.Errorf("pruning the outbox %s: %w", o.source, err)
		}
		n, more = n+gone, more || full
	}
	return n, more, nil
}

func (s *Store) pruneOutbox(ctx context.Context, o outbox, age time.Duration) (n int64, full bool, err error) {
	through, full, err := s.prunable(ctx, o, age)
	if err != nil || through == 0 {
		return 0, false, err
	}
	r, err := s.db.Text.ExecContext(ctx, `DELETE FROM alert_outbox WHERE stream_id = ? AND source = ? AND seq <= ?`, o.stream, o.source, through)
	if err != nil {
		return 0, false, err
	}
	n, err = r.RowsAffected()
	return n, full, err
}

func (s *Store) outboxes(ctx context.Context) (out []outbox, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT DISTINCT stream_id, source FROM alert_outbox`)
	if err != nil {
		return nil, fmt.Errorf("listing outboxes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var o outbox
		if err := rows.Scan(&o.stream, &o.source); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// prunable is the last of the oldest events of an outbox that may go, 0 for none. It looks at one batch only: the oldest lie first.
func (s *Store) prunable(ctx context.Context, o outbox, age time.Duration) (through int64, full bool, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT seq, sent <> 0 AND created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND FROM alert_outbox WHERE stream_id = ? AND source = ? ORDER BY seq LIMIT ?`,
		int64(age.Seconds()), o.stream, o.source, pruneBatch)
	if err != nil {
		return 0, false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	n := 0
	for rows.Next() {
		var seq int64
		var old bool
		if err := rows.Scan(&seq, &old); err != nil {
			return 0, false, err
		}
		if !old {
			return through, false, nil
		}
		through, n = seq, n+1
	}
	return through, n == pruneBatch, rows.Err()
}

// remains are the tables of a stream, how many rows at once may go (states are megabytes), and last what tells that a stream was evaluated.
var remains = []struct {
	query string
	batch int64
}{
	{`DELETE FROM alert_outbox WHERE stream_id = ? ORDER BY source, seq LIMIT ?`, pruneBatch},
	{`DELETE FROM alert_partial WHERE stream_id = ? ORDER BY part, to_tick LIMIT ?`, pruneBatch / 10},
	{`DELETE FROM alert_snapshot WHERE stream_id = ? ORDER BY source, chunk LIMIT ?`, pruneBatch / 100},
	{`DELETE FROM alert_status WHERE stream_id = ? ORDER BY source LIMIT ?`, pruneBatch},
	{`DELETE FROM alert_problem WHERE stream_id = ? ORDER BY kind, part, rule_id, service LIMIT ?`, pruneBatch},
	{`DELETE FROM alert_watch WHERE stream_id = ? LIMIT ?`, 1},
	{`DELETE FROM alert_global WHERE stream_id = ? LIMIT ?`, 1},
	{`DELETE FROM alert_partition WHERE stream_id = ? ORDER BY part LIMIT ?`, pruneBatch},
}

// PruneStreams deletes a batch of what one stream has left that nobody has evaluated for longer than age: a topic made anew is another stream.
// The history of its alerts stays as long as any.
func (s *Store) PruneStreams(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	var stream uint32
	err = s.db.Text.QueryRowContext(ctx, `SELECT stream_id FROM alert_partition GROUP BY stream_id HAVING MAX(updated_at) < UTC_TIMESTAMP(6) - INTERVAL ? SECOND LIMIT 1`, int64(age.Seconds())).Scan(&stream)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("looking for streams that nobody evaluates: %w", err)
	}
	for _, t := range remains {
		r, err := s.db.Text.ExecContext(ctx, t.query, stream, t.batch)
		if err != nil {
			return n, false, fmt.Errorf("pruning stream %d: %w", stream, err)
		}
		gone, err := r.RowsAffected()
		n += gone
		if err != nil || gone == t.batch && t.batch > 1 {
			return n, err == nil, err // the next batch goes on here
		}
	}
	return n, true, nil // there may be another stream
}

// PruneEpisodes deletes a batch of episodes that ended longer than age ago.
func (s *Store) PruneEpisodes(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	r, err := s.db.Text.ExecContext(ctx, `DELETE FROM alert_instance WHERE ends_ns > 0 AND ends_ns < `+nowNS+` - ? ORDER BY ends_ns LIMIT ?`, int64(age), pruneBatch)
	if err != nil {
		return 0, false, fmt.Errorf("pruning the history of alerts: %w", err)
	}
	n, err = r.RowsAffected()
	return n, n == pruneBatch, err
}
