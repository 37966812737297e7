package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/shared/counts"
)

// What is known of a window is the sum of its value and of the rows that builds before migration 15 wrote of it. Processors turn rows into
// values, so one statement reads both, at one moment.
const (
	windowsSQL = `SELECT start_s, TRUE, data, '', 0, line_count, 0, 0, 0, 0, 0, 0, 0e0, 0e0 FROM window_data WHERE {where} UNION ALL
 SELECT start_s, FALSE, rt_sketch, service, level, line_count, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms FROM log_window WHERE {where}`
	errorsSQL = `SELECT start_s, TRUE, data, '', '', line_count FROM error_data WHERE {where} UNION ALL
 SELECT start_s, FALSE, NULL, service, message, line_count FROM error_window WHERE {where}`

	inRange     = `start_s >= ? AND start_s < ?`
	inPartition = `stream_id = ? AND part = ? AND ` + inRange
)

// both puts a condition into both halves of a statement, whose arguments come twice.
func both(statement, where string) string { return strings.ReplaceAll(statement, "{where}", where) }

// eachWindow calls f with the rows of windows; each is f's until it returns.
func (s *Store) eachWindow(ctx context.Context, where string, f func(*metrics.Window) error, args ...any) error {
	var w metrics.Window
	var value bool
	var data sql.RawBytes
	return s.each(ctx, func(rows *sql.Rows) error {
		w = metrics.Window{}
		if err := rows.Scan(&w.Start, &value, &data, &w.Service, &w.Level, &w.Lines, &w.Status[0], &w.Status[1], &w.Status[2], &w.Status[3], &w.Status[4],
			&w.Times.Count, &w.Times.SumMS, &w.Times.MaxMS); err != nil {
			return err
		}
		if !value {
			w.Damaged = w.Times.ReadSketch(data) != nil
			return f(&w)
		}
		return eachOf(w.Start, data, f)
	}, both(windowsSQL, where), append(args, args...)...)
}

// eachOf calls f with the rows of a value. One that cannot be read is a damaged row without lines.
func eachOf(start int64, data []byte, f func(*metrics.Window) error) error {
	w := metrics.Window{Start: start}
	var failed error
	err := counts.Each(data, func(r *counts.Row) {
		w.Row = *r
		failed = errors.Join(failed, f(&w))
	})
	if errors.Is(err, counts.ErrDamaged) {
		return errors.Join(failed, f(&metrics.Window{Start: start, Damaged: true}))
	}
	return errors.Join(failed, err)
}

func (s *Store) eachError(ctx context.Context, where string, f func(*windows.ErrorRow), args ...any) error {
	return s.eachText(ctx, both(errorsSQL, where), f, append(args, args...)...)
}

// eachText calls f with the texts of values and rows; each is f's until it returns.
func (s *Store) eachText(ctx context.Context, query string, f func(*windows.ErrorRow), args ...any) error {
	var e windows.ErrorRow
	var value bool
	var data sql.RawBytes
	return s.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(&e.Start, &value, &data, &e.Service, &e.Message, &e.Count); err != nil {
			return err
		}
		if !value {
			f(&e)
			return nil
		}
		err := counts.EachText(data, func(t *counts.Text) {
			f(&windows.ErrorRow{Start: e.Start, Service: t.Service, Message: t.Message, Count: int64(t.Lines)})
		})
		if errors.Is(err, counts.ErrDamaged) {
			return nil // texts are examples: the counts that they belong to are in the windows
		}
		return err
	}, query, args...)
}

// Windows calls f with the window rows of [start, end), of one service or of all; each is f's until it returns.
func (s *Store) Windows(ctx context.Context, start, end time.Time, service string, f func(metrics.Window) error) error {
	return s.eachWindow(ctx, inRange, func(w *metrics.Window) error {
		if service != "" && w.Service != service && !w.Damaged {
			return nil
		}
		return f(*w)
	}, start.Unix(), end.Unix())
}

// WindowsFrom is since when windows are whole, and since when they are together with hours; the zero time when none was ever deleted.
func (s *Store) WindowsFrom(ctx context.Context) (windows, hours time.Time, err error) {
	var w, h int64
	err = s.db.Text.QueryRowContext(ctx, `SELECT COALESCE(MAX(windows_from_s), 0), COALESCE(MAX(IF(hours_through = windows_through, LEAST(windows_from_s, hours_from_s), windows_from_s)), 0)
 FROM partition_progress`).Scan(&w, &h)
	return since(w), since(h), err
}

func since(s int64) time.Time {
	if s <= 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

// ErrorTexts adds the error texts of [start, end), of one service or of all, to t. The minutes at both ends count whole.
func (s *Store) ErrorTexts(ctx context.Context, start, end time.Time, service string, t metrics.Errors) error {
	return s.eachError(ctx, inRange, func(e *windows.ErrorRow) {
		if service == "" || e.Service == service {
			t.Add(e.Service, e.Message, e.Count)
		}
	}, start.Truncate(time.Minute).Unix(), end.Unix())
}
