package ctl

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/services/api/internal/app"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// shell runs command lines in a folder of its own.
type shell struct {
	t   *testing.T
	dir string
	env map[string]string
	tty bool
	now func() time.Time
	in  string
}

func newShell(t *testing.T, url string) *shell {
	t.Helper()
	return &shell{t: t, dir: t.TempDir(), env: map[string]string{"LOGMILL_URL": url, "LOGMILL_USER": "ann"}, now: time.Now}
}

func (s *shell) file(name, text string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

func (s *shell) text(name string) string {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.dir, name))
	require.NoError(s.t, err)
	return string(raw)
}

func (s *shell) run(args ...string) (code int, out, errs string) {
	return s.runIn(context.Background(), args...)
}

func (s *shell) runIn(ctx context.Context, args ...string) (code int, out, errs string) {
	s.t.Helper()
	var o, e bytes.Buffer
	env := Env{In: strings.NewReader(s.in), Out: &o, Err: &e, Getenv: func(k string) string { return s.env[k] }, Dir: s.dir, Terminal: s.tty, ErrTerminal: true, Width: 100, Now: s.now}
	code = Run(ctx, env, args)
	return code, o.String(), e.String()
}

// ok runs a command line that must succeed without a word on standard error.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	code, out, errs := s.run(args...)
	require.Empty(s.t, errs, args)
	require.Zero(s.t, code, args)
	return out
}

// fails runs a command line that must end with a code, and returns all that it says.
func (s *shell) fails(code int, args ...string) string {
	s.t.Helper()
	got, out, errs := s.run(args...)
	require.Equal(s.t, code, got, "%v: %s%s", args, out, errs)
	return out + errs
}

// golden compares with testdata, after replacing what differs from run to run.
func golden(t *testing.T, name, got string, replace ...string) {
	t.Helper()
	got = strings.NewReplacer(replace...).Replace(got)
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got, name)
}

// server runs an api on a database of its own.
func server(t *testing.T, change ...func(*app.Config)) (url string, db *mysqlx.DB) {
	t.Helper()
	my, kafka := testkit.MySQL(t), testkit.Kafka(t)
	db = testkit.DB(t, my)
	cfg := app.Config{MySQL: my, Kafka: kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxRows: 1e6, MaxBytes: 1e9, MaxTime: 10 * time.Second}
	for _, f := range change {
		f(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, cfg, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel))
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		cancel()
		require.NoError(t, <-done)
	})
	url = "http://" + a.Addr()
	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 20*time.Second, 50*time.Millisecond)
	return url, db
}

