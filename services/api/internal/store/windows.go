package store

import (
	"context"
	"errors"
	"time"

	"github.com/logmill/logmill/services/api/internal/metrics"
)

const windowRows = `SELECT start_s, service, level, line_count, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms, rt_sketch
FROM log_window WHERE start_s >= ? AND start_s < ? AND (? = '' OR service = ?)`

// Windows calls f with each window row of [start, end), of one service or of all.
func (s *Store) Windows(ctx context.Context, start, end time.Time, service string, f func(metrics.Window) error) (err error) {
	rows, err := s.db.Blob.QueryContext(ctx, windowRows, start.Unix(), end.Unix(), service, service)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var w metrics.Window
		if err := rows.Scan(&w.Start, &w.Service, &w.Level, &w.Lines, &w.Status[0], &w.Status[1], &w.Status[2], &w.Status[3], &w.Status[4],
			&w.Count, &w.SumMS, &w.MaxMS, &w.Sketch); err != nil {
			return err
		}
		if err := f(w); err != nil {
			return err
		}
	}
	return rows.Err()
}

// WindowsFrom is since when window rows are whole; the zero time when none was ever deleted.
func (s *Store) WindowsFrom(ctx context.Context) (time.Time, error) {
	var from int64
	if err := s.db.Text.QueryRowContext(ctx, `SELECT COALESCE(MAX(windows_from_s), 0) FROM partition_progress`).Scan(&from); err != nil || from == 0 {
		return time.Time{}, err
	}
	return time.Unix(from, 0).UTC(), nil
}

// ErrorTexts adds the error texts of [start, end), of one service or of all, to t. The minutes at both ends count whole.
func (s *Store) ErrorTexts(ctx context.Context, start, end time.Time, service string, t metrics.Errors) (err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT message, service, SUM(line_count) FROM error_window
WHERE start_s >= ? AND start_s < ? AND (? = '' OR service = ?) GROUP BY service, text_hash, message`, start.Truncate(time.Minute).Unix(), end.Unix(), service, service)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text, service string
		var n int64
		if err := rows.Scan(&text, &service, &n); err != nil {
			return err
		}
		t.Add(service, text, n)
	}
	return rows.Err()
}

// Service is a service that logged in a range.
type Service struct {
	Name     string    `json:"name"`
	Lines    int64     `json:"lines"`
	Errors   int64     `json:"errors"`
	LastSeen time.Time `json:"last_seen"` // to 10 s
}

// Services are the services of [start, end), by name, behind after.
func (s *Store) Services(ctx context.Context, start, end time.Time, after string, limit int) (out []Service, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT service, SUM(line_count), SUM(IF(level >= 5, line_count, 0)), MAX(start_s) FROM log_window
WHERE start_s >= ? AND start_s < ? AND service > ? GROUP BY service ORDER BY service LIMIT ?`, start.Unix(), end.Unix(), after, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v Service
		var last int64
		if err := rows.Scan(&v.Name, &v.Lines, &v.Errors, &last); err != nil {
			return nil, err
		}
		v.LastSeen = time.Unix(last, 0).UTC()
		out = append(out, v)
	}
	return out, rows.Err()
}
