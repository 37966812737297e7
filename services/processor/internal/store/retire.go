package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/services/processor/internal/compact"
	"github.com/logmill/logmill/services/processor/internal/retain"
	"github.com/logmill/logmill/shared/mysqlx"
)

const nsPerMinute = 60_000_000_000

const usageSQL = `SELECT FLOOR(TIMESTAMPDIFF(SECOND, '1970-01-01', created_at) / 60) AS minute, SUM(byte_count + filter_bytes) FROM block
WHERE retired_seq IS NULL GROUP BY minute ORDER BY minute DESC`

// Usage is what all blocks in all sets take, by the minute of their receipt, newest first.
func (k *Keeper) Usage(ctx context.Context) (out []retain.Stored, err error) {
	rows, err := k.db.Text.QueryContext(ctx, usageSQL)
	if err != nil {
		return nil, fmt.Errorf("adding up blocks: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var minute, bytes int64
		if err := rows.Scan(&minute, &bytes); err != nil {
			return nil, err
		}
		out = append(out, retain.Stored{Until: (minute + 1) * nsPerMinute, Bytes: bytes})
	}
	return out, rows.Err()
}

const orphansSQL = `SELECT stream_id, part, epoch FROM partition_progress WHERE stream_id <> ? AND updated_at < UTC_TIMESTAMP(6) - INTERVAL 7 DAY ORDER BY stream_id, part`

// Orphans are partitions of other streams than one's own that nobody has owned for a week: of a topic that was made again, or of a Kafka
// that is gone. Whoever takes one nevertheless takes another epoch, which fences us.
func (k *Keeper) Orphans(ctx context.Context, own uint32) (out []Claim, err error) {
	rows, err := k.db.Text.QueryContext(ctx, orphansSQL, own)
	if err != nil {
		return nil, fmt.Errorf("looking for partitions that nobody owns: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c Claim
		if err := rows.Scan(&c.Stream, &c.Partition, &c.Epoch); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

const retainedSQL = `UPDATE partition_progress SET retained_from_ns = GREATEST(retained_from_ns, ?) WHERE stream_id = ? AND part = ?`

// Retire takes blocks out of the set for good; all that was received before a moment (ns) is gone then, or will be. now is MySQL's
// clock, ns. ErrFenced and ErrChanged = nothing was changed.
func (k *Keeper) Retire(ctx context.Context, c Claim, blocks []compact.Block, before, now int64) error {
	err := mysqlx.WithTx(ctx, k.db.Text, func(tx *sql.Tx) error {
		seq, err := nextSeq(ctx, tx, c) // ingest waits from here on, for a few ms
		if err != nil {
			return err
		}
		if err := retire(ctx, tx, blocks, seq, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, retainedSQL, before, c.Stream, c.Partition)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing %d blocks of partition %d: %w", len(blocks), c.Partition, err)
	}
	return nil
}

const windowsFromSQL = `UPDATE partition_progress SET windows_from_s = GREATEST(windows_from_s, ?), updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ?` + claimFence

var dropHoursSQL = []string{
	`DELETE FROM service_hour WHERE stream_id = ? AND part = ? AND start_s < ? LIMIT ?`,
	`DELETE FROM error_hour WHERE stream_id = ? AND part = ? AND start_s < ? LIMIT ?`,
}

// dropWindowsSQL deletes windows, and those that builds before migration 15 wrote.
var dropWindowsSQL = []string{
	`DELETE FROM window_data WHERE stream_id = ? AND part = ? AND start_s < ? LIMIT ?`,
	`DELETE FROM error_data WHERE stream_id = ? AND part = ? AND start_s < ? LIMIT ?`,
	`DELETE FROM log_window WHERE stream_id = ? AND part = ? AND start_s < ? LIMIT ?`,
	`DELETE FROM error_window WHERE stream_id = ? AND part = ? AND start_s < ? LIMIT ?`,
}

// WindowsFrom says that windows which start before a moment (s) are kept no longer. ErrFenced = nothing was changed.
func (k *Keeper) WindowsFrom(ctx context.Context, c Claim, from int64) error {
	if _, err := changed(k.db.Text.ExecContext(ctx, windowsFromSQL, from, c.Stream, c.Partition, c.Epoch)); err != nil {
		return fmt.Errorf("moving the windows' beginning of partition %d: %w", c.Partition, err)
	}
	return nil
}

const hoursFromSQL = `UPDATE partition_progress SET hours_from_s = GREATEST(hours_from_s, ?), updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ?` + claimFence

// HoursFrom says that hours which start before a moment (s) are kept no longer. ErrFenced = nothing was changed.
func (k *Keeper) HoursFrom(ctx context.Context, c Claim, from int64) error {
	if _, err := changed(k.db.Text.ExecContext(ctx, hoursFromSQL, from, c.Stream, c.Partition, c.Epoch)); err != nil {
		return fmt.Errorf("moving the hours' beginning of partition %d: %w", c.Partition, err)
	}
	return nil
}

// DropHours deletes a few rows of hours that start before a moment (s), which HoursFrom was told of, as DropWindows does.
func (k *Keeper) DropHours(ctx context.Context, c Claim, from int64, limit int) (n int64, err error) {
	return k.drop(ctx, c, dropHoursSQL, from, limit)
}

// DropWindows deletes a few rows of windows that start before a moment (s), which WindowsFrom was told of, and says how many. It needs no
// fence: nobody relies on them any more.
func (k *Keeper) DropWindows(ctx context.Context, c Claim, from int64, limit int) (n int64, err error) {
	return k.drop(ctx, c, dropWindowsSQL, from, limit)
}

func (k *Keeper) drop(ctx context.Context, c Claim, statements []string, from int64, limit int) (n int64, err error) {
	for _, q := range statements {
		res, err := k.db.Text.ExecContext(ctx, q, c.Stream, c.Partition, from, limit)
		if err != nil {
			return n, fmt.Errorf("deleting windows of partition %d: %w", c.Partition, err)
		}
		deleted, err := res.RowsAffected()
		if err != nil {
			return n, err
		}
		n += deleted
	}
	return n, nil
}
