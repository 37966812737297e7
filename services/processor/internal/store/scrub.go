package store

import (
	"context"
	"errors"
	"fmt"
)

// Bytes is what the blocks of a partition take, without filters.
func (k *Keeper) Bytes(ctx context.Context, c Claim) (n int64, err error) {
	err = k.db.Text.QueryRowContext(ctx, `SELECT COALESCE(SUM(byte_count), 0) FROM block WHERE stream_id = ? AND part = ? AND retired_seq IS NULL`, c.Stream, c.Partition).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("adding up the blocks of partition %d: %w", c.Partition, err)
	}
	return n, nil
}

// It is a note, not a change of the set: whoever finds it may write it.
const markSQL = `UPDATE block SET damaged_at = IF(?, COALESCE(damaged_at, UTC_TIMESTAMP(6)), NULL) WHERE id = ?`

// Mark notes that a block is damaged, or that it is not any more.
func (k *Keeper) Mark(ctx context.Context, id uint64, damaged bool) error {
	if _, err := k.db.Text.ExecContext(ctx, markSQL, damaged, id); err != nil {
		return fmt.Errorf("marking block %d: %w", id, err)
	}
	return nil
}

// Damaged is a block that is known to be damaged.
type Damaged struct {
	ID        uint64
	Partition int32
	From, To  int64
}

func (d Damaged) String() string {
	return fmt.Sprintf("block %d (partition %d, offsets %d to %d)", d.ID, d.Partition, d.From, d.To)
}

// Damaged lists damaged blocks in all sets, at most limit of them, and counts them all.
func (k *Keeper) Damaged(ctx context.Context, limit int) (some []Damaged, n int, err error) {
	rows, err := k.db.Text.QueryContext(ctx, `SELECT id, part, from_offset, to_offset FROM block WHERE damaged_at IS NOT NULL AND retired_seq IS NULL ORDER BY id`)
	if err != nil {
		return nil, 0, fmt.Errorf("listing damaged blocks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d Damaged
		if err := rows.Scan(&d.ID, &d.Partition, &d.From, &d.To); err != nil {
			return nil, 0, err
		}
		if n++; n <= limit {
			some = append(some, d)
		}
	}
	return some, n, rows.Err()
}
