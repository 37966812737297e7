package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/engine"
)

// GlobalSource names the outbox of rules over all partitions.
const GlobalSource = "g"

// Global is the shard that decides rules over all partitions, under an epoch of ours.
type Global struct {
	Stream uint32
	Epoch  int64
	Tick   int64 // decided
	OutSeq int64
}

const (
	leaseSQL = `INSERT INTO alert_global (stream_id, epoch, owner, tick, out_seq, lease_at) VALUES (?, 1, ?, 0, 0, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE epoch = IF(lease_at < UTC_TIMESTAMP(6) - INTERVAL 3 SECOND OR owner = VALUES(owner), epoch + 1, epoch),
 owner = IF(lease_at < UTC_TIMESTAMP(6) - INTERVAL 3 SECOND, VALUES(owner), owner),
 lease_at = IF(owner = VALUES(owner), UTC_TIMESTAMP(6), lease_at)`
	renewSQL        = `UPDATE alert_global SET lease_at = UTC_TIMESTAMP(6) WHERE stream_id = ? AND epoch = ? AND owner = ?`
	globalReadSQL   = `SELECT epoch, owner, tick, out_seq FROM alert_global WHERE stream_id = ?`
	globalCommitSQL = `UPDATE alert_global SET tick = ?, out_seq = ?, findings = COALESCE(CONVERT(? USING utf8mb4), findings), lease_at = UTC_TIMESTAMP(6) WHERE stream_id = ?` + globalFence
)

// AcquireGlobal takes the shard when its owner has been silent for 3 s, or when it is ours; ok is false while it is somebody else's.
func (s *Store) AcquireGlobal(ctx context.Context, stream uint32, owner string) (g Global, ok bool, err error) {
	g.Stream = stream
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, leaseSQL, stream, owner); err != nil {
			return err
		}
		var who string
		if err := tx.QueryRowContext(ctx, globalReadSQL, stream).Scan(&g.Epoch, &who, &g.Tick, &g.OutSeq); err != nil {
			return err
		}
		ok = who == owner
		return nil
	})
	if err != nil {
		return g, false, fmt.Errorf("acquiring the global shard: %w", err)
	}
	return g, ok, nil
}

// RenewGlobal says that the owner lives. ErrFenced: it is somebody else's.
func (s *Store) RenewGlobal(ctx context.Context, g Global, owner string) error {
	return moved(s.db.Text.ExecContext(ctx, renewSQL, g.Stream, g.Epoch, owner))
}

// CommitGlobal makes a step of the shard. st.Position is unused; tick is the newest decided. Errors as of Commit.
func (s *Store) CommitGlobal(ctx context.Context, g Global, tick int64, st Step) error {
	err := mysqlx.WithTx(ctx, s.db.Blob, func(tx *sql.Tx) error {
		if err := current(ctx, tx, st.RuleSeq); err != nil {
			return err
		}
		if err := moved(tx.ExecContext(ctx, globalCommitSQL, tick, st.OutSeq, st.Findings, g.Stream, g.Epoch, g.Tick)); err != nil {
			return err
		}
		st.Position.NextOffset, st.Position.Watermark = tick, tick*engine.Tick
		if err := s.write(ctx, tx, g.Stream, GlobalSource, st); err != nil || st.Snapshot == nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM alert_partial WHERE stream_id = ? AND to_tick <= ?`, g.Stream, tick)
		return err
	})
	if err != nil {
		return fmt.Errorf("committing the global shard under epoch %d: %w", g.Epoch, err)
	}
	return nil
}

// Partials are the cells of ticks above since up to the oldest watermark of all partitions, in one consistent view. through is that tick, begun (ns)
// is from where on all partitions have cells; ok is false before each of n partitions has a watermark.
func (s *Store) Partials(ctx context.Context, stream uint32, n int32, since int64) (ps []engine.Partial, through, begun int64, ok bool, err error) {
	tx, err := s.db.Blob.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, 0, 0, false, fmt.Errorf("reading partials: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	var count int32
	var oldest, last sql.NullInt64
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*), MIN(watermark_ns), MAX(begun_ns) FROM alert_partition WHERE stream_id = ? AND watermark_ns > 0`, stream).Scan(&count, &oldest, &last); err != nil {
		return nil, 0, 0, false, fmt.Errorf("reading watermarks: %w", err)
	}
	through, begun = oldest.Int64/engine.Tick, last.Int64
	if count < n || through <= since {
		return nil, through, begun, count >= n, nil
	}
	rows, err := tx.QueryContext(ctx, `SELECT cells FROM alert_partial WHERE stream_id = ? AND to_tick > ? ORDER BY part, to_tick`, stream, since)
	if err != nil {
		return nil, 0, 0, false, fmt.Errorf("reading partials: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var cells []byte
		if err := rows.Scan(&cells); err != nil {
			return nil, 0, 0, false, err
		}
		some, err := engine.DecodePartials(cells)
		if err != nil {
			return nil, 0, 0, false, err
		}
		for _, p := range some {
			if p.Tick > since && p.Tick <= through {
				ps = append(ps, p)
			}
		}
	}
	return ps, through, begun, true, rows.Err()
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
