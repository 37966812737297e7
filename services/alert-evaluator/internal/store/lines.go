package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule/engine"
)

// Line is a stored record.
type Line struct {
	ID        string
	Partition int32
	Record    logrec.Record
}

// Lines reads records by their ids, in the order asked for. Those that retention has deleted are left out.
func (s *Store) Lines(ctx context.Context, stream uint32, ids []engine.RecordID) ([]Line, error) {
	var out []Line
	open := map[[2]int64]*block.Reader{}
	for _, id := range ids {
		r, err := s.blockOf(ctx, stream, id, open)
		if err != nil {
			return nil, err
		}
		if r == nil {
			continue
		}
		row, err := find(r, id)
		if err != nil || row < 0 {
			return out, err
		}
		recs, err := r.Records([]int{row})
		if err != nil {
			return nil, fmt.Errorf("reading evidence: %w", err)
		}
		out = append(out, Line{ID: logrec.ID{Stream: stream, Partition: id.Partition, Offset: id.Offset, Row: id.Row}.String(), Partition: id.Partition, Record: recs[0]})
	}
	return out, nil
}

func (s *Store) blockOf(ctx context.Context, stream uint32, id engine.RecordID, open map[[2]int64]*block.Reader) (*block.Reader, error) {
	key := [2]int64{int64(id.Partition), id.Offset}
	if r := open[key]; r != nil {
		return r, nil
	}
	var data []byte
	err := s.db.Blob.QueryRowContext(ctx, `SELECT d.data FROM block b JOIN block_data d ON d.block_id = b.id
WHERE b.stream_id = ? AND b.part = ? AND b.from_offset <= ? AND b.to_offset >= ? AND b.retired_at IS NULL ORDER BY b.from_offset DESC LIMIT 1`, stream, id.Partition, id.Offset, id.Offset).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading evidence: %w", err)
	}
	r, err := block.Open(data)
	if err != nil {
		return nil, fmt.Errorf("reading evidence: %w", err)
	}
	open[key] = r
	return r, nil
}

// find is the record's row in the block, -1 for none.
func find(r *block.Reader, id engine.RecordID) (int, error) {
	offsets, _, err := r.Ints("src_offset")
	if err != nil {
		return -1, err
	}
	rows, _, err := r.Ints("src_row")
	if err != nil {
		return -1, err
	}
	for i := range offsets {
		if offsets[i] == id.Offset && rows[i] == int64(id.Row) {
			return i, nil
		}
	}
	return -1, nil
}

// Blocks gives the stored blocks of source offsets from … to, in order, to f.
func (s *Store) Blocks(ctx context.Context, p Partition, from, to int64, f func(*block.Reader) error) (err error) {
	rows, err := s.db.Blob.QueryContext(ctx, `SELECT d.data FROM block b JOIN block_data d ON d.block_id = b.id
WHERE b.stream_id = ? AND b.part = ? AND b.retired_at IS NULL AND b.to_offset >= ? AND b.from_offset <= ? ORDER BY b.from_offset`, p.Stream, p.Partition, from, to)
	if err != nil {
		return fmt.Errorf("reading blocks of partition %d: %w", p.Partition, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return err
		}
		r, err := block.Open(data)
		if err != nil {
			return err
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return rows.Err()
}
