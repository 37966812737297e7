// Package store reads what other services wrote to MySQL, and keeps the api's own tables: alert_rule, rule_version, alert_silence, silence_version, alert_command, audit and rule_clock.
package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/mysqlx"
)

// Store implements search.Source and the metrics' and health's readers.
type Store struct{ db *mysqlx.DB }

// New makes a store.
func New(db *mysqlx.DB) *Store { return &Store{db: db} }

const blockColumns = `SELECT id, stream_id, part, row_count, byte_count, min_time_ns, max_time_ns, level_mask, services, checksum
FROM block WHERE retired_seq IS NULL AND max_time_ns >= ? AND min_time_ns < ?`

// Blocks implements search.Source.
func (s *Store) Blocks(ctx context.Context, sel search.Selection) (out []search.BlockInfo, err error) {
	query, args := blockColumns, []any{sel.Start, sel.End}
	if sel.Oldest {
		if a := sel.After; a != nil {
			query += ` AND (min_time_ns > ? OR min_time_ns = ? AND id > ?)`
			args = append(args, a.MinTime, a.MinTime, a.ID)
		}
		query += ` ORDER BY min_time_ns, id LIMIT ?`
	} else {
		if a := sel.After; a != nil {
			query += ` AND (max_time_ns < ? OR max_time_ns = ? AND id < ?)`
			args = append(args, a.MaxTime, a.MaxTime, a.ID)
		}
		query += ` ORDER BY max_time_ns DESC, id DESC LIMIT ?`
	}
	rows, err := s.db.Text.QueryContext(ctx, query, append(args, sel.Limit)...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b search.BlockInfo
		var services []byte
		if err := rows.Scan(&b.ID, &b.Stream, &b.Partition, &b.Rows, &b.Bytes, &b.MinTime, &b.MaxTime, &b.LevelMask, &services, &b.Checksum); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(services, &b.Services); err != nil {
			return nil, fmt.Errorf("reading the services of block %d: %w", b.ID, err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// Filters implements search.Source.
func (s *Store) Filters(ctx context.Context, ids []uint64) (out map[uint64][]byte, err error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	rows, err := s.db.Blob.QueryContext(ctx, `SELECT block_id, filter FROM block_filter WHERE block_id IN (?`+strings.Repeat(",?", len(ids)-1)+`)`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = make(map[uint64][]byte, len(ids))
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
func (s *Store) Data(ctx context.Context, id uint64) ([]byte, error) {
	var data []byte
	err := s.db.Blob.QueryRowContext(ctx, `SELECT data FROM block_data WHERE block_id = ?`, id).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return data, err
}

// Progress is how far a partition of logs.raw is stored.
type Progress struct {
	Partition  int32
	NextOffset int64
	Watermark  int64 // ns
}

// Progress lists the partitions of a topic, by its identity on the broker.
func (s *Store) Progress(ctx context.Context, clusterID, topic, topicID string) (out []Progress, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT p.part, p.next_offset, p.watermark_ns FROM partition_progress p JOIN stream s ON s.id = p.stream_id
WHERE s.cluster_id = ? AND s.topic = ? AND s.topic_id = ? ORDER BY p.part`, clusterID, topic, topicID)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p Progress
		if err := rows.Scan(&p.Partition, &p.NextOffset, &p.Watermark); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}
