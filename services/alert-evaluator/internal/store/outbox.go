package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/engine"
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

// DecidedThrough is up to when, in event time (ns), a source is decided: its partition's watermark, or the global shard's last tick; now for one
// that goes by the clock.
func (s *Store) DecidedThrough(ctx context.Context, stream uint32, source string) (ns int64, err error) {
	row := s.db.Text.QueryRowContext(ctx, `SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000`)
	var part int32
	switch n, _ := fmt.Sscanf(source, "p%d", &part); {
	case n == 1:
		row = s.db.Text.QueryRowContext(ctx, `SELECT watermark_ns FROM alert_partition WHERE stream_id = ? AND part = ?`, stream, part)
	case source == GlobalSource:
		row = s.db.Text.QueryRowContext(ctx, `SELECT tick FROM alert_global WHERE stream_id = ?`, stream)
	}
	if err := row.Scan(&ns); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("reading how far %s is decided: %w", source, err)
	}
	if source == GlobalSource {
		ns *= engine.Tick
	}
	return ns, nil
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
