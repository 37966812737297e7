// Package store keeps the evaluator's positions in MySQL (alert_partition), fenced by epoch, and reads the processor's blocks to fill gaps.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/services/alert-evaluator/internal/follow"
	"github.com/logmill/logmill/services/alert-evaluator/internal/watch"
	"github.com/logmill/logmill/shared/mysqlx"
)

// ErrFenced says that another owner has taken the partition, or that an earlier change of ours went unheard.
var ErrFenced = errors.New("the partition was moved on by another owner")

// ErrNoStream says that the processor has not yet begun this topic.
var ErrNoStream = errors.New("the processor has not begun this logs.raw yet")

// Partition is a partition under an epoch of ours.
type Partition struct {
	Stream    uint32
	Partition int32
	Epoch     int64
	Position  follow.Position
	OutSeq    int64 // the last of its outbox
	Findings  watch.Findings
}

// Store is safe for concurrent use.
type Store struct{ db *mysqlx.DB }

// New makes a store.
func New(db *mysqlx.DB) *Store { return &Store{db: db} }

// Stream is the stream of a topic, as the processor numbered it.
func (s *Store) Stream(ctx context.Context, cluster, topic, topicID string) (id uint32, err error) {
	err = s.db.Text.QueryRowContext(ctx, `SELECT id FROM stream WHERE cluster_id = ? AND topic = ? AND topic_id = ?`, cluster, topic, topicID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNoStream
	}
	return id, err
}

const (
	acquireSQL = `INSERT INTO alert_partition (stream_id, part, epoch, owner, updated_at) VALUES (?, ?, 1, ?, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE epoch = epoch + 1, owner = VALUES(owner), updated_at = VALUES(updated_at)`
	readSQL   = `SELECT epoch, next_offset, source_next, watermark_ns, out_seq, findings FROM alert_partition WHERE stream_id = ? AND part = ?`
	commitSQL = `UPDATE alert_partition SET next_offset = ?, source_next = ?, watermark_ns = ?, out_seq = ?, begun_ns = GREATEST(begun_ns, ?), findings = COALESCE(CONVERT(? USING utf8mb4), findings), lost_offset = -1, updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ?` + fence
	gapSQL     = `UPDATE alert_partition SET blind_since = IF(gap_ns < ?, UTC_TIMESTAMP(6), blind_since), gap_ns = GREATEST(gap_ns, ?) WHERE stream_id = ? AND part = ? AND epoch = ?`
	restartSQL = `UPDATE alert_partition SET next_offset = ?, lost_offset = -1, updated_at = UTC_TIMESTAMP(6) WHERE stream_id = ? AND part = ?` + fence
	lostSQL    = `UPDATE alert_partition SET lost_offset = ? WHERE stream_id = ? AND part = ? AND epoch = ?`
)

// Acquire takes a partition under a new epoch and returns where it stands.
func (s *Store) Acquire(ctx context.Context, stream uint32, partition int32, owner string) (Partition, error) {
	p := Partition{Stream: stream, Partition: partition}
	err := mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, acquireSQL, stream, partition, owner); err != nil {
			return err
		}
		at := &p.Position
		var findings []byte
		if err := tx.QueryRowContext(ctx, readSQL, stream, partition).Scan(&p.Epoch, &at.NextOffset, &at.SourceNext, &at.Watermark, &p.OutSeq, &findings); err != nil {
			return err
		}
		return unmarshal(findings, &p.Findings)
	})
	if err != nil {
		return Partition{}, fmt.Errorf("acquiring partition %d: %w", partition, err)
	}
	p.Position.Begun = p.Position.NextOffset > 0 || p.Position.SourceNext > 0
	return p, nil
}

// Gap marks a partition with a gap that nothing fills; missing lines lie before the event time until (ns).
func (s *Store) Gap(ctx context.Context, p Partition, until int64) error {
	if _, err := s.db.Text.ExecContext(ctx, gapSQL, until, until, p.Stream, p.Partition, p.Epoch); err != nil {
		return fmt.Errorf("writing down a gap of partition %d: %w", p.Partition, err)
	}
	return nil
}

// Lost marks a partition whose position logs.enriched does not have; the next commit takes the mark away.
func (s *Store) Lost(ctx context.Context, p Partition, want int64) error {
	if _, err := s.db.Text.ExecContext(ctx, lostSQL, want, p.Stream, p.Partition, p.Epoch); err != nil {
		return fmt.Errorf("writing down that partition %d is lost: %w", p.Partition, err)
	}
	return nil
}

// Restart puts a partition to another place of logs.enriched, with the state of the engine there; what is folded and decided stays. ErrFenced.
func (s *Store) Restart(ctx context.Context, p Partition, st Step) error {
	err := mysqlx.WithTx(ctx, s.db.Blob, func(tx *sql.Tx) error {
		if err := moved(tx.ExecContext(ctx, restartSQL, st.Position.NextOffset, p.Stream, p.Partition, p.Epoch, p.Position.NextOffset)); err != nil {
			return err
		}
		return writeSnapshot(ctx, tx, p.Stream, SourceOf(p.Partition), st)
	})
	if err != nil {
		return fmt.Errorf("restarting partition %d: %w", p.Partition, err)
	}
	return nil
}

// StoredTo is the last source offset of a partition, up to a limit, that stored blocks hold; -1 for none.
func (s *Store) StoredTo(ctx context.Context, p Partition, limit int64) (last int64, err error) {
	err = s.db.Text.QueryRowContext(ctx, `SELECT LEAST(?, COALESCE(MAX(to_offset), -1)) FROM block WHERE stream_id = ? AND part = ? AND retired_seq IS NULL AND from_offset <= ?`,
		limit, p.Stream, p.Partition, limit).Scan(&last)
	if err != nil {
		return -1, fmt.Errorf("looking for the last block of partition %d: %w", p.Partition, err)
	}
	return last, nil
}

// Covered tells whether the stored blocks of a partition hold all of the source offsets from … to, following each block's prev_to.
func (s *Store) Covered(ctx context.Context, p Partition, from, to int64) (ok bool, err error) {
	found, err := s.db.Text.QueryContext(ctx, `SELECT to_offset, prev_to FROM block
WHERE stream_id = ? AND part = ? AND retired_seq IS NULL AND to_offset >= ? AND from_offset <= ? ORDER BY from_offset`, p.Stream, p.Partition, from, to)
	if err != nil {
		return false, fmt.Errorf("looking for blocks of partition %d: %w", p.Partition, err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	have := from - 1
	for found.Next() {
		var end, prev int64
		if err := found.Scan(&end, &prev); err != nil {
			return false, err
		}
		if prev > have {
			return false, nil
		}
		have = max(have, end)
	}
	return have >= to, found.Err()
}
