// Package blocktest writes blocks to MySQL as the processor does (docs/blocks.md): for tests only, which the linter sees to. The
// api itself never writes them.
package blocktest

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
)

// Stream is the stream that all blocks are of.
const Stream = 1

// Writer writes blocks of one process; one goroutine a partition.
type Writer struct{ db *sql.DB }

// New makes a writer on the pool for blobs.
func New(db *mysqlx.DB) *Writer { return &Writer{db.Blob} }

const (
	advanceSQL = `INSERT INTO partition_progress (stream_id, part, next_offset, change_seq, updated_at) VALUES (?, ?, ?, LAST_INSERT_ID(1), UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE next_offset = GREATEST(next_offset, VALUES(next_offset)), change_seq = LAST_INSERT_ID(change_seq + 1), updated_at = VALUES(updated_at)`
	insertSQL = `INSERT INTO block (stream_id, part, generation, from_offset, to_offset, prev_to, row_count, byte_count, checksum, min_time_ns, max_time_ns, level_mask,
 services, watermark_ns, change_seq, day, raw_bytes, filter_bytes, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, UTC_TIMESTAMP(6))`
	filterSQL = `INSERT INTO block_filter (block_id, day, filter) VALUES (?, ?, ?)`
	dataSQL   = `INSERT INTO block_data (block_id, day, data) VALUES (?, ?, ?)`
	retireSQL = `UPDATE block SET retired_seq = ?, retired_at = UTC_TIMESTAMP(6) WHERE retired_seq IS NULL AND id IN `
)

// Block stores the records of offsets [from, to], and returns the block's id.
func (w *Writer) Block(ctx context.Context, part int32, from, to int64, blk block.Block) (id uint64, err error) {
	err = mysqlx.WithTx(ctx, w.db, func(tx *sql.Tx) error {
		seq, err := advance(ctx, tx, part, to+1)
		if err != nil {
			return err
		}
		id, err = insert(ctx, tx, part, 0, from, to, seq, blk)
		return err
	})
	return id, err
}

func advance(ctx context.Context, tx *sql.Tx, part int32, next int64) (seq int64, err error) {
	res, err := tx.ExecContext(ctx, advanceSQL, Stream, part, next)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

func insert(ctx context.Context, tx *sql.Tx, part int32, generation int, from, to, seq int64, blk block.Block) (uint64, error) {
	m := blk.Meta
	services, err := json.Marshal(m.Services)
	if err != nil {
		return 0, err
	}
	day := time.Now().Unix() / 86400
	res, err := tx.ExecContext(ctx, insertSQL, Stream, part, generation, from, to, from-1, m.Rows, len(blk.Data), m.Checksum, m.MinTime, m.MaxTime, m.LevelMask, services, seq, day, m.RawBytes, len(blk.Filter))
	if err != nil {
		return 0, fmt.Errorf("inserting a block: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, filterSQL, id, day, blk.Filter); err != nil {
		return 0, fmt.Errorf("inserting a filter: %w", err)
	}
	if _, err := tx.ExecContext(ctx, dataSQL, id, day, blk.Data); err != nil {
		return 0, fmt.Errorf("inserting data: %w", err)
	}
	return uint64(id), nil
}

// Replace retires blocks, and puts a merged one in their place unless its data are nil, as compaction and retention do.
func (w *Writer) Replace(ctx context.Context, part int32, old []uint64, generation int, from, to int64, merged block.Block) (id uint64, err error) {
	err = mysqlx.WithTx(ctx, w.db, func(tx *sql.Tx) error {
		seq, err := advance(ctx, tx, part, 0)
		if err != nil {
			return err
		}
		args := []any{seq}
		for _, o := range old {
			args = append(args, o)
		}
		if _, err := tx.ExecContext(ctx, retireSQL+"(?"+strings.Repeat(",?", len(old)-1)+")", args...); err != nil {
			return fmt.Errorf("retiring: %w", err)
		}
		if merged.Data != nil {
			id, err = insert(ctx, tx, part, generation, from, to, seq, merged)
		}
		return err
	})
	return id, err
}

// Build makes a block of records.
func Build(recs []logrec.Record) (block.Block, error) {
	b, err := block.NewBuilder(block.Options{})
	if err != nil {
		return block.Block{}, err
	}
	return b.Build(recs)
}
