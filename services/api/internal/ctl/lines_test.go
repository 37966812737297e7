package ctl

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/app"
)

func TestStatsOfLines(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	checkout, cart := shopLines()
	store(t, db, checkout, cart)
	require.Equal(t, "SERVICE   LEVEL  COUNT  P95(RESPONSE_TIME_MS)  DISTINCT(SKU)\ncart      info   6      12.5                   1\ncheckout  error  6      -                      0\n",
		s.ok("stats", "--by", "service,level", "-m", "P95(response_time_ms),distinct(sku)"))
	require.Equal(t, "TIME                      COUNT\n2026-11-01T12:00:00.000Z  5\n2026-11-01T12:00:05.000Z  5\n2026-11-01T12:00:10.000Z  2\n", s.ok("stats", "--step", "5s"))
	require.Equal(t, `{"by":{"sku":"a b"},"count":6}`+"\n", s.ok("stats", "--by", "sku", "-o", "json", "-s", "cart"))
	require.Contains(t, s.ok("stats", "-o", "raw", "nothing"), `"groups":[]`)
	_, out, errs := s.run("stats", "--by", "message", "-n", "2", "--explain")
	require.Equal(t, 3, strings.Count(out, "\n"))
	require.Contains(t, errs, "logmillctl: 10 groups more, with 10 lines: -n shows more\n")
	require.Contains(t, errs, "logmillctl: counted: blocks, 0 blocks in memory\n")
	require.Contains(t, s.fails(exitRefused, "stats", "--by", "id"), "by: lines cannot be counted by id")
	require.Contains(t, s.fails(exitRefused, "stats", "-m", "avg(service)"), "metrics: avg(service) cannot be had")
	s.tty = true
	require.Contains(t, s.ok("stats", "--by", "level"), "\x1b[31merror\x1b[0m")
}

func TestStatsInPart(t *testing.T) {
	t.Parallel()
	url, db := server(t, func(c *app.Config) { c.MaxRows = 1 })
	s := newShell(t, url)
	checkout, cart := shopLines()
	for i := range cart {
		cart[i].Timestamp -= int64(time.Hour)
	}
	store(t, db, checkout, cart)
	require.Contains(t, s.fails(exitPartial, "stats", "--by", "service"), "logmillctl: only what is since 2026-11-01T11:01:00.000Z is counted: the limit of 1 rows read is reached\n")
}

func TestContextOfALine(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	checkout, cart := shopLines()
	store(t, db, checkout, cart)
	require.Equal(t, "  2026-11-01T12:00:05.000Z info  cart Added item 2\n> 2026-11-01T12:00:07.000Z info  cart Added item 3\n  2026-11-01T12:00:09.000Z info  cart Added item 4\n  2026-11-01T12:00:11.000Z info  cart Added item 5\n",
		s.ok("context", "-B", "1", "-A", "5", "--no-fields", "1-0-3"))
	require.Equal(t, "Added item 2\nAdded item 3\n", s.ok("context", "-B", "1", "-A", "0", "-o", "raw", "1-0-3"))
	require.Contains(t, s.fails(exitRefused, "context", "9-9-9"), "there is no line 9-9-9")
	require.Contains(t, s.fails(exitUsage, "context"), "accepts 1 arg")
}

