package mysqlx_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

// TestAStoppedProcessLetsGo: the server ends a connection that is silent in a transaction within seconds, not hours, so that its locks do
// not stand in the way of whoever takes over; the pool gives connections up before that.
func TestAStoppedProcessLetsGo(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.MySQL(t))
	for _, pool := range []interface{ QueryRow(string, ...any) *sql.Row }{db.Text, db.Blob} {
		var wait int
		require.NoError(t, pool.QueryRow("SELECT @@SESSION.wait_timeout").Scan(&wait))
		require.Equal(t, 30, wait)
	}
}