// stub is an api that answers with one function.
func stub(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	const nobody = "http://127.0.0.1:1"
	answers := func(status int, body string) string {
		return stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})
	}
	for _, c := range []struct {
		url  string
		args string
		code int
		says string
	}{
		{nobody, "", exitOK, "Usage:"},
		{nobody, "rules", exitOK, "Available Commands:"},
		{nobody, "help exit-codes", exitOK, "the output is not complete"},
		{nobody, "help times", exitOK, "now-15m"},
		{nobody, "nonsense", exitUsage, `unknown command "nonsense"`},
		{nobody, "rules check", exitUsage, "requires at least 1 arg"},
		{nobody, "rules check gone.yaml", exitUsage, "logmillctl: gone.yaml: no such file or directory"},
		{nobody, "alerts list --colr", exitUsage, "unknown flag: --colr"},
		{nobody, "alerts list -o xml", exitUsage, `--output "xml" is not one of [table json raw]`},
		{nobody, "alerts list --limit 0", exitUsage, "--limit must be at least 1"},
		{"ftp://x", "alerts list", exitUsage, `"ftp://x" is not the address of an api`},
		{nobody, "alerts list", exitAway, "logmillctl: http://127.0.0.1:1 does not answer: dial tcp 127.0.0.1:1: connect: connection refused\n"},
		{answers(404, `{"title":"Not Found","status":404,"detail":"there is no alert"}`), "alerts show 0123456789abcdef0123456789abcdef-1", exitRefused, "logmillctl: the api answered 404 Not Found: there is no alert\n"},
		{answers(400, `{"detail":"the request has mistakes","errors":[{"field":"state","reason":"is wrong"},{"field":"end","reason":"too"}]}`), "alerts list", exitRefused,
			"logmillctl: the api answered 400 Bad Request: the request has mistakes\n  state: is wrong\n  end: too\n"},
		{answers(502, "<html>\x1b[2Jbad gateway"), "alerts list", exitAway, `502 Bad Gateway: <html>\x1b[2Jbad gateway`},
		{answers(429, `{"detail":"later"}`), "alerts list", exitAway, "429 Too Many Requests: later"},
		{answers(200, "<html>"), "alerts show 0123456789abcdef0123456789abcdef-1", exitUsage, "reading the alert: invalid character"},
		{answers(200, `{"alerts":"x"}`), "alerts list", exitUsage, "reading a page of alerts"},
	} {
		said := newShell(t, c.url).fails(c.code, strings.Fields(c.args)...)
		require.Contains(t, said, c.says, c.args)
	}
	late := stub(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	require.Contains(t, newShell(t, late).fails(exitAway, "alerts", "list", "--timeout", "50ms"), "does not answer: no answer in time")
	ctx, cancel := context.WithCancel(context.Background())
	stopped := newShell(t, stub(t, func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	code, _, _ := stopped.runIn(ctx, "alerts", "list")
	require.Equal(t, exitStopped, code)
}

// TestRequests: who asks, with which token, and where a proxy has put the api.
func TestRequests(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	s := newShell(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r
		_, _ = w.Write([]byte(`{"alerts":[]}`))
	})+"/logmill")
	s.env["LOGMILL_TOKEN"] = "secret"
	s.ok("alerts", "list", "--service", "a&b", "--state", "resolved,active")
	r := <-seen
	require.Equal(t, "/logmill/api/alerts", r.URL.Path)
	require.Equal(t, "limit=100&service=a%26b&state=resolved%2Cactive", r.URL.RawQuery)
	require.Equal(t, []string{"Bearer secret", "ann"}, []string{r.Header.Get("Authorization"), r.Header.Get("X-Logmill-User")})
	require.True(t, strings.HasPrefix(r.Header.Get("User-Agent"), "logmillctl/"))
	s.ok("alerts", "list", "--user", "bob")
	r = <-seen
	require.Equal(t, "bob", r.Header.Get("X-Logmill-User"))
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	s := newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"alerts":[{"id":"0123456789abcdef0123456789abcdef-1","status":"active","severity":"critical","rule_name":"r\u001b]0;title\u0007","labels":{"a":"b\nc"}}]}`))
	}))
	require.NotContains(t, s.ok("alerts", "list"), "\x1b")
	require.Contains(t, s.ok("alerts", "list", "--colour", "always"), "\x1b[1;31mcritical\x1b[0m")
	s.tty = true
	out := s.ok("alerts", "list")
	require.Contains(t, out, "\x1b[31mactive\x1b[0m")
	require.Contains(t, out, `r\x1b]0;title\x07`, "what a sender wrote does not steer the terminal")
	require.Contains(t, out, "a=b⏎c")
	require.NotContains(t, s.ok("alerts", "list", "--colour", "never"), "\x1b[31m")
	s.env["NO_COLOR"] = "1"
	require.NotContains(t, s.ok("alerts", "list"), "\x1b")
}

func TestProgress(t *testing.T) {
	t.Parallel()
	pages := 0
	s := newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) {
		pages++
		_, _ = fmt.Fprintf(w, `{"logs":[{"message":"m"},{"message":"m"}],"next_cursor":%q}`, []string{"a", "b", ""}[pages-1])
	}))
	clock := time.Unix(0, 0)
	s.now = func() time.Time { clock = clock.Add(1500 * time.Millisecond); return clock }
	code, out, errs := s.run("search", "--all", "-o", "raw")
	require.Equal(t, []any{exitOK, "m\nm\nm\nm\nm\nm\n"}, []any{code, out})
	require.Equal(t, "\r\x1b[K6 logs, 3s\r\x1b[K", errs, "nothing in the first two seconds, and it goes away")
	pages, s.tty = 0, true
	_, _, errs = s.run("search", "--all", "-o", "raw")
	require.Empty(t, errs, "the lines themselves show that work goes on")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	s := newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"alerts":[{"id":"0123456789abcdef0123456789abcdef-1","rule_name":"r","labels":{"service":"web"}}],"services":[{"name":"web"},{"name":"cart"}],"rules":[{"team":"shop"},{"team":""},{"team":"shop"}]}`))
	}))
	for _, kind := range []string{"bash", "zsh", "fish", "powershell"} {
		require.Contains(t, s.ok("completion", kind), "logmillctl", kind)
	}
	_, out, _ := s.run("__complete", "alerts", "list", "--severity", "h")
	require.Contains(t, out, "high\n")
	_, out, _ = s.run("__complete", "ru")
	require.Contains(t, out, "rules\tAlert rules as code")
	_, out, _ = s.run("__complete", "alerts", "ack", "01")
	require.Contains(t, out, "0123456789\tr service=web\n")
	_, out, _ = s.run("__complete", "search", "--service", "w")
	require.Equal(t, "web\n:4\n", out)
	_, out, _ = s.run("__complete", "rules", "export", "--team", "")
	require.Equal(t, "shop\n:4\n", out)
	s.env["LOGMILL_URL"] = "http://127.0.0.1:1"
	_, out, _ = s.run("__complete", "alerts", "ack", "")
	require.Equal(t, ":4\n", out, "without an api there is nothing to complete")
}
