package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/logmill/logmill/shared/mysqlx"
)

// ErrPartitions is a topic with another number of partitions than it was stored with.
var ErrPartitions = errors.New("the topic has another number of partitions")

const (
	findStreamSQL = `SELECT id, partitions FROM stream WHERE cluster_id = ? AND topic = ? AND topic_id = ?`
	addStreamSQL  = `INSERT INTO stream (cluster_id, topic, topic_id, partitions, created_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE id = id`
)

// Stream finds or makes the stream of a topic of a cluster and returns its id. Another partition count than before is an error:
// alert state and homes live by partition.
func (s *Store) Stream(ctx context.Context, cluster, topic, topicID string, partitions int32) (uint32, error) {
	id, had, err := s.findStream(ctx, cluster, topic, topicID)
	if errors.Is(err, sql.ErrNoRows) { // asked first: an INSERT that changes nothing still burns an id
		if _, err = s.text.ExecContext(ctx, addStreamSQL, cluster, topic, topicID, partitions); err == nil {
			id, had, err = s.findStream(ctx, cluster, topic, topicID)
		}
	}
	if err != nil {
		return 0, fmt.Errorf("finding the stream of topic %s: %w", topic, err)
	}
	if had != partitions {
		return 0, fmt.Errorf("%w: topic %s has %d, but was stored with %d: the count is fixed at the first start", ErrPartitions, topic, partitions, had)
	}
	return id, nil
}

func (s *Store) findStream(ctx context.Context, cluster, topic, topicID string) (id uint32, partitions int32, err error) {
	err = s.text.QueryRowContext(ctx, findStreamSQL, cluster, topic, topicID).Scan(&id, &partitions)
	return id, partitions, err
}

const (
	acquireSQL = `INSERT INTO partition_progress (stream_id, part, epoch, owner, updated_at) VALUES (?, ?, 1, ?, UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE epoch = ` + nextEpoch + `, owner = VALUES(owner), updated_at = VALUES(updated_at)`
	readProgressSQL = `SELECT epoch, next_offset, watermark_ns, windows_through, producers,
 COALESCE((SELECT b.to_offset FROM block b WHERE b.stream_id = p.stream_id AND b.part = p.part ORDER BY b.from_offset DESC LIMIT 1), -1)
FROM partition_progress p WHERE stream_id = ? AND part = ?`
)

// Acquire takes a partition under a new epoch, which fences every owner before, and returns where it stands.
func (s *Store) Acquire(ctx context.Context, stream uint32, partition int32, owner string) (Progress, error) {
	p := Progress{Stream: stream, Partition: partition}
	err := mysqlx.WithTx(ctx, s.text, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, acquireSQL, stream, partition, owner); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, readProgressSQL, stream, partition).
			Scan(&p.Epoch, &p.NextOffset, &p.Watermark, &p.WindowsThrough, &p.Producers, &p.PrevTo)
		if err == nil {
			p.OldWindows, err = hasOldWindows(ctx, tx, stream, partition)
		}
		if err == nil {
			p.HoursFrom, err = beginHours(ctx, tx, stream, partition)
		}
		return err
	})
	if err != nil {
		return Progress{}, fmt.Errorf("acquiring partition %d: %w", partition, err)
	}
	return p, nil
}

const blockColumns = `b.from_offset, b.to_offset, b.prev_to, b.row_count, b.checksum, b.min_time_ns, b.max_time_ns, b.level_mask,
 b.watermark_ns, d.data`

const lastBlockSQL = `SELECT ` + blockColumns + ` FROM block b JOIN block_data d ON d.block_id = b.id AND d.day = b.day
WHERE b.stream_id = ? AND b.part = ? AND b.retired_seq IS NULL ORDER BY b.from_offset DESC LIMIT 1`

// LastBlock returns a partition's newest block; ok is false when it has none.
func (s *Store) LastBlock(ctx context.Context, p Progress) (b Block, ok bool, err error) {
	b, err = scanBlock(s.blob.QueryRowContext(ctx, lastBlockSQL, p.Stream, p.Partition))
	if errors.Is(err, sql.ErrNoRows) {
		return Block{}, false, nil
	}
	if err != nil {
		return Block{}, false, fmt.Errorf("reading the last block of partition %d: %w", p.Partition, err)
	}
	return b, true, nil
}

// The block that holds an offset begins at or before it, so the index on from_offset finds the first in one step.
const blocksFromSQL = `SELECT ` + blockColumns + ` FROM block b JOIN block_data d ON d.block_id = b.id AND d.day = b.day
WHERE b.stream_id = ? AND b.part = ? AND b.retired_seq IS NULL AND b.to_offset >= ? AND b.from_offset >= COALESCE(
 (SELECT MAX(a.from_offset) FROM block a WHERE a.stream_id = ? AND a.part = ? AND a.retired_seq IS NULL AND a.from_offset <= ?), 0)
ORDER BY b.from_offset LIMIT 1`

// BlockFrom returns the first block that ends at offset or after it; ok is false when there is none.
func (s *Store) BlockFrom(ctx context.Context, p Progress, offset int64) (b Block, ok bool, err error) {
	b, err = scanBlock(s.blob.QueryRowContext(ctx, blocksFromSQL, p.Stream, p.Partition, offset, p.Stream, p.Partition, offset))
	if errors.Is(err, sql.ErrNoRows) {
		return Block{}, false, nil
	}
	if err != nil {
		return Block{}, false, fmt.Errorf("reading the block at offset %d of partition %d: %w", offset, p.Partition, err)
	}
	return b, true, nil
}

func scanBlock(row *sql.Row) (b Block, err error) {
	err = row.Scan(&b.From, &b.To, &b.PrevTo, &b.Meta.Rows, &b.Meta.Checksum, &b.Meta.MinTime, &b.Meta.MaxTime, &b.Meta.LevelMask, &b.Watermark, &b.Data)
	return b, err
}
