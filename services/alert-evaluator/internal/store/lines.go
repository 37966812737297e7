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

// Lines reads records by their ids, in the order asked for. Those that retention has deleted are left out, and those of a damaged block
// too, with an error (block.ErrDamaged).
func (s *Store) Lines(ctx context.Context, stream uint32, ids []engine.RecordID) (out []Line, err error) {
	open := map[[2]int64]*block.Reader{}
	var damage error
	for _, id := range ids {
		r, err := s.blockOf(ctx, stream, id, open)
		if errors.Is(err, block.ErrDamaged) {
			damage = err
			continue
		}
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
	return out, damage
}

func (s *Store) blockOf(ctx context.Context, stream uint32, id engine.RecordID, open map[[2]int64]*block.Reader) (*block.Reader, error) {
	key := [2]int64{int64(id.Partition), id.Offset}
	if r := open[key]; r != nil {
		return r, nil
	}
	var b stored
	err := s.db.Blob.QueryRowContext(ctx, storedSQL+` AND b.from_offset <= ? AND b.to_offset >= ? ORDER BY b.from_offset DESC LIMIT 1`,
		stream, id.Partition, id.Offset, id.Offset).Scan(&b.id, &b.checksum, &b.data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading evidence: %w", err)
	}
	r, err := b.open()
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

// storedSQL selects blocks that are in the set (docs/blocks.md).
const storedSQL = `SELECT b.id, b.checksum, d.data FROM block b LEFT JOIN block_data d ON d.block_id = b.id AND d.day = b.day
WHERE b.stream_id = ? AND b.part = ? AND b.retired_seq IS NULL`

// stored is a block as MySQL has it.
type stored struct {
	id       uint64
	checksum uint32
	data     []byte
}

func (b *stored) open() (*block.Reader, error) {
	if block.Checksum(b.data) != b.checksum {
		return nil, fmt.Errorf("block %d: %w: its checksum is another", b.id, block.ErrDamaged)
	}
	r, err := block.Open(b.data)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", b.id, err)
	}
	return r, nil
}

// Blocks gives the stored blocks of source offsets from … to, in order, to f. Merged blocks may begin before and end behind. Those that
// cannot be read, by f neither, are passed over and come back as damage.
func (s *Store) Blocks(ctx context.Context, p Partition, from, to int64, f func(*block.Reader) error) (damage, err error) {
	rows, err := s.db.Blob.QueryContext(ctx, storedSQL+` AND b.to_offset >= ? AND b.from_offset <= ? ORDER BY b.from_offset`, p.Stream, p.Partition, from, to)
	if err != nil {
		return nil, fmt.Errorf("reading blocks of partition %d: %w", p.Partition, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b stored
		if err := rows.Scan(&b.id, &b.checksum, &b.data); err != nil {
			return damage, err
		}
		r, err := b.open()
		if err != nil {
			damage = errors.Join(damage, err)
			continue
		}
		damage = errors.Join(damage, f(r))
	}
	return damage, rows.Err()
}
