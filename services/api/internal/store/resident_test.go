package store

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// TestWindowsInMemory: the copy follows windows of a real MySQL, and says what they say; those of builds before migration 15, too.
func TestWindowsInMemory(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.MySQL(t))
	s := New(db)
	now := time.Unix(1_700_000_100, 0)
	r := windows.New(s, 1<<20, func() time.Time { return now })
	write(t, db, 1, 1_700_000_000, 5)
	requireTotal(t, s, r, &now, 5)
	writeRow(t, db, 2, 1_700_000_010, 7) // of the same minute
	requireTotal(t, s, r, &now, 12)
	writeRow(t, db, 3, 1_700_000_000, 6) // of the same window, which both have a part of
	requireTotal(t, s, r, &now, 18)
	write(t, db, 4, 1_700_000_000, 6) // one that was there grows
	requireTotal(t, s, r, &now, 19)
	write(t, db, 5, 1_699_990_000, 1) // an import
	requireTotal(t, s, r, &now, 20)
	exec := func(statements ...string) {
		for _, q := range statements {
			_, err := db.Text.ExecContext(t.Context(), q)
			require.NoError(t, err)
		}
	}
	exec(`DELETE FROM window_data WHERE start_s < 1700000000`, `DELETE FROM error_data WHERE start_s < 1699999980`, `UPDATE partition_progress SET windows_from_s = 1699999980`)
	requireTotal(t, s, r, &now, 19)
	exec(`UPDATE window_data SET data = LEFT(data, 5)`, `UPDATE partition_progress SET windows_through = 6`, `UPDATE window_change SET through = 6`)
	now = now.Add(2 * time.Second)
	set, err := r.Fresh(t.Context())
	require.NoError(t, err)
	q := windows.Query{Start: time.Unix(1_699_999_980, 0).UTC(), End: time.Unix(1_700_000_040, 0).UTC(), Step: time.Minute}
	b, err := metrics.NewBuilder(q.Start, q.End, q.Step, false)
	require.NoError(t, err)
	require.NoError(t, set.Fill(b, q, q.Start))
	require.Equal(t, int64(13), b.Report(nil).Total)
	require.Equal(t, 1, b.Report(nil).Damaged, "what cannot be read is told")
	found := windows.Services{}
	set.AddServices(found, q, q.Start)
	require.Equal(t, []windows.Service{{Name: "shop", Lines: 13, Errors: 13, LastSeen: time.Unix(1_700_000_010, 0).UTC()}}, found.After("", 9))
}

// write is what a processor does: a window and a minute's texts, which minute they are of, and how far it has come.
func write(t *testing.T, db *mysqlx.DB, through, start, lines int) {
	t.Helper()
	value := counts.Encode([]counts.Row{{Service: "shop", Level: 5, Lines: uint64(lines), Status: [5]uint64{0, 1}}})
	texts := counts.EncodeTexts([]counts.Text{{Service: "shop", Message: "no #", Lines: uint64(lines)}})
	_, err := db.Blob.ExecContext(t.Context(), `REPLACE INTO window_data VALUES (1, 0, ?, 0, ?, ?)`, start, lines, value)
	require.NoError(t, err)
	_, err = db.Blob.ExecContext(t.Context(), `REPLACE INTO error_data VALUES (1, 0, ? DIV 60 * 60, 0, ?, ?)`, start, lines, texts)
	require.NoError(t, err)
	moveTo(t, db, through, start)
}

// writeRow is what a processor did before migration 15.
func writeRow(t *testing.T, db *mysqlx.DB, through, start, lines int) {
	t.Helper()
	fill(t, db, through, start, lines,
		`INSERT INTO log_window (stream_id, part, start_s, service, level, line_count, byte_count, unevaluated, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms)
 VALUES (1, 0, {start}, 'shop', 5, {lines}, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) ON DUPLICATE KEY UPDATE line_count = VALUES(line_count)`,
		`INSERT INTO error_window (stream_id, part, start_s, service, text_hash, message, line_count) VALUES (1, 0, {start} DIV 60 * 60, 'shop', {start}, 'no #', {lines}) ON DUPLICATE KEY UPDATE line_count = VALUES(line_count)`)
	moveTo(t, db, through, start)
}

func moveTo(t *testing.T, db *mysqlx.DB, through, start int) {
	t.Helper()
	fill(t, db, through, start, 0,
		`INSERT INTO partition_progress (stream_id, part, epoch, owner, next_offset, watermark_ns, windows_through, updated_at) VALUES (1, 0, 1, 'p', {through}, 0, {through}, NOW())
 ON DUPLICATE KEY UPDATE windows_through = VALUES(windows_through)`,
		`INSERT INTO window_change (stream_id, part, start_s, through, written_at) VALUES (1, 0, {start} DIV 60 * 60, {through}, NOW()) ON DUPLICATE KEY UPDATE through = VALUES(through)`)
}

func fill(t *testing.T, db *mysqlx.DB, through, start, lines int, statements ...string) {
	t.Helper()
	for _, q := range statements {
		_, err := db.Text.ExecContext(t.Context(), strings.NewReplacer("{through}", strconv.Itoa(through), "{start}", strconv.Itoa(start), "{lines}", strconv.Itoa(lines)).Replace(q))
		require.NoError(t, err, q)
	}
}

func requireTotal(t *testing.T, s *Store, r *windows.Resident, now *time.Time, want int64) {
	t.Helper()
	var set *windows.Set
	for range 10 { // a few rounds: history comes by the hour
		*now = now.Add(2 * time.Second)
		var err error
		set, err = r.Fresh(t.Context())
		require.NoError(t, err)
	}
	end := time.Unix(1_700_000_160, 0).UTC()
	q := windows.Query{Start: end.Add(-4 * time.Hour), End: end, Step: time.Hour}
	require.True(t, set.Stats().From.IsZero(), "all of history is in memory")
	memory, err := metrics.NewBuilder(q.Start, q.End, q.Step, false)
	require.NoError(t, err)
	require.NoError(t, set.Fill(memory, q, q.Start))
	rows, err := metrics.NewBuilder(q.Start, q.End, q.Step, false)
	require.NoError(t, err)
	require.NoError(t, s.Windows(t.Context(), q.Start, q.End, "", rows.Add))
	texts, stored := metrics.Errors{}, metrics.Errors{}
	set.AddErrors(texts, q, q.Start)
	require.NoError(t, s.ErrorTexts(t.Context(), q.Start, q.End, "", stored))
	require.Equal(t, stored.Top(9), texts.Top(9))
	require.Equal(t, rows.Report(nil), memory.Report(nil))
	require.Equal(t, want, memory.Report(nil).Total)
}
