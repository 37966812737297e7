package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/shared/mysqlx"
)

// eraseAtOnce blocks are deleted in one transaction: a small one, of a few ms.
const eraseAtOnce = 32

// The newest row of a partition stays for ever, without its data: prev_to of the next block is read from it.
const (
	erasableSQL = `SELECT id, day, retired_seq, from_offset = newest, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) * 1000 < retained FROM (
 SELECT b.id, b.day, b.retired_seq, b.from_offset, b.byte_count, b.retired_at, b.created_at, p.retained_from_ns AS retained,
  (SELECT MAX(from_offset) FROM block WHERE stream_id = ? AND part = ?) AS newest
 FROM block b JOIN partition_progress p ON p.stream_id = b.stream_id AND p.part = b.part
 WHERE b.stream_id = ? AND b.part = ? AND b.retired_seq IS NOT NULL) b
WHERE retired_at < ? AND (from_offset < newest OR byte_count > 0) ORDER BY retired_seq LIMIT ?`
	erasedSQL = `UPDATE partition_progress SET erased_seq = GREATEST(erased_seq, ?), updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ?` + claimFence
	hollowSQL = `UPDATE block SET byte_count = 0, filter_bytes = 0, services = '[]' WHERE id = ?`
)

// erasable is a retired block whose time has come.
type erasable struct {
	id     uint64
	day    uint32
	newest bool
	aged   bool // all of its day goes, or has gone, by retention
}

// Erase deletes a few blocks that were retired before a time (ns) and says how many. Rows of retention's blocks of days below dropped are
// left to KeepDays, which drops all of such a day at once: deleting them one by one is work, and gives no disk back. ErrFenced = nothing
// was changed.
func (k *Keeper) Erase(ctx context.Context, c Claim, before int64, dropped uint32) (n int, err error) {
	blocks, seq, err := k.erasable(ctx, c, before)
	if err != nil || len(blocks) == 0 {
		return 0, err
	}
	err = mysqlx.WithTx(ctx, k.db.Text, func(tx *sql.Tx) error {
		for _, b := range blocks {
			if err := erase(ctx, tx, b, b.aged && b.day < dropped); err != nil {
				return err
			}
		}
		_, err := changed(tx.ExecContext(ctx, erasedSQL, seq, c.Stream, c.Partition, c.Epoch))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("erasing %d blocks of partition %d: %w", len(blocks), c.Partition, err)
	}
	return len(blocks), nil
}

func (k *Keeper) erasable(ctx context.Context, c Claim, before int64) (blocks []erasable, seq int64, err error) {
	rows, err := k.db.Text.QueryContext(ctx, erasableSQL, c.Stream, c.Partition, c.Stream, c.Partition, utc(before), eraseAtOnce)
	if err != nil {
		return nil, 0, fmt.Errorf("listing retired blocks of partition %d: %w", c.Partition, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b erasable
		if err := rows.Scan(&b.id, &b.day, &seq, &b.newest, &b.aged); err != nil {
			return nil, 0, err
		}
		blocks = append(blocks, b)
	}
	return blocks, seq, rows.Err()
}

func erase(ctx context.Context, tx *sql.Tx, b erasable, rowsStay bool) error {
	for _, q := range []string{`DELETE FROM block_data WHERE block_id = ? AND day = ?`, `DELETE FROM block_filter WHERE block_id = ? AND day = ?`} {
		if rowsStay {
			break
		}
		if _, err := tx.ExecContext(ctx, q, b.id, b.day); err != nil {
			return err
		}
	}
	last := `DELETE FROM block WHERE id = ?`
	if b.newest {
		last = hollowSQL
	}
	_, err := tx.ExecContext(ctx, last, b.id)
	return err
}
