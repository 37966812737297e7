package store

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/services/processor/internal/retain"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

const nsDay = int64(24 * time.Hour)

// put commits a block of some bytes of data that was received at a time.
func (f fixture) put(t testing.TB, p Progress, at int64, bytes int) Progress {
	t.Helper()
	c := commit(p.NextOffset, p.NextOffset)
	c.Stored = at
	c.Block.Data = make([]byte, bytes)
	for i := range c.Block.Data {
		c.Block.Data[i] = byte(i * i >> 3)
	}
	p, err := f.Commit(t.Context(), p, c)
	require.NoError(t, err)
	return p
}

func (f fixture) parts(t *testing.T, table string) (names []string) {
	t.Helper()
	rows, err := f.db.Text.Query(`SELECT PARTITION_NAME FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? ORDER BY PARTITION_ORDINAL_POSITION`, table)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var n string
		require.NoError(t, rows.Scan(&n))
		names = append(names, n)
	}
	require.NoError(t, rows.Err())
	return names
}

func TestRetireIsFencedAndFollowed(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	for i := range int64(5) {
		p = f.put(t, p, day+i*int64(time.Hour), 100)
	}
	reader := &follower{db: f.db.Text}
	reader.poll(t)
	old := claimOf(p)
	c := claimOf(f.acquire(t))
	blocks, _, err := k.Blocks(t.Context(), c, 0, 9)
	require.NoError(t, err)
	expired := retain.Expired(blocks, day+2*int64(time.Hour), 100)
	require.Len(t, expired, 2)
	require.ErrorIs(t, k.Retire(t.Context(), old, expired, day+7, day+9), ErrFenced)
	require.NoError(t, k.Retire(t.Context(), c, expired, day+2*int64(time.Hour), day+9))
	require.ErrorIs(t, k.Retire(t.Context(), c, expired, day+2*int64(time.Hour), day+9), ErrChanged)
	require.NoError(t, k.Retire(t.Context(), c, blocks[2:3], day, day+9))
	require.Equal(t, 1, f.count(t, fmt.Sprintf("SELECT COUNT(*) FROM partition_progress WHERE change_seq = 7 AND retained_from_ns = %d", day+2*int64(time.Hour))), "it never goes back")
	reader.poll(t)
	require.Len(t, reader.set, 2)
	require.Equal(t, 1, reader.loads)
	usage, err := k.Usage(t.Context())
	require.NoError(t, err)
	require.Equal(t, []retain.Stored{{Until: day + 4*int64(time.Hour) + nsPerMinute, Bytes: 102}, {Until: day + 3*int64(time.Hour) + nsPerMinute, Bytes: 102}}, usage)
}

