package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/windows"
)

// WindowPositions implements windows.Source.
func (s *Store) WindowPositions(ctx context.Context) (out []windows.Position, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		var p windows.Position
		err := rows.Scan(&p.Stream, &p.Part, &p.Through, &p.From)
		out = append(out, p)
		return err
	}, `SELECT stream_id, part, windows_through, windows_from_s FROM partition_progress`)
	return out, err
}

// TouchedMinutes implements windows.Source.
func (s *Store) TouchedMinutes(ctx context.Context, p windows.Partition, through int64) (out []int64, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		var m int64
		err := rows.Scan(&m)
		out = append(out, m)
		return err
	}, `SELECT start_s FROM window_change WHERE stream_id = ? AND part = ? AND through > ?`, p.Stream, p.Part, through)
	return out, err
}

// WindowSpan implements windows.Source.
func (s *Store) WindowSpan(ctx context.Context, p windows.Partition) (out windows.Span, err error) {
	const minute = 60
	err = s.each(ctx, func(rows *sql.Rows) error {
		var first, last sql.NullInt64
		if err := rows.Scan(&first, &last); err != nil || !first.Valid {
			return err
		}
		out = windows.Span{From: windows.Minute(first.Int64), To: windows.Minute(last.Int64) + minute}
		return nil
	}, `SELECT MIN(start_s), MAX(start_s) FROM (
 (SELECT MIN(start_s) AS start_s FROM window_data WHERE stream_id = ? AND part = ?) UNION ALL (SELECT MAX(start_s) FROM window_data WHERE stream_id = ? AND part = ?) UNION ALL
 (SELECT MIN(start_s) FROM log_window WHERE stream_id = ? AND part = ?) UNION ALL (SELECT MAX(start_s) FROM log_window WHERE stream_id = ? AND part = ?)) w`,
		p.Stream, p.Part, p.Stream, p.Part, p.Stream, p.Part, p.Stream, p.Part)
	return out, err
}

// PartitionWindows implements windows.Source.
func (s *Store) PartitionWindows(ctx context.Context, p windows.Partition, span windows.Span, f func(*metrics.Window)) error {
	return s.eachWindow(ctx, inPartition, func(w *metrics.Window) error {
		f(w)
		return nil
	}, p.Stream, p.Part, span.From, span.To)
}

// PartitionErrors implements windows.Source.
func (s *Store) PartitionErrors(ctx context.Context, p windows.Partition, span windows.Span, f func(*windows.ErrorRow)) error {
	return s.eachError(ctx, inPartition, f, p.Stream, p.Part, span.From, span.To)
}

// each runs a query and calls f with each row.
func (s *Store) each(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := s.db.Blob.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
