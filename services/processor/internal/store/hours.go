package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

const (
	loadHoursSQL = `SELECT start_s, service, trace_count, debug_count, info_count, warn_count, error_count, fatal_count, line_count, byte_count, unevaluated,
 status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms, rt_bins, last_s FROM service_hour `

	upsertHourSQL = `INSERT INTO service_hour (stream_id, part, start_s, service, trace_count, debug_count, info_count, warn_count, error_count, fatal_count, line_count,
 byte_count, unevaluated, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms, rt_bins, last_s, rt_p50_ms, rt_p95_ms, rt_p99_ms) VALUES `
	upsertHourRow = `(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	upsertHourEnd = ` ON DUPLICATE KEY UPDATE trace_count=VALUES(trace_count), debug_count=VALUES(debug_count), info_count=VALUES(info_count), warn_count=VALUES(warn_count),
 error_count=VALUES(error_count), fatal_count=VALUES(fatal_count), line_count=VALUES(line_count), byte_count=VALUES(byte_count), unevaluated=VALUES(unevaluated),
 status_1xx=VALUES(status_1xx), status_2xx=VALUES(status_2xx), status_3xx=VALUES(status_3xx), status_4xx=VALUES(status_4xx), status_5xx=VALUES(status_5xx),
 rt_count=VALUES(rt_count), rt_sum_ms=VALUES(rt_sum_ms), rt_max_ms=VALUES(rt_max_ms), rt_bins=VALUES(rt_bins), last_s=VALUES(last_s),
 rt_p50_ms=VALUES(rt_p50_ms), rt_p95_ms=VALUES(rt_p95_ms), rt_p99_ms=VALUES(rt_p99_ms)`
)

func (l *loading) hours(ctx context.Context, starts []int64) (out []window.Hour, err error) {
	return out, l.byStart(ctx, loadHoursSQL, starts, func(r *sql.Rows) error {
		var h window.Hour
		var bins sql.RawBytes
		var lines uint64
		if err := r.Scan(&h.Start, &h.Service, &h.Levels[1], &h.Levels[2], &h.Levels[3], &h.Levels[4], &h.Levels[5], &h.Levels[6], &lines, &h.Bytes, &h.Unevaluated,
			&h.Status[0], &h.Status[1], &h.Status[2], &h.Status[3], &h.Status[4], &h.Times.Count, &h.Times.SumMS, &h.Times.MaxMS, &bins, &h.Last); err != nil {
			return err
		}
		h.Levels[logrec.LevelAbsent] = lines - h.Lines()
		err := h.Times.ReadBins(bins)
		out = append(out, h)
		return l.unlessDamaged(err)
	})
}

func upsertHours(ctx context.Context, tx *sql.Tx, p Progress, hours []window.Hour) error {
	return upsert(ctx, tx, hours, upsertHourSQL, upsertHourRow, upsertHourEnd, func(args []any, h window.Hour) []any {
		return append(args, p.Stream, p.Partition, h.Start, h.Service, h.Levels[1], h.Levels[2], h.Levels[3], h.Levels[4], h.Levels[5], h.Levels[6], h.Lines(),
			h.Bytes, h.Unevaluated, h.Status[0], h.Status[1], h.Status[2], h.Status[3], h.Status[4], h.Times.Count, h.Times.SumMS, h.Times.MaxMS,
			counts.EncodeBins(&h.Times), h.Last, h.Times.Quantile(0.5), h.Times.Quantile(0.95), h.Times.Quantile(0.99))
	})
}

// beginHoursSQL: hours that are not as far as windows belong to a processor that knew none. They begin anew, behind every window there is, but for those of clocks that are more than a week ahead.
const beginHoursSQL = `UPDATE partition_progress SET hours_through = windows_through, hours_from_s = GREATEST(windows_from_s,
 COALESCE((SELECT MAX(start_s) FROM log_window WHERE stream_id = ? AND part = ? AND start_s < UNIX_TIMESTAMP() + 604800), 0),
 COALESCE((SELECT MAX(start_s) FROM window_data WHERE stream_id = ? AND part = ? AND start_s < UNIX_TIMESTAMP() + 604800), 0)) DIV 3600 * 3600 + 3600
WHERE stream_id = ? AND part = ? AND hours_through <> windows_through`

// beginHours makes hours whole from a moment on, and says from when.
func beginHours(ctx context.Context, tx *sql.Tx, stream uint32, part int32) (from int64, err error) {
	if _, err := tx.ExecContext(ctx, beginHoursSQL, stream, part, stream, part, stream, part); err != nil {
		return 0, fmt.Errorf("beginning hours: %w", err)
	}
	err = tx.QueryRowContext(ctx, `SELECT hours_from_s FROM partition_progress WHERE stream_id = ? AND part = ?`, stream, part).Scan(&from)
	return from, err
}
