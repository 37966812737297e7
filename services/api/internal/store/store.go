// Package store reads what other services wrote to MySQL, and keeps the api's own tables: alert_rule, rule_version, alert_silence, silence_version, alert_command, audit and rule_clock.
package store

import (
	"context"
	"errors"

	"github.com/logmill/logmill/shared/mysqlx"
)

// Store implements index.Source, search.Source and the metrics' and health's readers.
type Store struct{ db *mysqlx.DB }

// New makes a store.
func New(db *mysqlx.DB) *Store { return &Store{db: db} }

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
