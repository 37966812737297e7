package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/block"
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
	require.Equal(t, Progress{Stream: f.stream, Partition: 2, Epoch: 1, PrevTo: -1}, p)
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
	_, err = f.SaveWindows(t.Context(), old, 5, nil, nil)
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

func TestWindowsRoundTrip(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	var rows []window.Row
	var texts []window.ErrorRow
	var starts []int64
	for i := range int64(150) {
		starts = append(starts, i*60)
		rows = append(rows, window.Row{Start: i * 60, Service: "ü", Level: 5, Count: uint64(i), Status: [5]uint64{1, 2, 3, 4, 5}, RTCount: 1, RTSum: 0.5, RTMax: 0.5, Sketch: []byte{0, 0xff}})
		texts = append(texts, window.ErrorRow{Start: i * 60, Service: "ü", Hash: ^uint64(i), Message: "é #", Count: 2})
	}
	p, err := f.SaveWindows(t.Context(), p, 10, rows, texts)
	require.NoError(t, err)
	rows[7].Count, texts[7].Count = 99, 98
	p, err = f.SaveWindows(t.Context(), p, 11, rows[7:8], texts[7:8])
	require.NoError(t, err)
	require.EqualValues(t, 11, f.acquire(t).WindowsThrough)
	got, err := f.Windows(t.Context(), p, starts)
	require.NoError(t, err)
	require.ElementsMatch(t, rows, got)
	gotTexts, err := f.Errors(t.Context(), p, starts)
	require.NoError(t, err)
	require.ElementsMatch(t, texts, gotTexts)
	p.Partition = 3
	got, err = f.Windows(t.Context(), p, starts)
	require.NoError(t, err)
	require.Empty(t, got)
}

// TestWindowChanges: which minutes were written stands beside the windows, with the offset of the last transaction that wrote some of them.
func TestWindowChanges(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	p, err := f.SaveWindows(t.Context(), p, 10, []window.Row{{Start: 120, Service: "a"}, {Start: 170, Service: "a"}, {Start: -10, Service: "a"}}, []window.ErrorRow{{Start: 240, Service: "a"}})
	require.NoError(t, err)
	require.Equal(t, map[int64]int64{-60: 10, 120: 10, 240: 10}, f.changes(t))
	p, err = f.SaveWindows(t.Context(), p, 12, []window.Row{{Start: 130, Service: "a"}}, nil)
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

// BenchmarkWindows writes as many rows as a busy partition changes in ten seconds.
func BenchmarkWindows(b *testing.B) {
	f := open(b)
	p := f.acquire(b)
	var rows []window.Row
	var texts []window.ErrorRow
	for i := range 200 {
		rows = append(rows, window.Row{Start: 10, Service: fmt.Sprint("service-", i), Level: 4, Count: 1, RTCount: 1, RTSum: 0.5, RTMax: 0.5, Sketch: make([]byte, 60)})
	}
	for i := range uint64(1500) {
		texts = append(texts, window.ErrorRow{Start: 60, Service: fmt.Sprint("service-", i%30), Hash: i * 0x9e3779b97f4a7c15, Message: "connection from # closed by peer with code #", Count: 2})
	}
	for through := int64(1); b.Loop(); through++ {
		for i := range rows {
			rows[i].Count++
		}
		for i := range texts {
			texts[i].Count++
		}
		var err error
		if p, err = f.SaveWindows(b.Context(), p, through, rows, texts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*(len(rows)+len(texts))), "µs/row")
}
