package mysqlx_test

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

// one is a pool's only connection.
func one(t *testing.T) *sql.Conn {
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	conn, err := db.Text.Conn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// counted reads one of the connection's own counters.
func counted(t *testing.T, conn *sql.Conn, name string) (n int) {
	require.NoError(t, conn.QueryRowContext(t.Context(), "SHOW SESSION STATUS WHERE Variable_name = '"+name+"'").Scan(new(string), &n))
	return n
}

// TestStatementsStayPrepared: prepared once, however often they are run, in a transaction or without.
func TestStatementsStayPrepared(t *testing.T) {
	t.Parallel()
	conn := one(t)
	_, err := conn.ExecContext(t.Context(), "CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(20))")
	require.NoError(t, err)
	before := counted(t, conn, "Com_stmt_prepare")
	for i := range 20 {
		tx, err := conn.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO t VALUES (?, ?)", i, fmt.Sprint(i))
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		var s string
		require.NoError(t, conn.QueryRowContext(t.Context(), "SELECT s FROM t WHERE id = ?", i).Scan(&s))
		require.Equal(t, fmt.Sprint(i), s)
	}
	require.LessOrEqual(t, counted(t, conn, "Com_stmt_prepare")-before, 4, "two statements, each at most once more for its arguments' types")
}

// TestManyStatementsAreClosed: a connection does not fill the server with statements of lists of every length.
func TestManyStatementsAreClosed(t *testing.T) {
	t.Parallel()
	conn := one(t)
	prepared, closed := counted(t, conn, "Com_stmt_prepare"), counted(t, conn, "Com_stmt_close")
	for i := range 100 {
		var n int
		require.NoError(t, conn.QueryRowContext(t.Context(), fmt.Sprintf("SELECT %d + ?", i), 1).Scan(&n))
		require.Equal(t, i+1, n)
	}
	prepared, closed = counted(t, conn, "Com_stmt_prepare")-prepared, counted(t, conn, "Com_stmt_close")-closed
	require.GreaterOrEqual(t, prepared, 100)
	require.GreaterOrEqual(t, closed, 100-32)
	require.Less(t, closed, 100)
}

// TestAFailedStatementIsPreparedAgain: what failed is not kept, and works when its cause is gone.
func TestAFailedStatementIsPreparedAgain(t *testing.T) {
	t.Parallel()
	conn := one(t)
	insert := func(id int) error {
		_, err := conn.ExecContext(t.Context(), "INSERT INTO t VALUES (?)", id)
		return err
	}
	require.Error(t, insert(1), "no table yet")
	_, err := conn.ExecContext(t.Context(), "CREATE TABLE t (id INT PRIMARY KEY)")
	require.NoError(t, err)
	require.NoError(t, insert(1))
	closed := counted(t, conn, "Com_stmt_close")
	require.Error(t, insert(1), "a duplicate")
	require.Equal(t, closed+1, counted(t, conn, "Com_stmt_close"))
	require.NoError(t, insert(2))
	_, err = conn.ExecContext(t.Context(), "ALTER TABLE t MODIFY id BIGINT")
	require.NoError(t, err)
	require.NoError(t, insert(3), "kept while the table was altered")
}

// TestOneStatementTwice: the same text is prepared by two that are used in turn, and by many at a time.
func TestOneStatementTwice(t *testing.T) {
	t.Parallel()
	conn := one(t)
	a, err := conn.PrepareContext(t.Context(), "SELECT ? + 1")
	require.NoError(t, err)
	b, err := conn.PrepareContext(t.Context(), "SELECT ? + 1")
	require.NoError(t, err)
	require.NoError(t, a.Close()) //nolint:sqlclosecheck // when each is closed is what is tested
	var n int
	require.NoError(t, b.QueryRow(2).Scan(&n), "closing one leaves the other")
	require.Equal(t, 3, n)
	require.NoError(t, b.Close()) //nolint:sqlclosecheck // likewise
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				var n int
				if err := db.Blob.QueryRowContext(t.Context(), "SELECT ? * 2", i).Scan(&n); err != nil || n != 2*i {
					t.Error(n, err)
				}
			}
		})
	}
	wg.Wait()
}
