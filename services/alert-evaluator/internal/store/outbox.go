package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/logmill/logmill/shared/mysqlx"
)

// Pending is an event of the outbox.
type Pending struct {
	Seq   int64
	Tick  int64 // ns
	Event []byte
}

// Unsent are the next events of a source.
func (s *Store) Unsent(ctx context.Context, stream uint32, source string, limit int) ([]Pending, error) {
	return s.pending(ctx, `SELECT seq, tick_ns, event FROM alert_outbox WHERE stream_id = ? AND source = ? AND sent = 0 ORDER BY seq LIMIT ?`, stream, source, limit)
}

// StillFiring are the withheld firing events, the newest of each alert, of alerts that fire.
func (s *Store) StillFiring(ctx context.Context, stream uint32, source string) ([]Pending, error) {
	return s.pending(ctx, `SELECT o.seq, o.tick_ns, o.event FROM alert_outbox o
JOIN alert_instance i ON i.fingerprint = o.fingerprint AND i.ends_ns = 0
WHERE o.stream_id = ? AND o.source = ? AND o.sent = 2 AND o.tick_ns >= i.starts_ns
AND o.seq = (SELECT MAX(n.seq) FROM alert_outbox n WHERE n.stream_id = o.stream_id AND n.source = o.source AND n.fingerprint = o.fingerprint) ORDER BY o.seq`, stream, source)
}

func (s *Store) pending(ctx context.Context, query string, args ...any) (out []Pending, err error) {
	rows, err := s.db.Text.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p Pending
		if err := rows.Scan(&p.Seq, &p.Tick, &p.Event); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Mark says that the events of a source up to seq through are dealt with: sent, but for those withheld.
func (s *Store) Mark(ctx context.Context, stream uint32, source string, through int64, withheld []int64) error {
	return mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		for _, seq := range slices.Clone(withheld) {
			if _, err := tx.ExecContext(ctx, `UPDATE alert_outbox SET sent = 2 WHERE stream_id = ? AND source = ? AND seq = ?`, stream, source, seq); err != nil {
				return fmt.Errorf("marking the outbox: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE alert_outbox SET sent = 1 WHERE stream_id = ? AND source = ? AND seq <= ? AND sent = 0`, stream, source, through)
		return err
	})
}

// MarkOne says that a withheld event was sent after all.
func (s *Store) MarkOne(ctx context.Context, stream uint32, source string, seq int64) error {
	_, err := s.db.Text.ExecContext(ctx, `UPDATE alert_outbox SET sent = 1 WHERE stream_id = ? AND source = ? AND seq = ?`, stream, source, seq)
	return err
}
