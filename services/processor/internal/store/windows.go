package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/mysqlx"
)

const (
	// As many starts are loaded with one statement; shorter lists repeat their last start.
	startsAtOnce = 32
	// As many rows, and about as many bytes of values, are written with one statement: longer ones gain nothing and hold more memory.
	rowsAtOnce  = 64
	bytesAtOnce = 512 << 10
)

var someStarts = `WHERE stream_id = ? AND part = ? AND start_s IN (?` + strings.Repeat(",?", startsAtOnce-1) + `)`

// Windows reads what is known of windows, in any number of parts. damaged counts values that cannot be read and are left out; one of a newer
// build is an error.
func (s *Store) Windows(ctx context.Context, p Progress, starts window.Starts) (found window.Changes, damaged int, err error) {
	l := loading{s, p, &damaged}
	found.Windows, err = l.windows(ctx, starts.Windows)
	if err == nil {
		found.Errors, err = l.errors(ctx, `error_data`, starts.Errors)
	}
	if err == nil {
		found.Hours, err = l.hours(ctx, starts.Hours)
	}
	if err == nil {
		found.HourErrors, err = l.errors(ctx, `error_hour`, starts.HourErrors)
	}
	if err == nil && p.OldWindows {
		err = l.old(ctx, starts, &found)
	}
	if err != nil {
		return window.Changes{}, 0, fmt.Errorf("loading windows of partition %d: %w", p.Partition, err)
	}
	return found, damaged, nil
}

// loading is one call of Windows.
type loading struct {
	*Store
	p       Progress
	damaged *int
}

func (l *loading) windows(ctx context.Context, starts []int64) (out []window.Window, err error) {
	return out, l.byStart(ctx, `SELECT start_s, data FROM window_data `, starts, func(r *sql.Rows) error {
		var w window.Window
		var data sql.RawBytes
		if err := r.Scan(&w.Start, &data); err != nil {
			return err
		}
		err := counts.Each(data, func(row *counts.Row) { w.Rows = append(w.Rows, row.Clone()) })
		out = append(out, w)
		return l.unlessDamaged(err)
	})
}

// errors reads one of the tables of error texts.
func (l *loading) errors(ctx context.Context, table string, starts []int64) (out []window.ErrorWindow, err error) {
	return out, l.byStart(ctx, `SELECT start_s, data FROM `+table+` `, starts, func(r *sql.Rows) error {
		var w window.ErrorWindow
		var data sql.RawBytes
		if err := r.Scan(&w.Start, &data); err != nil {
			return err
		}
		err := counts.EachText(data, func(t *counts.Text) { w.Texts = append(w.Texts, *t) })
		out = append(out, w)
		return l.unlessDamaged(err)
	})
}

// unlessDamaged counts damage instead of stopping at it: a value that nobody can read must not hold up what comes after it.
func (l *loading) unlessDamaged(err error) error {
	if errors.Is(err, counts.ErrDamaged) {
		*l.damaged++
		return nil
	}
	return err
}

func (l *loading) byStart(ctx context.Context, query string, starts []int64, scan func(*sql.Rows) error) error {
	for some := range slices.Chunk(starts, startsAtOnce) {
		if err := l.startsOnce(ctx, query+someStarts, some, scan); err != nil {
			return err
		}
	}
	return nil
}

