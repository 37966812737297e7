package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/services/api/internal/deadletter"
	"github.com/logmill/logmill/shared/mysqlx"
)

// StreamID is the stream of a topic, by its identity on the broker; 0 while nothing of it was ever stored.
func (s *Store) StreamID(ctx context.Context, clusterID, topic, topicID string) (id uint32, err error) {
	err = s.db.Text.QueryRowContext(ctx, `SELECT id FROM stream WHERE cluster_id = ? AND topic = ? AND topic_id = ?`, clusterID, topic, topicID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

const deadLettersSQL = `SELECT part, raw_offset, COALESCE(replay_of, -1), COALESCE(replayed_as, -1), replayed_by, replayed_at FROM dead_letter WHERE stream_id = ? ORDER BY died_at DESC LIMIT ?`

// DeadLetters are what the processor remembers of a stream's dead letters, the newest.
func (s *Store) DeadLetters(ctx context.Context, stream uint32, limit int) (out []deadletter.Row, err error) {
	rows, err := s.db.Text.QueryContext(ctx, deadLettersSQL, stream, limit)
	if err != nil {
		return nil, fmt.Errorf("reading dead letters: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r deadletter.Row
		var at sql.NullTime
		if err := rows.Scan(&r.Partition, &r.Offset, &r.ReplayOf, &r.ReplayedAs, &r.By, &at); err != nil {
			return nil, err
		}
		r.At = at.Time
		out = append(out, r)
	}
	return out, rows.Err()
}

// AuditReplay notes that somebody asks for dead letters to be sent back. The name is the kind, or the one letter; the list is in after.
func (s *Store) AuditReplay(ctx context.Context, who string, what deadletter.Asked) error {
	e := entry{Who: who, Action: ActionReplay, Kind: AuditLetters, ID: what.Through, Name: what.Kind, After: what}
	if len(what.Letters) > 0 {
		e.ID = what.Letters[0]
		e.Name = fmt.Sprintf("%d letters", len(what.Letters))
	}
	if len(what.Letters) == 1 {
		e.Name = "1 letter"
	}
	return mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		seq, _, err := tick(ctx, tx)
		if err != nil {
			return err
		}
		return audit(ctx, tx, seq, e)
	})
}
