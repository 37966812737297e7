package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/mysqlx"
)

const (
	progressSQL = `SELECT stream_id, part, change_seq, erased_seq FROM partition_progress`

	blockSQL = `SELECT b.id, b.stream_id, b.part, b.from_offset, b.to_offset, b.row_count, b.byte_count, b.checksum, b.min_time_ns, b.max_time_ns,
 b.level_mask, b.services, b.day, b.filter_bytes, `
	wholeSQL = blockSQL + `'' FROM block b WHERE b.stream_id = ? AND b.part = ? AND b.retired_seq IS NULL`
	addedSQL = blockSQL + `COALESCE(f.filter, '') FROM block b LEFT JOIN block_filter f ON f.block_id = b.id AND f.day = b.day
WHERE b.stream_id = ? AND b.part = ? AND b.change_seq > ? AND b.retired_seq IS NULL`
	removedSQL = `SELECT id FROM block WHERE stream_id = ? AND part = ? AND retired_seq > ?`
)

// progress is where a partition's set of blocks stands.
type progress struct {
	index.Partition
	seq, erased int64
}

// Changes implements index.Source. A partition of a day that comes or goes meanwhile ends the transaction.
func (s *Store) Changes(ctx context.Context, known map[index.Partition]int64) ([]index.Change, error) {
	out, err := s.changes(ctx, known)
	if mysqlx.IsAltered(err) {
		return s.changes(ctx, known)
	}
	return out, err
}

func (s *Store) changes(ctx context.Context, known map[index.Partition]int64) ([]index.Change, error) {
	now, err := readProgress(ctx, s.db.Blob) // mostly nothing has changed
	if err != nil || !anyNew(now, known) {
		return nil, err
	}
	tx, err := s.db.Blob.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it only reads
	if now, err = readProgress(ctx, tx); err != nil {
		return nil, err
	}
	var out []index.Change
	for _, p := range now {
		from, ok := known[p.Partition]
		if ok && from == p.seq {
			continue
		}
		c := index.Change{Partition: p.Partition, Seq: p.seq, Whole: !ok || p.erased > from}
		if err := readChange(ctx, tx, &c, from); err != nil {
			return nil, fmt.Errorf("reading the blocks of partition %d: %w", p.Part, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func anyNew(now []progress, known map[index.Partition]int64) bool {
	for _, p := range now {
		if seq, ok := known[p.Partition]; !ok || seq != p.seq {
			return true
		}
	}
	return false
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func readProgress(ctx context.Context, q queryer) (out []progress, err error) {
	rows, err := q.QueryContext(ctx, progressSQL)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p progress
		if err := rows.Scan(&p.Stream, &p.Part, &p.seq, &p.erased); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

func readChange(ctx context.Context, tx *sql.Tx, c *index.Change, from int64) (err error) {
	if c.Whole {
		c.Added, err = readBlocks(ctx, tx, wholeSQL, c.Stream, c.Part)
		return err
	}
	if c.Added, err = readBlocks(ctx, tx, addedSQL, c.Stream, c.Part, from); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, removedSQL, c.Stream, c.Part, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id uint64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		c.Removed = append(c.Removed, id)
	}
	return rows.Err()
}

func readBlocks(ctx context.Context, tx *sql.Tx, query string, args ...any) (out []index.Row, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b index.Row
		var services sql.RawBytes
		if err := rows.Scan(&b.ID, &b.Stream, &b.Partition, &b.From, &b.To, &b.Rows, &b.Bytes, &b.Checksum, &b.MinTime, &b.MaxTime, &b.LevelMask,
			&services, &b.Day, &b.FilterBytes, &b.Filter); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(services, &b.Services); err != nil {
			return nil, fmt.Errorf("reading the services of block %d: %w", b.ID, err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// Filters implements index.Source.
func (s *Store) Filters(ctx context.Context, blocks []*scan.Block) (out map[uint64][]byte, err error) {
	args := make([]any, 0, 2*len(blocks))
	for _, b := range blocks {
		args = append(args, b.ID, b.Day)
	}
	rows, err := s.db.Blob.QueryContext(ctx, `SELECT block_id, filter FROM block_filter WHERE (block_id, day) IN ((?, ?)`+strings.Repeat(", (?, ?)", len(blocks)-1)+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = make(map[uint64][]byte, len(blocks))
	for rows.Next() {
		var id uint64
		var filter []byte
		if err := rows.Scan(&id, &filter); err != nil {
			return nil, err
		}
		out[id] = filter
	}
	return out, rows.Err()
}

// Data implements search.Source; nil for a block that is gone.
func (s *Store) Data(ctx context.Context, b *scan.Block) ([]byte, error) {
	var data []byte
	err := s.db.Blob.QueryRowContext(ctx, `SELECT data FROM block_data WHERE block_id = ? AND day = ?`, b.ID, b.Day).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return data, err
}

// DamagedBlocks implements status.Store.
func (s *Store) DamagedBlocks(ctx context.Context, limit int) (names []string, n int, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT id, part, from_offset, to_offset FROM block WHERE damaged_at IS NOT NULL AND retired_seq IS NULL ORDER BY id`)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id, part, from, to int64
		if err := rows.Scan(&id, &part, &from, &to); err != nil {
			return nil, 0, err
		}
		if n++; n <= limit {
			names = append(names, fmt.Sprintf("block %d (partition %d, offsets %d to %d)", id, part, from, to))
		}
	}
	return names, n, rows.Err()
}
