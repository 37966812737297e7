package store

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

type fixture struct {
	*Store
	db     *mysqlx.DB
	stream uint32
}

func open(t testing.TB) fixture {
	t.Helper()
	db := testkit.DB(t, testkit.MySQL(t))
	s, err := New(t.Context(), db.Rows, db.Blob)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	stream, err := s.Stream(t.Context(), "cluster", "logs.raw", "uuid", 6)
	require.NoError(t, err)
	return fixture{s, db, stream}
}

func (f fixture) acquire(t testing.TB) Progress {
	t.Helper()
	p, err := f.Acquire(t.Context(), f.stream, 2, "me")
	require.NoError(t, err)
	return p
}

func commit(from, to int64) Commit {
	data := fmt.Appendf(nil, "block %d-%d \x00\xff", from, to)
	return Commit{From: from, To: to, Watermark: from + 1, Stored: 20000 * int64(24*time.Hour), Block: block.Block{Data: data, Filter: []byte{1, 0xff},
		Meta: block.Meta{Rows: 3, RawBytes: 77, MinTime: 5, MaxTime: 9, LevelMask: 8, Services: []string{"a", "ü"}, Checksum: 0xffffffff}}}
}

func (f fixture) count(t testing.TB, query string) (n int) {
	t.Helper()
	require.NoError(t, f.db.Text.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func TestStreamIsFoundAgain(t *testing.T) {
	t.Parallel()
	f := open(t)
	again, err := f.Stream(t.Context(), "cluster", "logs.raw", "uuid", 6)
	require.NoError(t, err)
	require.Equal(t, f.stream, again)
	other, err := f.Stream(t.Context(), "cluster", "logs.raw", "made again", 6)
	require.NoError(t, err)
	require.NotEqual(t, f.stream, other)
	_, err = f.Stream(t.Context(), "cluster", "logs.raw", "uuid", 12)
	require.ErrorIs(t, err, ErrPartitions)
	require.ErrorContains(t, err, "has 12, but was stored with 6")
}

func TestCommitMovesAndReadsBack(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	require.Equal(t, Progress{Stream: f.stream, Partition: 2, Epoch: 1, PrevTo: -1, HoursFrom: math.MinInt64}, p)
	p, err := f.Commit(t.Context(), p, commit(0, 4))
	require.NoError(t, err)
	with := commit(7, 9)
	with.Producers = []byte{1, 0xff, 0}
	p, err = f.Commit(t.Context(), p, with)
	require.NoError(t, err)
	p, err = f.Commit(t.Context(), p, Commit{From: 10, To: 11, Watermark: 50}) // poison only
	require.NoError(t, err)

	want := p
	want.Epoch = 2
	require.Equal(t, want, f.acquire(t))
	require.EqualValues(t, 12, p.NextOffset)
	require.EqualValues(t, 9, p.PrevTo)
	require.Equal(t, []byte{1, 0xff, 0}, p.Producers)
	b, ok, err := f.LastBlock(t.Context(), p)
	require.NoError(t, err)
	require.True(t, ok)
	c := commit(7, 9)
	c.Block.Meta.Services, c.Block.Meta.RawBytes = nil, 0
	require.Equal(t, Block{From: 7, To: 9, PrevTo: 4, Watermark: 8, Meta: c.Block.Meta, Data: c.Block.Data}, b)
	require.Equal(t, 2, f.count(t, `SELECT COUNT(*) FROM block b JOIN block_data d ON d.block_id=b.id AND d.day=b.day JOIN block_filter f ON f.block_id=b.id AND f.day=b.day
WHERE b.day = 20000 AND b.created_at = '2024-10-04' AND b.raw_bytes = 77 AND b.byte_count = LENGTH(d.data) AND b.filter_bytes = 2 AND b.retired_seq IS NULL`))
	require.Equal(t, 1, f.count(t, `SELECT COUNT(*) FROM block WHERE from_offset=7 AND change_seq=2 AND services='["a","ü"]'`))
}

func TestFences(t *testing.T) {
	t.Parallel()
	f := open(t)
	old := f.acquire(t)
	mine := f.acquire(t)
	_, err := f.Commit(t.Context(), old, commit(0, 4))
	require.ErrorIs(t, err, ErrFenced, "an older epoch")
	after, err := f.Commit(t.Context(), mine, commit(0, 4))
	require.NoError(t, err)
	_, err = f.Commit(t.Context(), mine, commit(0, 4))
	require.ErrorIs(t, err, ErrFenced, "a position that is behind")
	ahead := commit(5, 6)
	ahead.Watermark = time.Now().Add(time.Hour).UnixNano()
	_, err = f.Commit(t.Context(), after, ahead)
	require.ErrorIs(t, err, ErrFenced, "a watermark ahead of MySQL's clock")
	_, err = f.SaveWindows(t.Context(), old, 5, window.Changes{})
	require.ErrorIs(t, err, ErrFenced)
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM block"))
}

func TestRefusedDataIsKnown(t *testing.T) {
	t.Parallel()
	f := open(t)
	c := commit(0, 0)
	c.Block.Meta.Rows = -1
	p := f.acquire(t)
	_, err := f.Commit(t.Context(), p, c)
	require.ErrorIs(t, err, ErrRefused)
	require.Zero(t, f.count(t, "SELECT next_offset FROM partition_progress"), "rolled back as a whole")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.Commit(ctx, p, commit(0, 0))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrRefused)
}

func TestBlockFrom(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	var err error
	for _, c := range []Commit{commit(0, 4), commit(7, 9), commit(10, 19)} {
		p, err = f.Commit(t.Context(), p, c)
		require.NoError(t, err)
	}
	for offset, want := range map[int64]int64{0: 0, 3: 0, 4: 0, 5: 7, 8: 7, 10: 10, 19: 10, 20: -1} {
		b, ok, err := f.BlockFrom(t.Context(), p, offset)
		require.NoError(t, err)
		require.Equal(t, want >= 0, ok, offset)
		if ok {
			require.Equal(t, want, b.From, offset)
		}
	}
}

// some are windows of a service, one a start.
func some(starts ...int64) (c window.Changes) {
	for _, start := range starts {
		c.Windows = append(c.Windows, window.Window{Start: start, Rows: []counts.Row{{Service: "ü", Level: 5, Lines: 1 + uint64(start), Status: [5]uint64{1, 2, 3, 4, 5},
			Times: counts.Times{Count: 2, SumMS: 9.5, MaxMS: 9, Bins: []counts.Bin{{Index: 3, Count: 1}, {Index: 99, Count: 1}}}}}})
		c.Errors = append(c.Errors, window.ErrorWindow{Start: start, Texts: []counts.Text{{Service: "ü", Message: "é #", Lines: 2}}})
		c.HourErrors = append(c.HourErrors, window.ErrorWindow{Start: start * 60, Texts: []counts.Text{{Service: "ü", Message: "é #", Lines: 9}}})
		c.Hours = append(c.Hours, window.Hour{Start: start * 60, Service: "ü", Last: start*60 + 50, Levels: [7]uint64{7, 1, 2, 3, 4, 5, 6}, Bytes: 8, Unevaluated: 9, Status: [5]uint64{1, 2, 3, 4, 5},
			Times: counts.Times{Count: 2, SumMS: 9.5, MaxMS: 9, Bins: []counts.Bin{{Index: 3, Count: 1}, {Index: 99, Count: 1}}}})
	}
	return c
}

func TestWindowsRoundTrip(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	require.False(t, p.OldWindows)
	var starts window.Starts
	for i := range int64(150) {
		starts.Windows, starts.Hours = append(starts.Windows, i*60), append(starts.Hours, i*3600)
	}
	starts.Errors, starts.HourErrors = starts.Windows, starts.Hours
	c := some(starts.Windows...)
	p, err := f.SaveWindows(t.Context(), p, 10, c)
	require.NoError(t, err)
	c.Windows[7].Rows = append(c.Windows[7].Rows, counts.Row{Service: "v", Level: 6, Lines: 3})
	c.Errors[7].Texts[0].Lines, c.HourErrors[7].Texts[0].Lines, c.Hours[7].Levels[0] = 98, 97, 96
	p, err = f.SaveWindows(t.Context(), p, 11, window.Changes{Windows: c.Windows[7:8], Errors: c.Errors[7:8], Hours: c.Hours[7:8], HourErrors: c.HourErrors[7:8]})
	require.NoError(t, err)
	require.EqualValues(t, 11, f.acquire(t).WindowsThrough)
	requireWindows(t, f, p, starts, c)
	require.Equal(t, 4, f.count(t, "SELECT line_count FROM window_data WHERE start_s = 420")-420)
	require.Equal(t, 1, f.count(t, "SELECT line_count = 96 + 21 AND ROUND(rt_p50_ms, 3) = 1.072 AND rt_p99_ms <= rt_max_ms FROM service_hour WHERE start_s = 7 * 3600"))
	p.Partition = 3
	requireWindows(t, f, p, starts, window.Changes{})
}

func requireWindows(t *testing.T, f fixture, p Progress, starts window.Starts, want window.Changes) {
	t.Helper()
	got, damaged, err := f.Windows(t.Context(), p, starts)
	require.NoError(t, err)
	require.Zero(t, damaged)
	require.ElementsMatch(t, want.Windows, got.Windows)
	require.ElementsMatch(t, want.Errors, got.Errors)
	require.ElementsMatch(t, want.Hours, got.Hours)
	require.ElementsMatch(t, want.HourErrors, got.HourErrors)
}

// TestHoursBeginAnew: a processor that knows no hours has owned the partition, so hours are whole only behind all that it counted.
func TestHoursBeginAnew(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	require.EqualValues(t, math.MinInt64, p.HoursFrom, "a new partition has all hours")
	p, err := f.SaveWindows(t.Context(), p, 10, some(7200, 7260))
	require.NoError(t, err)
	require.EqualValues(t, math.MinInt64, f.acquire(t).HoursFrom)
	require.EqualValues(t, 10, p.WindowsThrough)
	_, err = f.db.Text.Exec("UPDATE partition_progress SET windows_through = 11")
	require.NoError(t, err)
	require.EqualValues(t, 10800, f.acquire(t).HoursFrom)
	require.EqualValues(t, 10800, f.acquire(t).HoursFrom, "once")
	_, err = f.db.Text.Exec(oldWindow, f.stream, 20000, 1)
	require.NoError(t, err)
	_, err = f.db.Text.Exec("UPDATE partition_progress SET windows_through = 12")
	require.NoError(t, err)
	require.EqualValues(t, 21600, f.acquire(t).HoursFrom)
}

// TestWindowsOfManyServices: what is too much for one value is in several, and is read as one.
func TestWindowsOfManyServices(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	var c window.Changes
	rows, texts := make([]counts.Row, 2*counts.MaxRows+1), make([]counts.Text, counts.MaxTexts+1)
	for i := range rows {
		rows[i] = counts.Row{Service: fmt.Sprintf("%0200d", i), Level: 1, Lines: 1}
	}
	for i := range texts {
		texts[i] = counts.Text{Service: "s", Message: fmt.Sprintf("%0240d", i), Lines: 1}
	}
	c.Windows, c.Errors = []window.Window{{Start: 10, Rows: rows}}, []window.ErrorWindow{{Start: 60, Texts: texts}}
	p, err := f.SaveWindows(t.Context(), p, 1, c)
	require.NoError(t, err)
	require.Equal(t, 3, f.count(t, "SELECT COUNT(*) FROM window_data"))
	require.Equal(t, 2, f.count(t, "SELECT COUNT(*) FROM error_data"))
	s := window.NewSet(0)
	found, _, err := f.Windows(t.Context(), p, window.Starts{Windows: []int64{10}})
	require.NoError(t, err)
	s.Load(window.Starts{}, found)
	require.Equal(t, len(rows), s.Cells())
}

// TestDamagedWindows: a value that cannot be read is counted and left out; one of a newer build stops the partition, whose counts it has.
func TestDamagedWindows(t *testing.T) {
	t.Parallel()
	f := open(t)
	p, err := f.SaveWindows(t.Context(), f.acquire(t), 1, some(0, 60))
	require.NoError(t, err)
	_, err = f.db.Text.Exec("UPDATE window_data SET data = 'x' WHERE start_s = 60")
	require.NoError(t, err)
	found, damaged, err := f.Windows(t.Context(), p, window.Starts{Windows: []int64{0, 60}})
	require.NoError(t, err)
	require.Equal(t, 1, damaged)
	require.Contains(t, found.Windows, some(0).Windows[0])
	_, err = f.db.Text.Exec("UPDATE error_data SET data = CONCAT(CHAR(9), SUBSTR(data, 2))")
	require.NoError(t, err)
	_, _, err = f.Windows(t.Context(), p, window.Starts{Errors: []int64{0, 60}})
	require.ErrorIs(t, err, counts.ErrVersion)
}

// TestWindowChanges: which minutes were written stands beside the windows, with the offset of the last transaction that wrote some of them.
func TestWindowChanges(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	p, err := f.SaveWindows(t.Context(), p, 10, window.Changes{Windows: some(-10, 120, 170).Windows, Errors: some(240).Errors})
	require.NoError(t, err)
	require.Equal(t, map[int64]int64{-60: 10, 120: 10, 240: 10}, f.changes(t))
	p, err = f.SaveWindows(t.Context(), p, 12, window.Changes{Windows: some(130).Windows})
	require.NoError(t, err)
	require.Equal(t, map[int64]int64{-60: 10, 120: 12, 240: 10}, f.changes(t))
	n, err := f.DropWindowChanges(t.Context(), p, 10)
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = f.db.Text.ExecContext(t.Context(), "UPDATE window_change SET written_at = written_at - INTERVAL 25 HOUR WHERE start_s < 200")
	require.NoError(t, err)
	n, err = f.DropWindowChanges(t.Context(), p, 10)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Equal(t, map[int64]int64{240: 10}, f.changes(t))
}

func (f fixture) changes(t *testing.T) map[int64]int64 {
	t.Helper()
	rows, err := f.db.Text.QueryContext(t.Context(), "SELECT start_s, through FROM window_change")
	require.NoError(t, err)
	defer rows.Close()
	out := map[int64]int64{}
	for rows.Next() {
		var start, through int64
		require.NoError(t, rows.Scan(&start, &through))
		out[start] = through
	}
	require.NoError(t, rows.Err())
	return out
}

// BenchmarkCommit is a block of 100 KB in one transaction, with the memory of none, of three and of the most producers beside it.
func BenchmarkCommit(b *testing.B) {
	for _, bytes := range []int{0, 1 + 3*32, 1 + 1024*32} {
		b.Run(fmt.Sprint(bytes, " B"), func(b *testing.B) {
			f := open(b)
			p := f.acquire(b)
			c := commit(0, 0)
			c.Block.Data, c.Block.Filter = make([]byte, 100<<10), make([]byte, 8<<10)
			if bytes > 0 {
				c.Producers = make([]byte, bytes)
			}
			for b.Loop() {
				var err error
				if p, err = f.Commit(b.Context(), p, c); err != nil {
					b.Fatal(err)
				}
				c.From, c.To = c.From+1, c.To+1
				if c.Producers != nil {
					c.Producers[1]++ // as each block changes it
				}
			}
		})
	}
}

// BenchmarkWindows writes what a busy partition changes: two windows of 34 services, and a minute of 1,500 error texts.
func BenchmarkWindows(b *testing.B) {
	f := open(b)
	p := f.acquire(b)
	var c window.Changes
	var texts []counts.Text
	for start := range int64(2) {
		var rows []counts.Row
		for i := range 100 {
			rows = append(rows, counts.Row{Service: fmt.Sprintf("service-%d", i/3), Level: 3 + logrec.Level(i%3), Lines: 1, Times: counts.Times{Count: 2, SumMS: 1.5, MaxMS: 1, Bins: []counts.Bin{{Index: -30, Count: 1}, {Index: 1, Count: 1}}}})
		}
		c.Windows = append(c.Windows, window.Window{Start: 10 * start, Rows: rows})
	}
	for i := range 1500 {
		texts = append(texts, counts.Text{Service: fmt.Sprint("service-", i/50), Message: fmt.Sprintf("connection %c from # closed by peer with code #", 'a'+i%50), Lines: 2})
	}
	c.Errors = []window.ErrorWindow{{Start: 60, Texts: texts}}
	for through := int64(1); b.Loop(); through++ {
		for i := range texts {
			texts[i].Lines++
		}
		var err error
		if p, err = f.SaveWindows(b.Context(), p, through, c); err != nil {
			b.Fatal(err)
		}
	}
}
