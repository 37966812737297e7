package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/counts"
)

// Windows as builds before migration 15 wrote them, a row a service and level: what is known of a window is the sum of these rows and of its
// value. Builds of both kinds may own a partition in turn during a rolling upgrade: the older ones know only their rows, and add what comes
// while they own it; the newer ones take rows into the value that they write and delete them in the same transaction.

const someOldSQL = `SELECT EXISTS (SELECT * FROM log_window WHERE stream_id = ? AND part = ?) OR EXISTS (SELECT * FROM error_window WHERE stream_id = ? AND part = ?)`

const (
	loadOldWindowsSQL = `SELECT start_s, service, level, line_count, byte_count, unevaluated, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx,
 rt_count, rt_sum_ms, rt_max_ms, rt_sketch FROM log_window `
	loadOldErrorsSQL = `SELECT start_s, service, message, line_count FROM error_window `
)

var (
	dropOldWindowsSQL = `DELETE FROM log_window ` + someStarts
	dropOldErrorsSQL  = `DELETE FROM error_window ` + someStarts
)

// hasOldWindows tells whether a partition has rows of before. Only its owner can make some, so it is asked under a new epoch.
func hasOldWindows(ctx context.Context, tx *sql.Tx, stream uint32, partition int32) (some bool, err error) {
	err = tx.QueryRowContext(ctx, someOldSQL, stream, partition, stream, partition).Scan(&some)
	return some, err
}

// old adds what rows of before know of windows.
func (l *loading) old(ctx context.Context, starts window.Starts, found *window.Changes) error {
	err := l.byStart(ctx, loadOldWindowsSQL, starts.Windows, func(r *sql.Rows) error {
		var start int64
		var w counts.Row
		var sketch sql.RawBytes
		if err := r.Scan(&start, &w.Service, &w.Level, &w.Lines, &w.Bytes, &w.Unevaluated, &w.Status[0], &w.Status[1], &w.Status[2], &w.Status[3], &w.Status[4],
			&w.Times.Count, &w.Times.SumMS, &w.Times.MaxMS, &sketch); err != nil {
			return err
		}
		if err := w.Times.ReadSketch(sketch); err != nil {
			*l.damaged++ // counts and sums are there all the same
		}
		found.Windows = append(found.Windows, window.Window{Start: start, Rows: []counts.Row{w}})
		return nil
	})
	if err != nil {
		return err
	}
	return l.byStart(ctx, loadOldErrorsSQL, starts.Errors, func(r *sql.Rows) error {
		var start int64
		var t counts.Text
		err := r.Scan(&start, &t.Service, &t.Message, &t.Lines)
		found.Errors = append(found.Errors, window.ErrorWindow{Start: start, Texts: []counts.Text{t}})
		return err
	})
}

// dropOld deletes the rows of windows that were just written whole.
func dropOld(ctx context.Context, tx *sql.Tx, p Progress, windows, errorWindows []value) error {
	return errors.Join(dropStarts(ctx, tx, p, dropOldWindowsSQL, windows), dropStarts(ctx, tx, p, dropOldErrorsSQL, errorWindows))
}

func dropStarts(ctx context.Context, tx *sql.Tx, p Progress, query string, values []value) error {
	starts := make([]int64, len(values))
	for i := range values {
		starts[i] = values[i].start
	}
	for some := range slices.Chunk(starts, startsAtOnce) {
		if _, err := tx.ExecContext(ctx, query, startArgs(p, some)...); err != nil {
			return err
		}
	}
	return nil
}
