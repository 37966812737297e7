package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// DaysAhead is how many days have a partition before they begin: so long may the change of partitions fail before rows of a new day
	// lie in pmax.
	DaysAhead = 3

	// MaxMoved is how many bytes of blocks may lie in pmax when it is split: they are copied, and ingest waits meanwhile.
	MaxMoved = 1 << 30

	// mdlWait (s) is how long a change of partitions waits for those who use the table; all who come later wait behind it. MySQL's least.
	mdlWait = 1

	releaseTimeout = 5 * time.Second
)

// ErrUnsplit is a pmax with too many rows to split it beside ingest.
var ErrUnsplit = errors.New("too many rows lie in partition pmax")

// DayChange is what was done to the day partitions of block_data and block_filter.
type DayChange struct {
	Busy    bool // another process is at it: nothing was done
	Added   int
	Dropped []string      // table.partition
	Below   uint32        // rows of days below lie in partitions that will be dropped as a whole
	Longest time.Duration // the longest statement, waiting included: ingest waits for as long
}

// dayPart is a partition: rows of days below, and not of the one before it.
type dayPart struct {
	name  string
	below uint32
}

// KeepDays gives the days to come a partition and drops the partitions of days of which there are no blocks any more, in both tables.
// today is in days since 1970-01-01. Any process may call it, at any time: one at a time works.
func (k *Keeper) KeepDays(ctx context.Context, today uint32) (c DayChange, err error) {
	conn, err := k.db.Text.Conn(ctx)
	if err != nil {
		return c, fmt.Errorf("keeping day partitions: %w", err)
	}
	defer func() { // for good, and with it the session's setting; a server that is slow to notice must not keep the lock
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		_, _ = conn.ExecContext(release, `SELECT RELEASE_LOCK(CONCAT(DATABASE(), '.days'))`)
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		_ = conn.Close()
	}()
	d := days{conn: conn, today: today}
	if err := d.keep(ctx); err != nil {
		return d.DayChange, fmt.Errorf("keeping day partitions: %w", err)
	}
	return d.DayChange, nil
}

// days is one round of keeping them.
type days struct {
	conn   *sql.Conn
	today  uint32
	oldest uint32 // day of the oldest block, removed or not; today when there is none
	DayChange
}

func (d *days) keep(ctx context.Context) error {
	var got sql.NullInt64
	if err := d.conn.QueryRowContext(ctx, `SELECT GET_LOCK(CONCAT(DATABASE(), '.days'), 0)`).Scan(&got); err != nil {
		return err
	}
	if d.Busy = got.Int64 != 1; d.Busy {
		return nil
	}
	if _, err := d.conn.ExecContext(ctx, `SET SESSION lock_wait_timeout = `+strconv.Itoa(mdlWait)); err != nil {
		return err
	}
	if err := d.conn.QueryRowContext(ctx, `SELECT COALESCE(MIN(day), ?) FROM block WHERE byte_count > 0`, d.today).Scan(&d.oldest); err != nil {
		return err
	}
	below := d.today
	for _, table := range []string{"block_filter", "block_data"} {
		reached, err := d.table(ctx, table)
		if err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
		below = min(below, reached)
	}
	d.Below = below
	return nil
}

// table keeps one table's partitions; reached is the day below which all rows lie in partitions of their days.
func (d *days) table(ctx context.Context, table string) (reached uint32, err error) {
	parts, err := d.list(ctx, table)
	if err != nil {
		return 0, err
	}
	for len(parts) > 0 && d.gone(parts[0]) {
		if err := d.drop(ctx, table, parts[0]); err != nil {
			return 0, err
		}
		parts = parts[1:]
	}
	if len(parts) > 0 {
		reached = parts[len(parts)-1].below
	}
	if want := d.today + 1 + DaysAhead; reached < want {
		return want, d.split(ctx, table, reached, want)
	}
	return reached, nil
}

const dayPartsSQL = `SELECT PARTITION_NAME, PARTITION_DESCRIPTION FROM information_schema.PARTITIONS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND PARTITION_NAME <> 'pmax' ORDER BY PARTITION_ORDINAL_POSITION`

func (d *days) list(ctx context.Context, table string) (out []dayPart, err error) {
	rows, err := d.conn.QueryContext(ctx, dayPartsSQL, table)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var p dayPart
		if err := rows.Scan(&p.name, &p.below); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// gone tells whether a partition can be dropped: no block of its days is described any more, and none will come. Yesterday's stays for
// a day: a commit may still be on its way. Rows without a block are what Erase leaves to us.
func (d *days) gone(p dayPart) bool { return p.below <= d.oldest && p.below < d.today }

func (d *days) drop(ctx context.Context, table string, p dayPart) error {
	if err := d.alter(ctx, "ALTER TABLE "+table+" DROP PARTITION "+p.name); err != nil {
		return err
	}
	d.Dropped = append(d.Dropped, table+"."+p.name)
	return nil
}

// split cuts days off pmax, whose first day is from: those of the blocks that lie in it, and those from today to want (exclusive).
func (d *days) split(ctx context.Context, table string, from, want uint32) error {
	var bytes int64
	var first uint32
	if err := d.conn.QueryRowContext(ctx, `SELECT COALESCE(SUM(byte_count + filter_bytes), 0), COALESCE(MIN(day), ?) FROM block WHERE day >= ?`, d.today, from).Scan(&bytes, &first); err != nil {
		return err
	}
	from = max(from, min(first, d.today)) // days on which nobody was at work need none
	statement := splitStatement(table, from, want)
	if bytes > MaxMoved {
		return fmt.Errorf("%w (%d MiB; ingest would wait while they are copied): stop the processors and run %q", ErrUnsplit, bytes>>20, statement)
	}
	if err := d.alter(ctx, statement); err != nil {
		return err
	}
	d.Added += int(want - from)
	return nil
}

func splitStatement(table string, from, want uint32) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ALTER TABLE %s REORGANIZE PARTITION pmax INTO (", table)
	for day := from; day < want; day++ {
		fmt.Fprintf(&b, "PARTITION p%s VALUES LESS THAN (%d), ", time.Unix(int64(day)*86400, 0).UTC().Format("20060102"), day+1)
	}
	b.WriteString("PARTITION pmax VALUES LESS THAN MAXVALUE)")
	return b.String()
}

func (d *days) alter(ctx context.Context, statement string) error {
	began := time.Now()
	_, err := d.conn.ExecContext(ctx, statement)
	d.Longest = max(d.Longest, time.Since(began))
	return err
}
