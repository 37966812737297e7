// Package store keeps the processor's tables in MySQL: stream, partition_progress, block (with its filter and data), window_data,
// error_data, window_change, request_key and dead_letter. Each change of a partition is fenced by the owner's epoch and by the position that it started from.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
)

// ErrFenced says that the partition has moved on without us: another owner, or our own change of which we never heard.
var ErrFenced = errors.New("the partition was moved on by another owner")

// ErrRefused says that MySQL will not take this data, however often it is tried.
var ErrRefused = errors.New("MySQL refuses the data")

// Progress of a partition, as the owner of Epoch knows it. Offsets are exclusive upper bounds.
type Progress struct {
	Stream         uint32
	Partition      int32
	Epoch          int64
	NextOffset     int64  // all below is stored
	Watermark      int64  // ns
	WindowsThrough int64  // windows hold all below
	PrevTo         int64  // to_offset of the newest block, -1 for none
	Producers      []byte // memory of producers, as package dedup encodes it
	HoursFrom      int64  // hours before are not counted, s
	OldWindows     bool   // there are windows as builds before migration 15 wrote them
}

// Commit is one step of a partition: a block (absent when Block.Data is nil) and the position and watermark after it.
type Commit struct {
	From, To  int64 // offsets, inclusive; To is also the position's end when there is no block
	Watermark int64 // ns
	Stored    int64 // when: MySQL's clock, ns
	Block     block.Block
	Producers []byte                             // memory of producers after it; nil = as before
	Requests  map[contract.RequestKey]dedup.Seen // with an Idempotency-Key, stored by it
	Dead      []Letter                           // messages that are on logs.dead, wholly or in part
	Replayed  map[int64]dedup.Replayed           // dead letters of before that it stores, or that died again, by offset
}

// Day is the day of a time (ns), in days since 1970-01-01, UTC: which partition of block_data and block_filter has a block.
func Day(ns int64) uint32 { return uint32(ns / int64(24*time.Hour)) }

func utc(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// Block is a stored block.
type Block struct {
	From, To, PrevTo int64
	Watermark        int64
	Meta             block.Meta // without Services and RawBytes
	Data             []byte
}

// Store is safe for concurrent use.
type Store struct {
	text *sql.DB // utf8mb4, statements of as many rows as there are: mysqlx.DB.Rows
	blob *sql.DB // collation=binary

	advance, insertBlock, insertFilter, insertData *sql.Stmt // on blob
}

// New prepares the statements of the hot path. The pools are Rows and Blob of a mysqlx.DB.
func New(ctx context.Context, text, blob *sql.DB) (*Store, error) {
	s := &Store{text: text, blob: blob}
	for sql, stmt := range map[string]**sql.Stmt{
		advanceSQL: &s.advance, insertBlockSQL: &s.insertBlock, insertFilterSQL: &s.insertFilter, insertDataSQL: &s.insertData,
	} {
		var err error
		if *stmt, err = blob.PrepareContext(ctx, sql); err != nil { //nolint:sqlclosecheck // closed by Store.Close
			return nil, errors.Join(fmt.Errorf("preparing %.40q: %w", sql, err), s.Close())
		}
	}
	return s, nil
}

// Close releases the statements, not the pools.
func (s *Store) Close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.advance, s.insertBlock, s.insertFilter, s.insertData} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// advanceSQL moves a partition. LAST_INSERT_ID(expr) hands the new change_seq back with the answer, without a read.
// A watermark ahead of MySQL's own clock is refused: it could never be taken back.
const advanceSQL = `UPDATE partition_progress
SET next_offset = ?, watermark_ns = ?, change_seq = LAST_INSERT_ID(change_seq + ?), producers = COALESCE(?, producers), updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ? AND ? <= TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000` + fence