// TestDaysComeAndGo: partitions are made ahead, rows lie in that of their day, and a day without blocks is dropped with its rows, as soon
// as readers need it no more, and gives its disk back.
func TestDaysComeAndGo(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	p = f.put(t, p, day-nsDay, 100) // from before there were days
	keep := func(today int64) DayChange {
		c, err := k.KeepDays(t.Context(), Day(today))
		require.NoError(t, err)
		return c
	}
	c := keep(day)
	require.Equal(t, DayChange{Added: 10, Below: 20000, Longest: c.Longest}, c)
	require.NotZero(t, c.Longest)
	days := []string{"p20241003", "p20241004", "p20241005", "p20241006", "p20241007", "pmax"}
	require.Equal(t, days, f.parts(t, "block_data"))
	require.Equal(t, days, f.parts(t, "block_filter"))
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM block_data PARTITION (p20241003)"), "moved")
	require.Equal(t, DayChange{Below: 20000}, keep(day), "once is enough")

	for range 40 {
		p = f.put(t, p, day+5, 500_000)
	}
	p = f.put(t, p, day+nsDay, 100)
	require.Equal(t, 40, f.count(t, "SELECT COUNT(*) FROM block_data PARTITION (p20241004)"))
	full := f.disk(t)
	require.Greater(t, full, 20_000_000)

	claim := claimOf(p)
	blocks, _, err := k.Blocks(t.Context(), claim, 0, 100)
	require.NoError(t, err)
	now := day + 3*nsDay
	require.NoError(t, k.Retire(t.Context(), claim, retain.Expired(blocks, day+nsDay, 1000), day+nsDay, now))
	require.Empty(t, keep(now).Dropped, "retired blocks are readable for a while")
	require.Equal(t, 41, f.count(t, "SELECT COUNT(*) FROM block_data WHERE day <= 20000"))
	for _, want := range []int{32, 9, 0} {
		n, err := k.Erase(t.Context(), claim, now+int64(time.Second), keep(now).Below)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM block_data"), "the second day went with the last blocks, one look later")
	require.Equal(t, []string{"p20241005", "p20241006", "p20241007", "p20241008", "p20241009", "p20241010", "pmax"}, f.parts(t, "block_data"))
	require.Less(t, f.disk(t), full/10, "disk comes back")
	p = f.put(t, p, day, 100)
	require.Equal(t, 2, f.count(t, "SELECT COUNT(*) FROM block_data PARTITION (p20241005)"), "a clock that went back loses nothing")
	again, ok, err := f.LastBlock(t.Context(), p)
	require.NoError(t, err)
	require.True(t, ok)
	require.Len(t, again.Data, 100)
}

// disk is what the files of block_data take.
func (f fixture) disk(t testing.TB) int {
	t.Helper()
	return f.count(t, `SELECT CAST(SUM(FILE_SIZE) AS SIGNED) FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE CONCAT(REPLACE(DATABASE(), '_', '\\_'), '/block\\_data#%')`)
}

// TestRowsGoOneByOneWhereNoDayIsDropped: blocks that were merged, those of days that are not over, and those in pmax.
func TestRowsGoOneByOneWhereNoDayIsDropped(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	for _, at := range []int64{day, day, day + nsDay, day + nsDay} {
		p = f.put(t, p, at, 100)
	}
	claim := claimOf(p)
	blocks, _, err := k.Blocks(t.Context(), claim, 0, 100)
	require.NoError(t, err)
	require.NoError(t, k.Retire(t.Context(), claim, blocks[:3], day+nsDay+1, day+nsDay))
	_, err = f.db.Text.Exec(`UPDATE partition_progress SET retained_from_ns = ?`, day+1)
	require.NoError(t, err)
	n, err := k.Erase(t.Context(), claim, day+2*nsDay, 20001)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Equal(t, 2, f.count(t, "SELECT COUNT(*) FROM block_data WHERE day = 20000"), "left to be dropped with their day")
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM block_data WHERE day = 20001"))
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM block"))
}

// TestALongReaderHoldsUpADropNotIngest: who waits for the table's metadata makes all others wait; it gives up within a second or so.
func TestALongReaderHoldsUpADropNotIngest(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.put(t, f.acquire(t), day, 100)
	tx, err := f.db.Text.Begin() // such as a backup's
	require.NoError(t, err)
	var n int
	require.NoError(t, tx.QueryRow("SELECT COUNT(*) FROM block_data").Scan(&n))
	_, err = k.KeepDays(t.Context(), 20000)
	require.True(t, mysqlx.IsTransient(err), err)
	f.put(t, p, day, 100)
	require.NoError(t, tx.Rollback())
	_, err = k.KeepDays(t.Context(), 20000)
	require.NoError(t, err)
}

// TestAFullPmaxIsNotSplitBesideIngest: it is said what to run instead, and that works.
func TestAFullPmaxIsNotSplitBesideIngest(t *testing.T) {
	t.Parallel()
	f := open(t)
	f.put(t, f.acquire(t), day, 100)
	_, err := f.db.Text.Exec(`UPDATE block SET byte_count = ?`, MaxMoved)
	require.NoError(t, err)
	k := NewKeeper(f.db)
	c, err := k.KeepDays(t.Context(), 20000)
	require.ErrorIs(t, err, ErrUnsplit)
	require.Zero(t, c.Below)
	require.Equal(t, []string{"pmax"}, f.parts(t, "block_filter"))
	_, statement, ok := strings.Cut(err.Error(), "run \"")
	require.True(t, ok, err)
	for _, table := range []string{"block_filter", "block_data"} {
		_, err = f.db.Text.Exec(strings.Replace(strings.TrimSuffix(statement, `"`), "block_filter", table, 1))
		require.NoError(t, err)
	}
	c, err = k.KeepDays(t.Context(), 20000)
	require.NoError(t, err)
	require.Equal(t, DayChange{Below: 20000}, c)
}

// TestDaysAfterALongPause: days on which nothing came need no partition.
func TestDaysAfterALongPause(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	f.put(t, f.acquire(t), day, 100)
	for _, today := range []uint32{20000, 20100} {
		_, err := k.KeepDays(t.Context(), today)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"p20241004", "p20241005", "p20241006", "p20241007", "p20250112", "p20250113", "p20250114", "p20250115", "pmax"}, f.parts(t, "block_data"))
}

func TestOneKeepsDaysAtATime(t *testing.T) {
	t.Parallel()
	f := open(t)
	conn, err := f.db.Text.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	var got int
	require.NoError(t, conn.QueryRowContext(t.Context(), `SELECT GET_LOCK(CONCAT(DATABASE(), '.days'), 0)`).Scan(&got))
	c, err := NewKeeper(f.db).KeepDays(t.Context(), 20000)
	require.NoError(t, err)
	require.Equal(t, DayChange{Busy: true}, c)
}

