package mysqlx_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// TestATableAlteredUnderASnapshot: a partition that is split ends older snapshots that read the table afterwards, and trying again helps.
func TestATableAlteredUnderASnapshot(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	exec := func(statement string) {
		_, err := db.Text.Exec(statement)
		require.NoError(t, err)
	}
	exec("CREATE TABLE a (id INT PRIMARY KEY)")
	exec("INSERT INTO a VALUES (1)")
	exec("CREATE TABLE d (day INT PRIMARY KEY) PARTITION BY RANGE (day) (PARTITION p1 VALUES LESS THAN (1), PARTITION p2 VALUES LESS THAN (2))")
	read := func(between func()) error {
		tx, err := db.Text.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback()) }()
		var n int
		require.NoError(t, tx.QueryRow("SELECT COUNT(*) FROM a").Scan(&n))
		between()
		return tx.QueryRow("SELECT COUNT(*) FROM d").Scan(&n)
	}
	err := read(func() {
		exec("ALTER TABLE d REORGANIZE PARTITION p2 INTO (PARTITION p2 VALUES LESS THAN (2), PARTITION p3 VALUES LESS THAN (3))")
	})
	require.True(t, mysqlx.IsAltered(err), err)
	require.True(t, mysqlx.IsTransient(err))
	require.NoError(t, read(func() {}))
}
