package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/testkit"
)

// TestHours of a real MySQL: in memory with what services said, in MySQL with the response times of one; and none while a processor that
// knows no hours owns a partition.
func TestHours(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.MySQL(t))
	s := Hours{New(db)}
	now := time.Unix(1_700_003_600, 0)
	hour := windows.Hour(now.Unix())
	exec := func(query string, args ...any) {
		_, err := db.Blob.ExecContext(t.Context(), query, args...)
		require.NoError(t, err)
	}
	var times counts.Times
	times.Observe([]float64{1, 2, 3, 700})
	exec(`INSERT INTO partition_progress (stream_id, part, windows_through, hours_through, hours_from_s, updated_at) VALUES (1, 0, 5, 5, ?, NOW())`, hour-7200)
	for i, service := range []string{"shop", "till"} {
		exec(`INSERT INTO service_hour (stream_id, part, start_s, service, line_count, trace_count, debug_count, info_count, warn_count, error_count, fatal_count, byte_count, unevaluated,
 status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms, rt_p50_ms, rt_p95_ms, rt_p99_ms, rt_bins, last_s)
 VALUES (1, 0, ?, ?, 20, 1, 2, 3, 4, 5, 3, 0, 0, 1, 2, 3, 4, 5, ?, ?, ?, 0, 0, 0, ?, ?)`, hour-3600, service, times.Count, times.SumMS, times.MaxMS, counts.EncodeBins(&times), hour-10*int64(1+i))
	}
	exec(`INSERT INTO error_hour VALUES (1, 0, ?, 0, 8, ?)`, hour-3600, counts.EncodeTexts([]counts.Text{{Service: "shop", Message: "no #", Lines: 8}}))

	r := windows.NewHours(s, 1<<20, func() time.Time { return now })
	set, err := r.Fresh(t.Context())
	require.NoError(t, err)
	q := windows.Query{Start: time.Unix(hour-3*3600, 0).UTC(), End: time.Unix(hour, 0).UTC(), Step: time.Hour}
	from, _ := set.Covered(q)
	require.Equal(t, hour-7200, from.Unix(), "before, they are not whole")
	b, err := metrics.NewBuilder(q.Start, q.End, q.Step, false)
	require.NoError(t, err)
	require.NoError(t, set.Fill(b, q, from))
	texts := metrics.Errors{}
	set.AddErrors(texts, q, from)
	report := b.Report(texts.Top(9))
	require.EqualValues(t, 40, report.Total)
	require.Equal(t, map[string]int64{"trace": 2, "debug": 4, "info": 6, "warn": 8, "error": 10, "fatal": 6}, report.ByLevel)
	require.Equal(t, map[string]int64{"1xx": 2, "2xx": 4, "3xx": 6, "4xx": 8, "5xx": 10}, report.ByStatus)
	require.Equal(t, []metrics.TopError{{Message: "no #", Service: "shop", Count: 8}}, report.TopErrors)
	require.InEpsilon(t, 2, report.ResponseTime.P50, counts.Accuracy)
	found := windows.Services{}
	set.AddServices(found, q, from)
	require.Equal(t, []windows.Service{{Name: "shop", Lines: 20, Errors: 8, LastSeen: time.Unix(hour-10, 0).UTC()}, {Name: "till", Lines: 20, Errors: 8, LastSeen: time.Unix(hour-20, 0).UTC()}}, found.After("", 9))

	one, err := metrics.NewBuilder(q.Start, q.End, q.Step, false)
	require.NoError(t, err)
	require.NoError(t, s.HoursOf(t.Context(), from, q.End, "till", one.Add))
	report = one.Report(nil)
	require.EqualValues(t, 20, report.Total)
	require.EqualValues(t, 4, report.ResponseTime.Count)
	require.InEpsilon(t, 2, report.ResponseTime.P50, counts.Accuracy)
	require.InDelta(t, 700, report.ResponseTime.Max, 1e-9)

	exec(`UPDATE partition_progress SET windows_through = 6`)
	now = now.Add(2 * time.Second)
	set, err = r.Fresh(t.Context())
	require.NoError(t, err)
	from, _ = set.Covered(q)
	require.Equal(t, q.End, from)
	_, whole, err := s.WindowsFrom(t.Context())
	require.NoError(t, err)
	require.Zero(t, whole, "no window was ever removed")
	exec(`UPDATE partition_progress SET windows_through = 5, windows_from_s = ?`, hour-3600)
	whenWindows, whole, err := s.WindowsFrom(t.Context())
	require.NoError(t, err)
	require.Equal(t, hour-3600, whenWindows.Unix())
	require.Equal(t, hour-7200, whole.Unix(), "hours are kept for longer")
}
