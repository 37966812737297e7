package store

import (
	"context"
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

// PruneEpisodes deletes a batch of episodes that ended longer than age ago.
func (s *Store) PruneEpisodes(ctx context.Context, age time.Duration) (n int64, more bool, err error) {
	r, err := s.db.Text.ExecContext(ctx, `DELETE FROM alert_instance WHERE ends_ns > 0 AND ends_ns < `+nowNS+` - ? ORDER BY ends_ns LIMIT ?`, int64(age), pruneBatch)
	if err != nil {
		return 0, false, fmt.Errorf("pruning the history of alerts: %w", err)
	}
	n, err = r.RowsAffected()
	return n, n == pruneBatch, err
}
