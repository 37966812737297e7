package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

// rows that a pipeline at work has in the tables that dashboards read.
var dashboardRows = []string{
	`INSERT INTO stream VALUES (1, 'c', 'logs.raw', 't', 1, UTC_TIMESTAMP())`,
	`INSERT INTO partition_progress (stream_id, part, owner, watermark_ns, updated_at) VALUES (1, 0, 'host/1', UNIX_TIMESTAMP() * 1000000000, UTC_TIMESTAMP())`,
	`INSERT INTO alert_partition (stream_id, part, owner, watermark_ns, updated_at) VALUES (1, 0, 'host/2', UNIX_TIMESTAMP() * 1000000000, UTC_TIMESTAMP())`,
	`INSERT INTO alert_problem (stream_id, kind, part, service, rule_id, since_ns, event_ns, detail, fingerprint) VALUES (1, 'gap', 0, '', 0, UNIX_TIMESTAMP() * 1000000000, 0, 'd', '')`,
	`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, ends_ns, rule_id, rule_version, rule_name, team, severity, service, value, peak, reason, note, event, updated_at)
 VALUES ('a', UNIX_TIMESTAMP() * 1000000000, 0, 0, 1, 1, 'r', 'shop', 'high', 'web', 9, 9, 'condition', '', '{}', UTC_TIMESTAMP())`,
	`INSERT INTO dead_letter (stream_id, part, raw_offset, kind, only_rows, at_ns, import, died_at) VALUES (1, 0, 0, 'undecodable', '', 0, 0, UTC_TIMESTAMP())`,
	`INSERT INTO audit (seq, at, who, kind, object, name, action) VALUES (99, UTC_TIMESTAMP(), 'ann', 'rule', '1', 'r', 'update')`,
}

// expand does what Grafana's MySQL source does with its macros: https://grafana.com/docs/grafana/latest/datasources/mysql/
func expand(t *testing.T, query string) string {
	t.Helper()
	from, to := time.Now().Add(-24*time.Hour).Unix(), time.Now().Add(time.Minute).Unix()
	for _, m := range [][2]string{
		{`\$__timeFilter\(([^)]+)\)`, fmt.Sprintf("$1 BETWEEN FROM_UNIXTIME(%d) AND FROM_UNIXTIME(%d)", from, to)},
		{`\$__unixEpochFilter\(([^)]+)\)`, fmt.Sprintf("$1 >= %d AND $1 <= %d", from, to)},
		{`\$__timeGroupAlias\(([^,]+), \$__interval\)`, `UNIX_TIMESTAMP($1) DIV 60 * 60 AS "time"`},
		{`\$__unixEpochGroupAlias\(([^,]+), \$__interval\)`, `$1 DIV 60 * 60 AS "time"`},
	} {
		query = regexp.MustCompile(m[0]).ReplaceAllString(query, m[1])
	}
	require.False(t, strings.Contains(query, "$"), "a macro that nobody expands: %s", query)
	return query
}

// TestDashboardsReadTheTables runs every SQL query of the dashboards on the schema: each finds what is there.
func TestDashboardsReadTheTables(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.MySQL(t))
	conn, err := db.Text.Conn(t.Context())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	for _, statement := range append([]string{"SET time_zone = '+00:00'"}, dashboardRows...) {
		_, err := conn.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	raw, err := os.ReadFile(filepath.Join(testkit.Root(t), "dashboards", "alerts.json"))
	require.NoError(t, err)
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct {
				SQL string `json:"rawSql"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(raw, &board))
	ran := 0
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			first, columns := firstRow(t, conn, p.Title, expand(t, q.SQL))
			if columns == 1 {
				require.NotEqual(t, "0", first, "%s counts nothing", p.Title)
			}
			ran++
		}
	}
	require.Greater(t, ran, 8)
}

// firstRow is the first value of what a query finds, and how many columns it has.
func firstRow(t *testing.T, conn *sql.Conn, title, query string) (first string, columns int) {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), query)
	require.NoError(t, err, title)
	defer func() { require.NoError(t, rows.Close()) }()
	require.True(t, rows.Next(), "%s finds nothing", title)
	names, err := rows.Columns()
	require.NoError(t, err)
	values, into := make([]sql.RawBytes, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	require.NoError(t, rows.Scan(into...))
	first = string(values[0])
	require.NoError(t, rows.Err())
	return first, len(names)
}