func TestExportOfLines(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	checkout, cart := shopLines()
	store(t, db, checkout, cart)
	require.Equal(t, s.ok("search", "--all", "--order", "asc", "-o", "json"), s.ok("export"))
	require.Equal(t, 5, strings.Count(s.ok("export", "-n", "5"), "\n"))
	rows, err := csv.NewReader(strings.NewReader(s.ok("export", "--format", "csv", "--fields", "message,sku", "-s", "cart", "--order", "desc"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"Added item 5", "a b"}, rows[1])
	require.Len(t, rows, 7)
	require.Empty(t, s.ok("export", "--format", "parquet", "--file", "x.parquet"))
	type line struct {
		Message string `parquet:"message"`
	}
	got, err := parquet.ReadFile[line](filepath.Join(s.dir, "x.parquet"))
	require.NoError(t, err)
	require.Len(t, got, 12)
	require.Contains(t, s.fails(exitUsage, "export", "--file", "x.parquet"), "exists")
	require.Contains(t, s.fails(exitUsage, "export", "--format", "xls"), "--format")
	require.Contains(t, s.fails(exitRefused, "export", "--fields", "a"), "fields: ")
}

// TestAnExportGoesOn behind its last whole line when the connection breaks, and with the cursor when an answer ends early.
func TestAnExportGoesOn(t *testing.T) {
	t.Parallel()
	var asked []string
	s := newShell(t, stub(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Query().Get("after")+r.URL.Query().Get("cursor"))
		w.Header().Set("Trailer", "Logmill-Lines, Logmill-Next-Cursor")
		switch len(asked) {
		case 1:
			_, _ = fmt.Fprint(w, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n{\"id\":")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2:
			_, _ = fmt.Fprint(w, "{\"id\":\"3\"}\n")
			w.Header().Set("Logmill-Lines", "1")
			w.Header().Set("Logmill-Next-Cursor", "there")
		case 3:
			_, _ = fmt.Fprint(w, "{\"id\":\"4\"}\n")
			w.Header().Set("Logmill-Lines", "1")
		}
	}))
	code, out, errs := s.run("export")
	require.Equal(t, "{\"id\":\"1\"}\n{\"id\":\"2\"}\n{\"id\":\"3\"}\n{\"id\":\"4\"}\n", out)
	require.Equal(t, []string{"", "2", "there"}, asked)
	require.Contains(t, errs, "going on behind line 2")
	require.Equal(t, exitOK, code)

	s = newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{\"id\":\"1\"}\n") }))
	require.Contains(t, s.fails(exitUsage, "export"), "without its trailers")
	s = newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "Logmill-Lines, Logmill-Partial-Reason")
		_, _ = fmt.Fprint(w, "{\"id\":\"1\"}\n")
		w.Header().Set("Logmill-Lines", "1")
		w.Header().Set("Logmill-Partial-Reason", "block 3 is left out: damaged")
	}))
	require.Contains(t, s.fails(exitPartial, "export"), "not all logs: block 3")
}

// told is a writer that says when it was written to.
type told struct {
	mu sync.Mutex
	b  strings.Builder
	at chan struct{}
}

func (w *told) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() {
		select {
		case w.at <- struct{}{}:
		default:
		}
	}()
	return w.b.Write(p)
}

func (w *told) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// TestTailOfLines: lines once, whatever comes again after a lost connection; what is left out is told; Ctrl-C ends it.
func TestTailOfLines(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	line := func(id string) string {
		return fmt.Sprintf("id: %s\ndata: {\"id\":%q,\"timestamp\":\"2026-11-01T12:00:00Z\",\"level\":\"info\",\"service\":\"s\",\"message\":\"line %s\"}\n\n", id, id, id)
	}
	url := stub(t, func(w http.ResponseWriter, r *http.Request) {
		if connections.Add(1) == 1 {
			_, _ = fmt.Fprint(w, line("1")+"event: start\ndata: {}\n\n"+line("2")+"event: dropped\ndata: {\"lines\":7,\"total\":7}\n\n")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = fmt.Fprint(w, line("1")+line("2")+line("3")+"event: problem\ndata: {\"detail\":\"Kafka does not answer\"}\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	out, errs := &told{at: make(chan struct{}, 1)}, &told{at: make(chan struct{}, 1)}
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, Env{Out: out, Err: errs, In: strings.NewReader(""), Getenv: func(string) string { return "" }, Now: time.Now}, []string{"tail", "--url", url, "-o", "raw"})
	}()
	for !strings.Contains(errs.String(), "Kafka does not answer") {
		<-errs.at
	}
	cancel()
	require.Equal(t, exitStopped, <-code)
	require.Equal(t, "line 1\nline 2\nline 3\n", out.String())
	require.Contains(t, errs.String(), "7 lines were left out here")
	require.Contains(t, errs.String(), "the connection is lost")

	s := newShell(t, "http://127.0.0.1:1")
	require.Contains(t, s.fails(exitAway, "tail"), "does not answer", "an api that was never there is an error")
	require.Contains(t, s.fails(exitUsage, "tail", "--start", "1h"), "search has")
	s = newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusBadRequest) }))
	require.Contains(t, s.fails(exitRefused, "tail"), "400")

}
