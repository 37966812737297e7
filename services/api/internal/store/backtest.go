package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/logmill/logmill/services/api/internal/backtest"
)

// History lists the blocks whose records rules saw between two moments (ns), by partition and offset.
func (s *Store) History(ctx context.Context, start, end int64) (out []backtest.Block, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT id, stream_id, part, row_count, watermark_ns FROM block
WHERE retired_at IS NULL AND watermark_ns >= ? AND min_time_ns < ? ORDER BY stream_id, part, from_offset`, start, end)
	if err != nil {
		return nil, fmt.Errorf("listing blocks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b backtest.Block
		if err := rows.Scan(&b.ID, &b.Stream, &b.Partition, &b.Rows, &b.Watermark); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// BlockData is a block's bytes.
func (s *Store) BlockData(ctx context.Context, id uint64) (data []byte, err error) {
	if err = s.db.Blob.QueryRowContext(ctx, `SELECT data FROM block_data WHERE block_id = ?`, id).Scan(&data); err != nil {
		return nil, fmt.Errorf("reading block %d: %w", id, err)
	}
	return data, nil
}
