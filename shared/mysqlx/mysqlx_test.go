package mysqlx_test

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// TestAPanicRollsBack: no lock and no connection is left behind.
func TestAPanicRollsBack(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	_, err := db.Text.ExecContext(t.Context(), "CREATE TABLE t (n INT PRIMARY KEY)")
	require.NoError(t, err)
	require.PanicsWithValue(t, "defect", func() {
		_ = mysqlx.WithTx(t.Context(), db.Text, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
			require.NoError(t, err)
			panic("defect")
		})
	})
	require.Zero(t, db.Text.Stats().InUse)
	_, err = db.Text.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	require.NoError(t, err, "neither kept nor locked")
}

// TestTheClockDoesNotCountTheWaitForAConnection: the pool's only connection is busy for a second.
func TestTheClockDoesNotCountTheWaitForAConnection(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	quick, busy := mysqlx.NewClock(), mysqlx.NewClock()
	require.NoError(t, quick.Sample(t.Context(), db.Text))
	db.Text.SetMaxOpenConns(1)
	conn, err := db.Text.Conn(t.Context())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- busy.Sample(t.Context(), db.Text) }()
	require.Eventually(t, func() bool { return db.Text.Stats().WaitCount > 0 }, 30*time.Second, time.Millisecond)
	_, err = conn.ExecContext(t.Context(), "DO SLEEP(2)")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, <-done)
	require.InDelta(t, 0, float64(busy.Now()-quick.Now())/1e9, 0.7, "seconds; half of the wait would be one")
}

// TestMigrations lives here because testkit, which starts the server, depends on migrations.
func TestMigrations(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	err := mysqlx.CheckSchema(ctx, db.Text, migrations.Version())
	require.ErrorIs(t, err, mysqlx.ErrSchema)
	require.ErrorContains(t, err, "make migrate")
	var wg sync.WaitGroup
	applied := make([]int, 4)
	for i := range applied {
		wg.Go(func() {
			done, err := migrations.Up(ctx, db.Text)
			if err != nil {
				t.Error(err)
			}
			applied[i] = len(done)
		})
	}
	wg.Wait()
	require.EqualValues(t, migrations.Version(), applied[0]+applied[1]+applied[2]+applied[3], "each migration once, by one of four")
	require.NoError(t, mysqlx.CheckSchema(ctx, db.Text, migrations.Version()))
	require.ErrorContains(t, mysqlx.CheckSchema(ctx, db.Text, migrations.Version()-1), "down-to")
	all, err := migrations.Status(ctx, db.Text)
	require.NoError(t, err)
	require.False(t, all[0].At.IsZero())
	_, err = migrations.DownTo(ctx, db.Text, 0)
	require.NoError(t, err)
	require.ErrorIs(t, mysqlx.CheckSchema(ctx, db.Text, migrations.Version()), mysqlx.ErrSchema)
	_, err = migrations.Up(ctx, db.Text)
	require.NoError(t, err)
}

// TestDownUndoesUp: each migration can be undone alone, nothing is left at the end, and the way up again leads to the same schema.
func TestDownUndoesUp(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.EmptyMySQL(t)).Text
	_, err := migrations.Up(t.Context(), db)
	require.NoError(t, err)
	newest := schemaOf(t, db)
	for v := migrations.Version() - 1; v >= 0; v-- {
		done, err := migrations.DownTo(t.Context(), db, v)
		require.NoError(t, err, "down to %d", v)
		require.Len(t, done, 1)
	}
	require.Len(t, schemaOf(t, db), 1, "only the table of versions is left")
	_, err = migrations.Up(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, newest, schemaOf(t, db))
}

// schemaOf is each table's definition, as MySQL tells it.
func schemaOf(t *testing.T, db *sql.DB) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")
	require.NoError(t, err)
	defer func() { _ = rows.Close() }()
	out := map[string]string{}
	for rows.Next() {
		var name, text string
		require.NoError(t, rows.Scan(&name))
		require.NoError(t, db.QueryRowContext(t.Context(), "SHOW CREATE TABLE "+name).Scan(&name, &text))
		out[name] = counter.ReplaceAllString(text, "")
	}
	require.NoError(t, rows.Err())
	return out
}

// counter is where numbering goes on, which is no part of a schema.
var counter = regexp.MustCompile(` AUTO_INCREMENT=\d+`)

func TestWithTx(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	_, err := db.Text.ExecContext(ctx, "CREATE TABLE n (id INT PRIMARY KEY, data LONGBLOB)")
	require.NoError(t, err)
	insert := func(id int, data []byte) func(*sql.Tx) error {
		return func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO n VALUES (?, ?)", id, data)
			return err
		}
	}
	blob := make([]byte, 3<<20)
	for i := range blob {
		blob[i] = byte(i * 7)
	}
	require.NoError(t, mysqlx.WithTx(ctx, db.Blob, insert(1, blob)))
	err = mysqlx.WithTx(ctx, db.Blob, insert(1, blob))
	require.True(t, mysqlx.IsDuplicate(err), err)
	require.False(t, mysqlx.Unanswered(err))
	boom := errors.New("boom")
	require.ErrorIs(t, mysqlx.WithTx(ctx, db.Text, func(tx *sql.Tx) error { return errors.Join(insert(2, nil)(tx), boom) }), boom)
	var n int
	var got []byte
	require.NoError(t, db.Text.QueryRow("SELECT COUNT(*), MAX(data) FROM n").Scan(&n, &got))
	require.Equal(t, 1, n, "rolled back")
	require.True(t, string(blob) == string(got), "a blob comes back as it was")
}

func TestClock(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	c := mysqlx.NewClock()
	require.NoError(t, c.Sample(context.Background(), db.Text))
	require.InDelta(t, time.Now().UnixNano(), c.Now(), float64(5*time.Second))
}

func TestAServerThatIsAwayIsTransient(t *testing.T) {
	t.Parallel()
	cfg := testkit.EmptyMySQL(t)
	cfg.Port = 1
	db := testkit.DB(t, cfg)
	require.True(t, mysqlx.IsTransient(db.Ping(context.Background())))
}
