package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// TestSecured runs everything as beyond one machine: SASL over TLS to Kafka, TLS to MySQL under a user for each service with no more rights
// than it needs, tokens and TLS on every listener. A line goes through, a rule fires on it, and a stranger gets nowhere.
func TestSecured(t *testing.T) {
	for _, mechanism := range []string{"SCRAM-SHA-512", "PLAIN"} {
		t.Run(mechanism, func(t *testing.T) {
			posts := make(chan string, 100)
			setBridge(t, posts)
			s := stack.NewSecured(t, mechanism)
			grantServices(t, s)
			admin := s.Tokens(t, map[string]auth.Scope{"admin": auth.Admin})["admin"]
			s.Services(1, stack.Processor)

			call := func(method, service, path, token, body string) (int, string) {
				req, err := http.NewRequest(method, s.URL(service)+path, strings.NewReader(body))
				require.NoError(t, err)
				req.Header.Set("Content-Type", "application/json")
				if token != "" {
					req.Header.Set("Authorization", "Bearer "+token)
				}
				resp, err := s.Client().Do(req)
				require.NoError(t, err)
				defer resp.Body.Close()
				text, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				return resp.StatusCode, string(text)
			}
			for service, path := range map[string]string{"collector": "/metrics", "processor-1": "/metrics", "alert-evaluator": "/metrics", "api": "/api/logs"} {
				code, _ := call("GET", service, path, "", "")
				require.Equal(t, 401, code, service)
				code, _ = call("GET", service, path, admin, "")
				require.Equal(t, 200, code, service)
			}
			_, err := http.DefaultClient.Get(s.URL("api") + "/readyz")
			require.Error(t, err, "the certificate is not one that everybody trusts")

			code, text := call("POST", "api", "/api/alert-rules", admin, `{"name":"any error","filter":"service = 'vault'","condition":"COUNT(CASE WHEN level = 'error' THEN 1 END)","threshold":1,"time_window":"10s","enabled":true}`)
			require.Equal(t, 201, code, text)
			pause(3 * time.Second) // a rule is in force two seconds after it is written
			code, text = call("POST", "collector", "/api/logs", admin, `{"service":"vault","level":"error","message":"the door is open"}`)
			require.Equal(t, 200, code, text)
			eventually(t, func() bool {
				_, logs := call("GET", "api", "/api/logs?service=vault", admin, "")
				_, alerts := call("GET", "api", "/api/alerts?service=vault", admin, "")
				return strings.Contains(logs, "the door is open") && strings.Contains(alerts, "any error")
			})
			eventually(t, func() bool { return len(posts) > 0 }) // a bridge reads both topics under SASL and TLS
			_, text = call("GET", "api", "/api/audit", admin, "")
			require.Contains(t, text, `"admin"`, "the audit names the token")
		})
	}
}

// eventually waits for a condition, for as long as a slow machine needs.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for range 900 {
		if ok() {
			return
		}
		pause(200 * time.Millisecond)
	}
	require.FailNow(t, "it does not happen")
}

// grantServices makes a user for each service, with the rights that `migrate grants` prints.
func grantServices(t *testing.T, s *stack.Stack) {
	t.Helper()
	db, err := sql.Open("mysql", mysqlx.DSN(s.MySQL, "utf8mb4_unicode_ci").FormatDSN())
	require.NoError(t, err)
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, service := range migrations.Services {
		user := "logmill_" + strings.ReplaceAll(service, "-", "_")
		_, err := db.ExecContext(ctx, fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s' REQUIRE SSL", user, stack.Password))
		require.NoError(t, err)
	}
	for _, g := range migrations.Grants(s.MySQL.Database, "%") {
		_, err := db.ExecContext(ctx, g)
		require.NoError(t, err, g)
	}
}

var (
	writes = regexp.MustCompile(`(?:INSERT(?: IGNORE)? INTO|UPDATE|DELETE FROM|ALTER TABLE|REPLACE INTO) ([a-z_]+)`)
	reads  = regexp.MustCompile(`(?:FROM|JOIN) ([a-z_]+)`)
)

// TestGrantsAreWhatServicesDo compares the list of rights with the statements in the services' sources.
func TestGrantsAreWhatServicesDo(t *testing.T) {
	want := map[string]migrations.Access{}
	for _, a := range migrations.Tables {
		want[a.Table] = a
	}
	root := testkit.Root(t)
	for _, service := range migrations.Services {
		err := filepath.WalkDir(filepath.Join(root, "services", service), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || filepath.Base(filepath.Dir(path)) == "blocktest" { // only tests import it: .golangci.yml
				return err
			}
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			for _, m := range writes.FindAllStringSubmatch(string(text), -1) {
				if a, ok := want[m[1]]; ok {
					require.Equal(t, a.Writer, service, "%s writes %s", path, m[1])
				}
			}
			for _, m := range reads.FindAllStringSubmatch(string(text), -1) {
				if a, ok := want[m[1]]; ok {
					require.True(t, a.Writer == service || slices.Contains(a.Readers, service), "%s reads %s", path, m[1])
				}
			}
			return nil
		})
		require.NoError(t, err)
	}
}

// setBridge gives the alert-evaluators that are started in this test an Alertmanager, which tells posts what it is told.
func setBridge(t *testing.T, posts chan<- string) {
	t.Helper()
	pager := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var alerts []struct{ Labels map[string]string }
		if json.NewDecoder(r.Body).Decode(&alerts) == nil {
			for _, a := range alerts {
				posts <- a.Labels["alertname"]
			}
		}
	}))
	t.Cleanup(pager.Close)
	file := filepath.Join(t.TempDir(), "bridges.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "receivers: [{name: pager, alertmanager: {url: %q}}]\nroutes: [{receiver: pager, labels: {alertname: any error}}]\n", pager.URL), 0o600))
	t.Setenv("ALERT_BRIDGES_FILE", file)
}