// TestTheProcessorsRightsAreEnough: a user with what `migrate grants` gives the processor can do all of it.
func TestTheProcessorsRightsAreEnough(t *testing.T) {
	t.Parallel()
	cfg := testkit.MySQL(t)
	admin := testkit.DB(t, cfg)
	user := "p" + cfg.Database[len(cfg.Database)-10:]
	_, err := admin.Text.Exec("CREATE USER '" + user + "'@'%' IDENTIFIED BY 'secret'")
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = admin.Text.ExecContext(context.Background(), "DROP USER '"+user+"'@'%'") })
	for _, g := range migrations.Grants(cfg.Database, "%") {
		if strings.HasSuffix(g, "'logmill_processor'@'%'") {
			_, err := admin.Text.Exec(strings.Replace(g, "logmill_processor", user, 1))
			require.NoError(t, err)
		}
	}
	cfg.User, cfg.Password = user, config.Secret("secret")
	db := testkit.DB(t, cfg)
	s, err := New(t.Context(), db.Rows, db.Blob)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	stream, err := s.Stream(t.Context(), "cluster", "logs.raw", "uuid", 6)
	require.NoError(t, err)
	f := fixture{s, db, stream}
	k := NewKeeper(db)
	_, err = k.KeepDays(t.Context(), 20000)
	require.NoError(t, err)
	p := f.put(t, f.acquire(t), day, 100)
	blocks, _, err := k.Blocks(t.Context(), claimOf(p), 0, 9)
	require.NoError(t, err)
	require.NoError(t, k.Retire(t.Context(), claimOf(p), blocks, day+1, day))
	_, err = k.Erase(t.Context(), claimOf(p), day+int64(time.Second), 20001)
	require.NoError(t, err)
	c, err := k.KeepDays(t.Context(), 20005)
	require.NoError(t, err)
	require.Equal(t, []string{"block_filter.p20241004", "block_filter.p20241005", "block_filter.p20241006", "block_filter.p20241007",
		"block_data.p20241004", "block_data.p20241005", "block_data.p20241006", "block_data.p20241007"}, c.Dropped)
	require.NoError(t, k.WindowsFrom(t.Context(), claimOf(p), 10))
	_, err = k.DropWindows(t.Context(), claimOf(p), 10, 10)
	require.NoError(t, err)
}

func TestWindowsGoInSmallBatches(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	var starts []int64
	for i := range int64(30) {
		starts = append(starts, i*10)
		_, err := f.db.Text.Exec(oldWindow, f.stream, i*10, 1)
		require.NoError(t, err)
	}
	p, err := f.SaveWindows(t.Context(), p, 1, some(starts...))
	require.NoError(t, err)
	require.NoError(t, k.WindowsFrom(t.Context(), claimOf(p), 100))
	for _, want := range []int64{24, 6, 0} {
		n, err := k.DropWindows(t.Context(), claimOf(p), 100, 8)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.NoError(t, k.WindowsFrom(t.Context(), claimOf(p), 50))
	require.Equal(t, 100, f.count(t, "SELECT windows_from_s FROM partition_progress"), "it never goes back")
	for _, table := range []string{"window_data", "error_data", "log_window"} {
		require.Equal(t, 20, f.count(t, "SELECT COUNT(*) FROM "+table+" WHERE start_s >= 100"))
		require.Equal(t, 20, f.count(t, "SELECT COUNT(*) FROM "+table))
	}
	old := claimOf(p)
	f.acquire(t)
	require.ErrorIs(t, k.WindowsFrom(t.Context(), old, 200), ErrFenced)
}

// BenchmarkDropDay drops a day of blocks (MB=512) beside another partition's ingest, and tells the longest commit, with the longest of as
// long a time without a drop for comparison.
func BenchmarkDropDay(b *testing.B) {
	size := 512
	if v := os.Getenv("MB"); v != "" {
		_, err := fmt.Sscan(v, &size)
		require.NoError(b, err)
	}
	for b.Loop() {
		f := open(b)
		k := NewKeeper(f.db)
		_, err := k.KeepDays(b.Context(), 20000)
		require.NoError(b, err)
		p := f.acquire(b)
		for range size / 4 {
			p = f.put(b, p, day, 4<<20)
		}
		before := f.disk(b)
		_, err = f.db.Text.Exec("DELETE FROM block")
		require.NoError(b, err)
		calm := longestCommit(b, f, p, func() { <-time.After(time.Second) })
		var statement time.Duration
		stall := longestCommit(b, f, f.acquire(b), func() {
			c, err := k.KeepDays(b.Context(), 20010)
			require.NoError(b, err)
			statement = c.Longest
		})
		b.ReportMetric(float64(calm.Milliseconds()), "calm-ms")
		b.ReportMetric(float64(stall.Milliseconds()), "stall-ms")
		b.ReportMetric(float64(statement.Milliseconds()), "statement-ms")
		b.ReportMetric(float64(before)/1e6, "MB-before")
		b.ReportMetric(float64(f.disk(b))/1e6, "MB-after")
	}
}

// longestCommit of small blocks of a later day, one after the other, while do is at work.
func longestCommit(b *testing.B, f fixture, p Progress, do func()) (longest time.Duration) {
	b.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	for {
		began := time.Now()
		p = f.put(b, p, day+2*nsDay, 3000)
		longest = max(longest, time.Since(began))
		select {
		case <-done:
			return longest
		default:
		}
	}
}
