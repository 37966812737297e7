package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/logmill/logmill/services/processor/internal/compact"
	"github.com/logmill/logmill/shared/mysqlx"
)

// ErrChanged says that blocks were replaced or removed since they were read.
var ErrChanged = errors.New("the blocks have changed since they were read")

// Claim is a partition in its owner's hands.
type Claim struct {
	Stream    uint32
	Partition int32
	Epoch     int64
}

// Keeper changes stored blocks in the background: it merges and removes them. Its pools are its own, so that it never takes a
// connection that ingest waits for.
type Keeper struct{ db *mysqlx.DB }

// NewKeeper makes a keeper.
func NewKeeper(db *mysqlx.DB) *Keeper { return &Keeper{db} }

const blocksSQL = `SELECT id, from_offset, to_offset, prev_to, generation, row_count, byte_count, raw_bytes, checksum, day,
 TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) * 1000, watermark_ns, damaged_at IS NOT NULL
FROM block WHERE stream_id = ? AND part = ? AND from_offset >= ? AND retired_seq IS NULL ORDER BY from_offset LIMIT ?`

// Blocks lists a partition's blocks that begin at an offset or after it; end is true when they are all there are.
func (k *Keeper) Blocks(ctx context.Context, c Claim, from int64, limit int) (blocks []compact.Block, end bool, err error) {
	rows, err := k.db.Text.QueryContext(ctx, blocksSQL, c.Stream, c.Partition, from, limit)
	if err != nil {
		return nil, false, fmt.Errorf("listing blocks of partition %d: %w", c.Partition, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b compact.Block
		if err := rows.Scan(&b.ID, &b.From, &b.To, &b.Prev, &b.Generation, &b.Rows, &b.Bytes, &b.Raw, &b.Checksum, &b.Day, &b.Stored, &b.Watermark, &b.Damaged); err != nil {
			return nil, false, err
		}
		blocks = append(blocks, b)
	}
	return blocks, len(blocks) < limit, rows.Err()
}

// dataAtOnce blocks are read with one statement; shorter lists repeat their last id.
const dataAtOnce = 64

var dataSQL = `SELECT block_id, data FROM block_data WHERE day = ? AND block_id IN (?` + strings.Repeat(",?", dataAtOnce-1) + `)`

// Data reads blocks of one day, in the order asked for. ErrChanged = one is gone.
func (k *Keeper) Data(ctx context.Context, blocks []compact.Block) ([][]byte, error) {
	found := make(map[uint64][]byte, len(blocks))
	for rest := blocks; len(rest) > 0; {
		n := min(len(rest), dataAtOnce)
		if err := k.dataOnce(ctx, rest[:n], found); err != nil {
			return nil, fmt.Errorf("reading %d blocks: %w", len(blocks), err)
		}
		rest = rest[n:]
	}
	data := make([][]byte, len(blocks))
	for i, b := range blocks {
		var ok bool
		if data[i], ok = found[b.ID]; !ok {
			return nil, fmt.Errorf("reading block %d: %w", b.ID, ErrChanged)
		}
	}
	return data, nil
}

func (k *Keeper) dataOnce(ctx context.Context, blocks []compact.Block, found map[uint64][]byte) (err error) {
	args := []any{blocks[0].Day}
	for i := range dataAtOnce {
		args = append(args, blocks[min(i, len(blocks)-1)].ID)
	}
	rows, err := k.db.Blob.QueryContext(ctx, dataSQL, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id uint64
		var data []byte
		if err := rows.Scan(&id, &data); err != nil {
			return err
		}
		found[id] = data
	}
	return rows.Err()
}

const (
	insertMergedSQL = `INSERT INTO block (stream_id, part, generation, from_offset, to_offset, prev_to, row_count, byte_count, checksum,
 min_time_ns, max_time_ns, level_mask, services, watermark_ns, change_seq, day, raw_bytes, filter_bytes, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?)`
	nextSeqSQL = `UPDATE partition_progress SET change_seq = LAST_INSERT_ID(change_seq + 1) WHERE stream_id = ? AND part = ?` + claimFence
	setSeqSQL  = `UPDATE block SET change_seq = ? WHERE id = ?`
	retireSQL  = `UPDATE block SET retired_seq = ?, retired_at = ? WHERE retired_seq IS NULL AND id IN (`
)

// Replace puts a merged block in the place of the blocks that it was made of, in one transaction; now is MySQL's clock, ns. ErrFenced and
// ErrChanged = nothing was changed. After any other error it is unknown whether it was: Blocks tells.
func (k *Keeper) Replace(ctx context.Context, c Claim, job []compact.Block, m compact.Merged, now int64) error {
	err := mysqlx.WithTx(ctx, k.db.Blob, func(tx *sql.Tx) error {
		// All that is large comes first: ingest waits for the partition's row from nextSeq on.
		id, err := insertMerged(ctx, tx, c, m)
		if err != nil {
			return err
		}
		seq, err := nextSeq(ctx, tx, c)
		if err != nil {
			return err
		}
		if err := retire(ctx, tx, job, seq, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, setSeqSQL, seq, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("replacing %d blocks of partition %d: %w", len(job), c.Partition, err)
	}
	return nil
}

func insertMerged(ctx context.Context, tx *sql.Tx, c Claim, m compact.Merged) (id int64, err error) {
	services, err := json.Marshal(m.Meta.Services)
	if err != nil {
		return 0, fmt.Errorf("encoding services: %w", err)
	}
	res, err := tx.ExecContext(ctx, insertMergedSQL, c.Stream, c.Partition, m.Generation, m.From, m.To, m.Prev, m.Meta.Rows, len(m.Data), m.Meta.Checksum,
		m.Meta.MinTime, m.Meta.MaxTime, m.Meta.LevelMask, services, m.Watermark, m.Day, m.Meta.RawBytes, len(m.Filter), utc(m.Stored))
	if mysqlx.IsDuplicate(err) { // somebody merged from the same block on
		return 0, errors.Join(ErrChanged, err)
	}
	if err != nil {
		return 0, err
	}
	if id, err = res.LastInsertId(); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, insertFilterSQL, id, m.Day, m.Filter); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, insertDataSQL, id, m.Day, m.Data)
	return id, err
}

// nextSeq takes the partition's next change number. ErrFenced = the claim is not ours any more.
func nextSeq(ctx context.Context, tx *sql.Tx, c Claim) (int64, error) {
	res, err := changed(tx.ExecContext(ctx, nextSeqSQL, c.Stream, c.Partition, c.Epoch))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// retire takes blocks out of the set. All must be in it, else ErrChanged.
func retire(ctx context.Context, tx *sql.Tx, blocks []compact.Block, seq, now int64) error {
	args := make([]any, 0, len(blocks)+2)
	args = append(args, seq, utc(now))
	for _, b := range blocks {
		args = append(args, b.ID)
	}
	res, err := tx.ExecContext(ctx, retireSQL+`?`+strings.Repeat(",?", len(blocks)-1)+`)`, args...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != int64(len(blocks)) {
		err = ErrChanged
	}
	return err
}
