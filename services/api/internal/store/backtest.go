package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/services/api/internal/backtest"
)

const (
	historyColumns = `SELECT id, stream_id, part, day, row_count, from_offset, to_offset, min_time_ns, checksum, watermark_ns`
	// A block holds eval_times above the watermark of the block before it, whatever its timestamps say: senders' clocks may be off.
	historySQL = historyColumns + ` FROM (` + historyColumns + `, LAG(watermark_ns) OVER (PARTITION BY stream_id, part ORDER BY from_offset) AS before_ns
 FROM block WHERE retired_seq IS NULL AND retired_at IS NULL AND watermark_ns >= ?) b WHERE before_ns IS NULL OR before_ns < ? ORDER BY stream_id, part, from_offset LIMIT ?`
	historyByTimestampSQL = historyColumns + ` FROM block WHERE retired_seq IS NULL AND retired_at IS NULL AND max_time_ns >= ? AND min_time_ns < ? ORDER BY stream_id, part, from_offset LIMIT ?`
)

// History implements backtest.Source.
func (s *Store) History(ctx context.Context, span backtest.Span) (out []backtest.Block, err error) {
	query := historySQL
	if span.ByTimestamp {
		query = historyByTimestampSQL
	}
	rows, err := s.db.Text.QueryContext(ctx, query, span.Start, span.End, span.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing blocks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b backtest.Block
		if err := rows.Scan(&b.ID, &b.Stream, &b.Partition, &b.Day, &b.Rows, &b.From, &b.To, &b.Min, &b.Checksum, &b.Watermark); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// BlockData implements backtest.Source.
func (s *Store) BlockData(ctx context.Context, b *backtest.Block) (data []byte, err error) {
	err = s.db.Blob.QueryRowContext(ctx, `SELECT data FROM block_data WHERE block_id = ? AND day = ?`, b.ID, b.Day).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading block %d: %w", b.ID, err)
	}
	return data, nil
}

// Through implements backtest.Source: the oldest watermark of the newest stream's partitions; MySQL's clock before there is one.
func (s *Store) Through(ctx context.Context) (ns int64, err error) {
	err = s.db.Text.QueryRowContext(ctx, `SELECT COALESCE((SELECT MIN(watermark_ns) FROM partition_progress WHERE watermark_ns > 0 AND stream_id = `+newestStream+`), TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000)`).Scan(&ns)
	return ns, err
}
