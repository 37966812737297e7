package store

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// Hours is the source of windows.NewHours.
type Hours struct{ *Store }

// WindowPositions implements windows.Source. Hours of a partition whose owner does not count them are not whole from anywhere on.
func (s Hours) WindowPositions(ctx context.Context) (out []windows.Position, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		var p windows.Position
		err := rows.Scan(&p.Stream, &p.Part, &p.Through, &p.From)
		out = append(out, p)
		return err
	}, `SELECT stream_id, part, windows_through, IF(hours_through = windows_through, hours_from_s, 9223372036854775807) FROM partition_progress`)
	return out, err
}

// TouchedMinutes implements windows.Source.
func (s Hours) TouchedMinutes(ctx context.Context, p windows.Partition, through int64) ([]int64, error) {
	minutes, err := s.Store.TouchedMinutes(ctx, p, through)
	for i := range minutes {
		minutes[i] = windows.Hour(minutes[i])
	}
	slices.Sort(minutes)
	return slices.Compact(minutes), err
}

// WindowSpan implements windows.Source.
func (s Hours) WindowSpan(ctx context.Context, p windows.Partition) (out windows.Span, err error) {
	err = s.each(ctx, func(rows *sql.Rows) error {
		var first, last sql.NullInt64
		if err := rows.Scan(&first, &last); err != nil || !first.Valid {
			return err
		}
		out = windows.Span{From: first.Int64, To: windows.Hour(last.Int64) + 3600}
		return nil
	}, `SELECT MIN(start_s), MAX(start_s) FROM service_hour WHERE stream_id = ? AND part = ?`, p.Stream, p.Part)
	return out, err
}

// PartitionWindows implements windows.Source.
func (s Hours) PartitionWindows(ctx context.Context, p windows.Partition, span windows.Span, f func(*metrics.Window)) error {
	return s.eachHour(ctx, inPartition, func(w *metrics.Window) error {
		f(w)
		return nil
	}, p.Stream, p.Part, span.From, span.To)
}

// PartitionErrors implements windows.Source.
func (s Hours) PartitionErrors(ctx context.Context, p windows.Partition, span windows.Span, f func(*windows.ErrorRow)) error {
	return s.eachText(ctx, `SELECT start_s, TRUE, data, '', '', line_count FROM error_hour WHERE `+inPartition, f, p.Stream, p.Part, span.From, span.To)
}

// HoursOf calls f with the hours of a service in [start, end), response times included; each is f's until it returns.
func (s Hours) HoursOf(ctx context.Context, start, end time.Time, service string, f func(metrics.Window) error) error {
	return s.eachHour(ctx, `service = ? AND `+inRange, func(w *metrics.Window) error { return f(*w) }, service, start.Unix(), end.Unix())
}

// eachHour calls f with the levels of hours; the first has the hour's response times and status classes. It begins with the last window that has a line.
func (s Hours) eachHour(ctx context.Context, where string, f func(*metrics.Window) error, args ...any) error {
	var lines uint64
	var levels [logrec.LevelFatal + 1]uint64
	var bins sql.RawBytes
	return s.each(ctx, func(rows *sql.Rows) error {
		var w metrics.Window
		if err := rows.Scan(&w.Start, &w.Service, &lines, &levels[1], &levels[2], &levels[3], &levels[4], &levels[5], &levels[6], &w.Status[0], &w.Status[1], &w.Status[2], &w.Status[3], &w.Status[4],
			&w.Times.Count, &w.Times.SumMS, &w.Times.MaxMS, &bins); err != nil {
			return err
		}
		w.Damaged = w.Times.ReadBins(bins) != nil
		levels[logrec.LevelAbsent] = lines
		for _, n := range levels[1:] {
			levels[logrec.LevelAbsent] -= n
		}
		for l, n := range levels {
			if n == 0 {
				continue
			}
			w.Level, w.Lines = logrec.Level(l), n
			if err := f(&w); err != nil {
				return err
			}
			w.Status, w.Times, w.Damaged = [5]uint64{}, counts.Times{}, false
		}
		return nil
	}, `SELECT last_s, service, line_count, trace_count, debug_count, info_count, warn_count, error_count, fatal_count, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx,
 rt_count, rt_sum_ms, rt_max_ms, rt_bins FROM service_hour WHERE `+where, args...)
}
