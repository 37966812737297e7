package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/mysqlx"
)

const (
	// As many starts are loaded with one statement; shorter lists repeat their last start.
	startsAtOnce = 32
	// As many rows are written with one statement: longer ones gain nothing and hold more memory.
	rowsAtOnce = 64
)

var (
	loadWindowsSQL = `SELECT start_s, service, level, line_count, byte_count, unevaluated, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx,
 rt_count, rt_sum_ms, rt_max_ms, rt_sketch FROM log_window WHERE stream_id = ? AND part = ? AND start_s IN (?` + strings.Repeat(",?", startsAtOnce-1) + `)`

	loadErrorsSQL = `SELECT start_s, service, text_hash, message, line_count FROM error_window
WHERE stream_id = ? AND part = ? AND start_s IN (?` + strings.Repeat(",?", startsAtOnce-1) + `)`
)

// Windows reads the log windows that begin at starts (s).
func (s *Store) Windows(ctx context.Context, p Progress, starts []int64) ([]window.Row, error) {
	var rows []window.Row
	err := s.byStart(ctx, loadWindowsSQL, p, starts, func(r *sql.Rows) error {
		var w window.Row
		if err := r.Scan(&w.Start, &w.Service, &w.Level, &w.Count, &w.Bytes, &w.Unevaluated, &w.Status[0], &w.Status[1], &w.Status[2],
			&w.Status[3], &w.Status[4], &w.RTCount, &w.RTSum, &w.RTMax, &w.Sketch); err != nil {
			return err
		}
		rows = append(rows, w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading windows of partition %d: %w", p.Partition, err)
	}
	return rows, nil
}

// Errors reads the error windows that begin at starts (s).
func (s *Store) Errors(ctx context.Context, p Progress, starts []int64) ([]window.ErrorRow, error) {
	var rows []window.ErrorRow
	err := s.byStart(ctx, loadErrorsSQL, p, starts, func(r *sql.Rows) error {
		var w window.ErrorRow
		if err := r.Scan(&w.Start, &w.Service, &w.Hash, &w.Message, &w.Count); err != nil {
			return err
		}
		rows = append(rows, w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("loading error windows of partition %d: %w", p.Partition, err)
	}
	return rows, nil
}

func (s *Store) byStart(ctx context.Context, query string, p Progress, starts []int64, scan func(*sql.Rows) error) error {
	for len(starts) > 0 {
		n := min(len(starts), startsAtOnce)
		if err := s.startsOnce(ctx, query, p, starts[:n], scan); err != nil {
			return err
		}
		starts = starts[n:]
	}
	return nil
}

func (s *Store) startsOnce(ctx context.Context, query string, p Progress, starts []int64, scan func(*sql.Rows) error) error {
	args := []any{p.Stream, p.Partition}
	for i := range startsAtOnce {
		args = append(args, starts[min(i, len(starts)-1)])
	}
	rows, err := s.text.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err's
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

const (
	moveWindowsSQL = `UPDATE partition_progress SET windows_through = ?, updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ? AND epoch = ? AND windows_through = ?`

	upsertWindowSQL = `INSERT INTO log_window (stream_id, part, start_s, service, level, line_count, byte_count, unevaluated, status_1xx, status_2xx,
 status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms, rt_sketch) VALUES `
	upsertWindowRow = `(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	upsertWindowEnd = ` ON DUPLICATE KEY UPDATE line_count=VALUES(line_count), byte_count=VALUES(byte_count), unevaluated=VALUES(unevaluated),
 status_1xx=VALUES(status_1xx), status_2xx=VALUES(status_2xx), status_3xx=VALUES(status_3xx), status_4xx=VALUES(status_4xx),
 status_5xx=VALUES(status_5xx), rt_count=VALUES(rt_count), rt_sum_ms=VALUES(rt_sum_ms), rt_max_ms=VALUES(rt_max_ms), rt_sketch=VALUES(rt_sketch)`

	upsertErrorSQL = `INSERT INTO error_window (stream_id, part, start_s, service, text_hash, message, line_count) VALUES `
	upsertErrorRow = `(?,?,?,?,?,?,?)`
	upsertErrorEnd = ` ON DUPLICATE KEY UPDATE line_count=VALUES(line_count)`

	upsertChangeSQL = `INSERT INTO window_change (stream_id, part, start_s, through, written_at) VALUES `
	upsertChangeRow = `(?,?,?,?,UTC_TIMESTAMP(6))`
	upsertChangeEnd = ` ON DUPLICATE KEY UPDATE through=VALUES(through), written_at=VALUES(written_at)`
)

// SaveWindows writes rows, which hold all records below through, and moves windows_through there, in one transaction.
// ErrFenced = nothing was changed. After any other error it is unknown whether it was.
func (s *Store) SaveWindows(ctx context.Context, p Progress, through int64, rows []window.Row, errors []window.ErrorRow) (Progress, error) {
	err := mysqlx.WithTx(ctx, s.text, func(tx *sql.Tx) error {
		if err := moveWindows(ctx, tx, p, through); err != nil {
			return err
		}
		if err := upsertWindows(ctx, tx, p, rows); err != nil {
			return err
		}
		if err := upsertErrors(ctx, tx, p, errors); err != nil {
			return err
		}
		return upsertChanges(ctx, tx, p, through, minutesOf(rows, errors))
	})
	if err != nil {
		return p, fmt.Errorf("saving windows of partition %d: %w", p.Partition, err)
	}
	p.WindowsThrough = through
	return p, nil
}

func moveWindows(ctx context.Context, tx *sql.Tx, p Progress, through int64) error {
	_, err := changed(tx.ExecContext(ctx, moveWindowsSQL, through, p.Stream, p.Partition, p.Epoch, p.WindowsThrough))
	return err
}

func upsertWindows(ctx context.Context, tx *sql.Tx, p Progress, rows []window.Row) error {
	return upsert(ctx, tx, rows, upsertWindowSQL, upsertWindowRow, upsertWindowEnd, func(args []any, w window.Row) []any {
		return append(args, p.Stream, p.Partition, w.Start, w.Service, uint8(w.Level), w.Count, w.Bytes, w.Unevaluated, w.Status[0], w.Status[1],
			w.Status[2], w.Status[3], w.Status[4], w.RTCount, w.RTSum, w.RTMax, w.Sketch)
	})
}

func upsertErrors(ctx context.Context, tx *sql.Tx, p Progress, rows []window.ErrorRow) error {
	return upsert(ctx, tx, rows, upsertErrorSQL, upsertErrorRow, upsertErrorEnd, func(args []any, w window.ErrorRow) []any {
		return append(args, p.Stream, p.Partition, w.Start, w.Service, w.Hash, w.Message, w.Count)
	})
}

// minutesOf are the minutes of rows, each once, in order.
func minutesOf(rows []window.Row, errors []window.ErrorRow) []int64 {
	var out []int64
	for i := range rows {
		out = append(out, minuteOf(rows[i].Start))
	}
	for i := range errors {
		out = append(out, minuteOf(errors[i].Start))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// minuteOf rounds down, before 1970 as well.
func minuteOf(s int64) int64 { return s - (s%60+60)%60 }

// upsertChanges tells those who keep windows in memory which minutes to read again.
func upsertChanges(ctx context.Context, tx *sql.Tx, p Progress, through int64, minutes []int64) error {
	return upsert(ctx, tx, minutes, upsertChangeSQL, upsertChangeRow, upsertChangeEnd, func(args []any, m int64) []any {
		return append(args, p.Stream, p.Partition, m, through)
	})
}

const dropChangesSQL = `DELETE FROM window_change WHERE stream_id = ? AND part = ? AND written_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY LIMIT ?`

// DropWindowChanges forgets which windows were written more than a day ago, at most limit of them, and says how many. It needs no fence: what it
// deletes is as old for everybody.
func (s *Store) DropWindowChanges(ctx context.Context, p Progress, limit int) (int64, error) {
	res, err := s.text.ExecContext(ctx, dropChangesSQL, p.Stream, p.Partition, limit)
	if err != nil {
		return 0, fmt.Errorf("forgetting old changes of windows of partition %d: %w", p.Partition, err)
	}
	return res.RowsAffected()
}

// upsert writes rows in statements of rowsAtOnce.
func upsert[R any](ctx context.Context, tx *sql.Tx, rows []R, head, row, end string, add func([]any, R) []any) error {
	var args []any
	for len(rows) > 0 {
		n := min(len(rows), rowsAtOnce)
		args = args[:0]
		for _, r := range rows[:n] {
			args = add(args, r)
		}
		if _, err := tx.ExecContext(ctx, head+row+strings.Repeat(","+row, n-1)+end, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
