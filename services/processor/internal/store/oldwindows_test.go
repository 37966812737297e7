package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
)

// oldWindow and oldError are what a build before migration 15 writes: absolute numbers, as far as it knows.
const (
	oldWindow = `INSERT INTO log_window (stream_id, part, start_s, service, level, line_count, byte_count, unevaluated, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, rt_count, rt_sum_ms, rt_max_ms, rt_sketch)
 VALUES (?, 2, ?, 'ü', 5, ?, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL) ON DUPLICATE KEY UPDATE line_count = VALUES(line_count)`
	oldError = `INSERT INTO error_window (stream_id, part, start_s, service, text_hash, message, line_count) VALUES (?, 2, ?, 'ü', 7, 'é #', ?) ON DUPLICATE KEY UPDATE line_count = VALUES(line_count)`
)

// TestRollingUpgrade: builds of before and of now own a partition in turn, lose writes and are killed; what is known of a window is always the sum of
// all lines that were counted by either.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		f := open(t)
		rng := rand.New(rand.NewPCG(seed, 14))
		truth := map[int64]uint64{}
		for range 40 {
			lines := map[int64]uint64{}
			for range 1 + rng.IntN(5) {
				lines[60*rng.Int64N(6)]++
			}
			owner := f.ownedByNew
			if rng.IntN(2) == 0 {
				owner = f.ownedByOld
			}
			if owner(t, lines, rng.IntN(4) == 0) {
				for start, n := range lines {
					truth[start] += n
				}
			}
			require.Equal(t, truth, f.known(t, "window_data", "log_window"), "seed %d", seed)
			require.Equal(t, truth, f.known(t, "error_data", "error_window"), "seed %d", seed)
		}
		f.ownedByNew(t, map[int64]uint64{0: 1, 60: 1, 120: 1, 180: 1, 240: 1, 300: 1}, false)
		require.Zero(t, f.count(t, "SELECT (SELECT COUNT(*) FROM log_window) + (SELECT COUNT(*) FROM error_window)"), "what is written anew is not in rows any more")
		require.False(t, f.acquire(t).OldWindows)
	}
}

// known is what readers know: the sum of both tables.
func (f fixture) known(t *testing.T, values, rows string) map[int64]uint64 {
	t.Helper()
	found, err := f.db.Text.Query("SELECT start_s, SUM(line_count) FROM (SELECT start_s, line_count FROM " + values + " UNION ALL SELECT start_s, line_count FROM " + rows + ") w GROUP BY start_s")
	require.NoError(t, err)
	defer found.Close()
	out := map[int64]uint64{}
	for found.Next() {
		var start int64
		var n uint64
		require.NoError(t, found.Scan(&start, &n))
		out[start] = n
	}
	require.NoError(t, found.Err())
	return out
}

// ownedByNew counts lines as this build does, until it is killed before it writes; it says whether they are stored.
func (f fixture) ownedByNew(t *testing.T, lines map[int64]uint64, killed bool) bool {
	t.Helper()
	p := f.acquire(t)
	s := window.NewSet(0)
	for start, n := range lines {
		for range n {
			s.Fold([]logrec.Record{{Timestamp: start * 1e9, Service: "ü", Level: logrec.LevelError, Message: "é 1"}})
		}
	}
	starts := s.Missing()
	found, _, err := f.Windows(t.Context(), p, starts)
	require.NoError(t, err)
	s.Load(starts, found)
	if killed {
		return false
	}
	_, err = f.SaveWindows(t.Context(), p, p.WindowsThrough+1, s.Changed())
	require.NoError(t, err)
	return true
}

// ownedByOld counts lines as builds before migration 15 do: into the rows that they know.
func (f fixture) ownedByOld(t *testing.T, lines map[int64]uint64, killed bool) bool {
	t.Helper()
	p := f.acquire(t)
	if killed {
		return false
	}
	require.NoError(t, mysqlx.WithTx(t.Context(), f.db.Text, func(tx *sql.Tx) error {
		if err := moveWindows(t.Context(), tx, p, p.WindowsThrough+1); err != nil {
			return err
		}
		for start, n := range lines {
			for table, insert := range map[string]string{"log_window": oldWindow, "error_window": oldError} {
				if err := addOld(t.Context(), tx, table, insert, f.stream, start, n); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	return true
}

func addOld(ctx context.Context, tx *sql.Tx, table, insert string, stream uint32, start int64, n uint64) error {
	var had uint64
	if err := tx.QueryRowContext(ctx, "SELECT COALESCE(SUM(line_count), 0) FROM "+table+" WHERE start_s = ?", start).Scan(&had); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, insert, stream, start, had+n)
	return err
}

// TestOldRowsAreRead: all that a row of before says, its sketch included.
func TestOldRowsAreRead(t *testing.T) {
	t.Parallel()
	f := open(t)
	sketch, err := ddsketch.LogCollapsingLowestDenseDDSketch(counts.Accuracy, 2048)
	require.NoError(t, err)
	want := counts.Row{Service: "a", Level: 4, Lines: 9, Bytes: 8, Unevaluated: 7, Status: [5]uint64{1, 2, 3, 4, 5}}
	values := []float64{0, 3, 12.5, 700}
	want.Times.Observe(slices.Clone(values))
	for _, v := range values {
		require.NoError(t, sketch.Add(v))
	}
	data, err := proto.Marshal(sketch.ToProto())
	require.NoError(t, err)
	for start, sketch := range map[int64][]byte{10: data, 20: []byte("x")} {
		_, err = f.db.Blob.Exec(fmt.Sprintf("INSERT INTO log_window VALUES (%d, 2, ?, 'a', 4, 9, 8, 7, 1, 2, 3, 4, 5, 4, ?, 700, ?)", f.stream), start, want.Times.SumMS, sketch)
		require.NoError(t, err)
	}
	p := f.acquire(t)
	require.True(t, p.OldWindows)
	got, damaged, err := f.Windows(t.Context(), p, window.Starts{Windows: []int64{10}})
	require.NoError(t, err)
	require.Zero(t, damaged)
	require.Equal(t, []window.Window{{Start: 10, Rows: []counts.Row{want}}}, got.Windows)
	got, damaged, err = f.Windows(t.Context(), p, window.Starts{Windows: []int64{20}})
	require.NoError(t, err)
	require.Equal(t, 1, damaged)
	want.Times.Zero, want.Times.Bins = 0, nil
	require.Equal(t, []window.Window{{Start: 20, Rows: []counts.Row{want}}}, got.Windows)
}
