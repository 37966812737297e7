package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/logmill/logmill/shared/mysqlx"
)

// Position is how far a service is with a partition of logs.raw.
type Position struct {
	Owner     string
	Next      int64 // of logs.raw
	Watermark int64 // ns
	Updated   time.Time
	Blind     string // why rules cannot see all of it; "" = they can
}

// Pipeline is what MySQL knows of the way of a line.
type Pipeline struct {
	Processor, Evaluator map[int32]*Position
	Checked              time.Time // when an evaluator last looked for blind rules; zero = never
	Problems, Unsent     int
}

const (
	processorsSQL = `SELECT p.part, p.owner, p.next_offset, p.watermark_ns, p.updated_at, '' FROM partition_progress p JOIN stream s ON s.id = p.stream_id WHERE s.cluster_id = ? AND s.topic = ? AND s.topic_id = ?`
	evaluatorsSQL = `SELECT p.part, p.owner, p.source_next, p.watermark_ns, p.updated_at, CASE WHEN p.lost_offset >= 0 THEN 'its position on logs.enriched is lost' WHEN p.blind_since IS NOT NULL THEN 'lines are missing: rules cannot see all of it' ELSE '' END
FROM alert_partition p JOIN stream s ON s.id = p.stream_id WHERE s.cluster_id = ? AND s.topic = ? AND s.topic_id = ?`
	watchedSQL = `SELECT MAX(w.checked_at), (SELECT COUNT(*) FROM alert_problem a JOIN stream s ON s.id = a.stream_id WHERE s.cluster_id = ? AND s.topic = ? AND s.topic_id = ?)
FROM alert_watch w JOIN stream s ON s.id = w.stream_id WHERE s.cluster_id = ? AND s.topic = ? AND s.topic_id = ?`
)

// Pipeline reads positions of a topic, by its identity on the broker.
func (s *Store) Pipeline(ctx context.Context, clusterID, topic, topicID string) (out Pipeline, err error) {
	id := []any{clusterID, topic, topicID}
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		out = Pipeline{Processor: map[int32]*Position{}, Evaluator: map[int32]*Position{}}
		for query, into := range map[string]map[int32]*Position{processorsSQL: out.Processor, evaluatorsSQL: out.Evaluator} {
			err := each(ctx, tx, func(r scanner) error {
				var part int32
				var p Position
				err := r.Scan(&part, &p.Owner, &p.Next, &p.Watermark, &p.Updated, &p.Blind)
				into[part] = &p
				return err
			}, query, id...)
			if err != nil {
				return err
			}
		}
		var checked sql.NullTime
		if err := tx.QueryRowContext(ctx, watchedSQL, append(id, id...)...).Scan(&checked, &out.Problems); err != nil {
			return err
		}
		out.Checked = checked.Time
		// By source: the history of an outbox is long, and what is not sent is found by its index only source by source.
		q := where{text: `SELECT COUNT(*) FROM alert_outbox o JOIN stream s ON s.id = o.stream_id WHERE o.sent = 0 AND s.cluster_id = ? AND s.topic = ? AND s.topic_id = ?`, args: id}
		sources := []string{"g", "m"}
		for part := range out.Evaluator {
			sources = append(sources, fmt.Sprintf("p%d", part))
		}
		q.in(` AND o.source IN (`, sources)
		return tx.QueryRowContext(ctx, q.text, q.args...).Scan(&out.Unsent)
	})
	if err != nil {
		return out, fmt.Errorf("reading how far the pipeline is: %w", err)
	}
	return out, nil
}
