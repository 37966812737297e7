package store

import "context"

const (
	statusSQL = ` ON DUPLICATE KEY UPDATE status = VALUES(status), updated_at = VALUES(updated_at)`
	partSQL   = `INSERT INTO alert_status (stream_id, source, status, updated_at) SELECT stream_id, ?, CONVERT(? USING utf8mb4), UTC_TIMESTAMP(6) FROM alert_partition WHERE stream_id = ? AND part = ? AND epoch = ?` + statusSQL
	shardSQL  = `INSERT INTO alert_status (stream_id, source, status, updated_at) SELECT stream_id, ?, CONVERT(? USING utf8mb4), UTC_TIMESTAMP(6) FROM alert_global WHERE stream_id = ? AND epoch = ?` + statusSQL
)

// Report writes how a partition's rules stand. Nothing happens when the partition is somebody else's by now.
func (s *Store) Report(ctx context.Context, p Partition, status []byte) error {
	_, err := s.db.Text.ExecContext(ctx, partSQL, SourceOf(p.Partition), status, p.Stream, p.Partition, p.Epoch)
	return err
}

// ReportGlobal is the same for the rules over all partitions.
func (s *Store) ReportGlobal(ctx context.Context, g Global, status []byte) error {
	_, err := s.db.Text.ExecContext(ctx, shardSQL, GlobalSource, status, g.Stream, g.Epoch)
	return err
}