const insertBlockSQL = `INSERT INTO block (stream_id, part, generation, from_offset, to_offset, prev_to, row_count, byte_count, checksum,
 min_time_ns, max_time_ns, level_mask, services, watermark_ns, change_seq, day, raw_bytes, filter_bytes, created_at)
VALUES (?, ?, ` + generation + `, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

const insertFilterSQL = `INSERT INTO block_filter (block_id, day, filter) VALUES (?, ?, ?)`

const insertDataSQL = `INSERT INTO block_data (block_id, day, data) VALUES (?, ?, ?)`

// Commit stores c in one transaction and returns the progress after it. ErrFenced = nothing was changed. After any other error it is
// unknown whether it was: Acquire tells.
func (s *Store) Commit(ctx context.Context, p Progress, c Commit) (Progress, error) {
	err := mysqlx.WithTx(ctx, s.blob, func(tx *sql.Tx) error {
		seq, err := s.move(ctx, tx, p, c)
		if err != nil {
			return err
		}
		if err := addRequests(ctx, tx, p, c.Requests); err != nil {
			return err
		}
		if err := settleConflicts(ctx, tx, p, c.Requests, c.To); err != nil {
			return err
		}
		if err := addLetters(ctx, tx, p, c.Dead, c.Replayed); err != nil || c.Block.Data == nil {
			return err
		}
		return s.insert(ctx, tx, p, c, seq)
	})
	if refused(err) {
		err = errors.Join(ErrRefused, err)
	}
	if err != nil {
		return p, fmt.Errorf("committing offsets %d to %d of partition %d: %w", c.From, c.To, p.Partition, err)
	}
	p.NextOffset, p.Watermark = c.To+1, c.Watermark
	if c.Block.Data != nil {
		p.PrevTo = c.To
	}
	if c.Producers != nil {
		p.Producers = c.Producers
	}
	return p, nil
}

// move is the compare-and-set; it returns the change_seq of this change.
func (s *Store) move(ctx context.Context, tx *sql.Tx, p Progress, c Commit) (seq int64, err error) {
	step := 0
	if c.Block.Data != nil {
		step = 1
	}
	//nolint:sqlclosecheck // a statement of a transaction is closed with it
	res, err := changed(tx.StmtContext(ctx, s.advance).ExecContext(ctx, c.To+1, c.Watermark, step, c.Producers, p.Stream, p.Partition, c.Watermark, p.Epoch, p.NextOffset))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// changed makes a fenced statement that changed nothing an error.
func changed(res sql.Result, err error) (sql.Result, error) {
	if err != nil {
		return nil, err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrFenced
	}
	return res, err
}

func (s *Store) insert(ctx context.Context, tx *sql.Tx, p Progress, c Commit, seq int64) error {
	m, day := c.Block.Meta, Day(c.Stored)
	services, err := json.Marshal(m.Services)
	if err != nil {
		return fmt.Errorf("encoding services: %w", err)
	}
	//nolint:sqlclosecheck // a statement of a transaction is closed with it
	res, err := tx.StmtContext(ctx, s.insertBlock).ExecContext(ctx, p.Stream, p.Partition, c.From, c.To, p.PrevTo, m.Rows, len(c.Block.Data),
		m.Checksum, m.MinTime, m.MaxTime, m.LevelMask, services, c.Watermark, seq, day, m.RawBytes, len(c.Block.Filter), utc(c.Stored))
	if err != nil {
		return fmt.Errorf("inserting the block: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	//nolint:sqlclosecheck // a statement of a transaction is closed with it
	if _, err := tx.StmtContext(ctx, s.insertFilter).ExecContext(ctx, id, day, c.Block.Filter); err != nil {
		return fmt.Errorf("inserting the filter of block %d: %w", id, err)
	}
	//nolint:sqlclosecheck // a statement of a transaction is closed with it
	if _, err := tx.StmtContext(ctx, s.insertData).ExecContext(ctx, id, day, c.Block.Data); err != nil {
		return fmt.Errorf("inserting the data of block %d: %w", id, err)
	}
	return nil
}

// refused knows MySQL's errors about the data itself: packet too large (1153), wrong string (1366), number out of range (1264),
// too long (1406), invalid JSON (3140).
func refused(err error) bool {
	var my *mysql.MySQLError
	if !errors.As(err, &my) {
		return false
	}
	switch my.Number {
	case 1153, 1264, 1366, 1406, 3140:
		return true
	}
	return false
}