func (l *loading) startsOnce(ctx context.Context, query string, starts []int64, scan func(*sql.Rows) error) error {
	rows, err := l.text.QueryContext(ctx, query, startArgs(l.p, starts)...)
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

// startArgs are the arguments of someStarts.
func startArgs(p Progress, starts []int64) []any {
	args := []any{p.Stream, p.Partition}
	for i := range startsAtOnce {
		args = append(args, starts[min(i, len(starts)-1)])
	}
	return args
}

const (
	moveWindowsSQL = `UPDATE partition_progress SET windows_through = ?, hours_through = ?, updated_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ? AND epoch = ? AND windows_through = ?`

	upsertWindowSQL    = `INSERT INTO window_data (stream_id, part, start_s, piece, line_count, data) VALUES `
	upsertErrorSQL     = `INSERT INTO error_data (stream_id, part, start_s, piece, line_count, data) VALUES `
	upsertHourErrorSQL = `INSERT INTO error_hour (stream_id, part, start_s, piece, line_count, data) VALUES `
	upsertValueRow     = `(?,?,?,?,?,?)`
	upsertValueEnd     = ` ON DUPLICATE KEY UPDATE line_count=VALUES(line_count), data=VALUES(data)`

	upsertChangeSQL = `INSERT INTO window_change (stream_id, part, start_s, through, written_at) VALUES `
	upsertChangeRow = `(?,?,?,?,UTC_TIMESTAMP(6))`
	upsertChangeEnd = ` ON DUPLICATE KEY UPDATE through=VALUES(through), written_at=VALUES(written_at)`
)

// SaveWindows writes windows, which hold all records below through, and moves windows_through there, in one transaction.
// ErrFenced = nothing was changed. After any other error it is unknown whether it was.
func (s *Store) SaveWindows(ctx context.Context, p Progress, through int64, c window.Changes) (Progress, error) {
	windows, errors := windowValues(c.Windows), errorValues(c.Errors)
	err := mysqlx.WithTx(ctx, s.text, func(tx *sql.Tx) error {
		if err := moveWindows(ctx, tx, p, through); err != nil {
			return err
		}
		if err := upsertValues(ctx, tx, p, upsertWindowSQL, windows); err != nil {
			return err
		}
		if err := upsertValues(ctx, tx, p, upsertErrorSQL, errors); err != nil {
			return err
		}
		if err := upsertHours(ctx, tx, p, c.Hours); err != nil {
			return err
		}
		if err := upsertValues(ctx, tx, p, upsertHourErrorSQL, errorValues(c.HourErrors)); err != nil {
			return err
		}
		if p.OldWindows {
			if err := dropOld(ctx, tx, p, windows, errors); err != nil {
				return err
			}
		}
		return upsertChanges(ctx, tx, p, through, minutesOf(c))
	})
	if err != nil {
		return p, fmt.Errorf("saving windows of partition %d: %w", p.Partition, err)
	}
	p.WindowsThrough = through
	return p, nil
}

func moveWindows(ctx context.Context, tx *sql.Tx, p Progress, through int64) error {
	_, err := changed(tx.ExecContext(ctx, moveWindowsSQL, through, through, p.Stream, p.Partition, p.Epoch, p.WindowsThrough))
	return err
}

// value is a row of window_data or error_data.
type value struct {
	start int64
	piece int
	lines uint64
	data  []byte
}

// windowValues are the rows of windows. A window never has fewer pieces than before: its services only get more.
func windowValues(windows []window.Window) (out []value) {
	for _, w := range windows {
		piece := 0
		for rows := range slices.Chunk(w.Rows, counts.MaxRows) {
			out = append(out, value{w.Start, piece, counts.Lines(rows), counts.Encode(rows)})
			piece++
		}
	}
	return out
}

func errorValues(windows []window.ErrorWindow) (out []value) {
	for _, w := range windows {
		piece := 0
		for texts := range slices.Chunk(w.Texts, counts.MaxTexts) {
			out = append(out, value{w.Start, piece, counts.TextLines(texts), counts.EncodeTexts(texts)})
			piece++
		}
	}
	return out
}

func upsertValues(ctx context.Context, tx *sql.Tx, p Progress, head string, values []value) error {
	for len(values) > 0 {
		n, bytes := 1, len(values[0].data)
		for n < len(values) && n < rowsAtOnce && bytes < bytesAtOnce {
			bytes += len(values[n].data)
			n++
		}
		err := upsert(ctx, tx, values[:n], head, upsertValueRow, upsertValueEnd, func(args []any, v value) []any {
			return append(args, p.Stream, p.Partition, v.start, v.piece, v.lines, v.data)
		})
		if err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// minutesOf are the minutes of changes, each once, in order.
func minutesOf(c window.Changes) []int64 {
	var out []int64
	for i := range c.Windows {
		out = append(out, minuteOf(c.Windows[i].Start))
	}
	for i := range c.Errors {
		out = append(out, minuteOf(c.Errors[i].Start))
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
	for some := range slices.Chunk(rows, rowsAtOnce) {
		args = args[:0]
		for _, r := range some {
			args = add(args, r)
		}
		if _, err := tx.ExecContext(ctx, head+row+strings.Repeat(","+row, len(some)-1)+end, args...); err != nil {
			return err
		}
	}
	return nil
}
