package app

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/testkit"
)

// logbook is a log that a test reads.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestABudgetOfACaller: a statistic that would read everything stops at its budget, says so and goes on; a caller who has used theirs up is told when
// to come again; what was slow is in the log.
func TestABudgetOfACaller(t *testing.T) {
	t.Parallel()
	my := testkit.MySQL(t)
	db := testkit.DB(t, my)
	var book logbook
	cfg := Config{MySQL: my, Kafka: testkit.Kafka(t), HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxRows: 15, MaxBytes: 1e9, MaxTime: time.Hour, MemoryMB: minMemoryMB, CallerBudget: 5, SlowQuery: time.Nanosecond}
	a, err := New(t.Context(), cfg, zerolog.New(&book))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	base := "http://" + a.Addr()
	require.Eventually(t, func() bool { code, _ := get(t, base+"/readyz"); return code == 200 }, 20*time.Second, 50*time.Millisecond)
	twoHosts(t, db, 80, 10) // 160 lines

	total, next, parts := 0.0, "", 0
	for {
		code, h, got := call(t, "GET", base+"/api/logs/stats?q=line&cursor="+next, "")
		if code == http.StatusTooManyRequests {
			require.NotEmpty(t, h.Get("Retry-After"))
			require.Equal(t, "application/problem+json", h.Get("Content-Type"))
			require.Contains(t, got["detail"], "as much as one caller may")
			break
		}
		require.Equal(t, 200, code, got)
		documented(t, base, "Stats", got)
		require.Equal(t, true, got["partial"])
		require.Contains(t, got["partial_reason"], "rows read")
		require.NotEqual(t, got["start"], got["covered"].(map[string]any)["start"])
		total += got["total"].(float64)
		next = got["next_cursor"].(string)
		parts++
	}
	require.Greater(t, parts, 1)
	require.Positive(t, total)
	require.Less(t, total, 160.0)
	require.Contains(t, book.String(), `"query":"line"`)
	require.Contains(t, book.String(), `/api/logs/stats 127.0.0.1`)
	_, metrics := get(t, base+"/metrics")
	require.Contains(t, string(metrics), `logmill_api_refused_queries_total{reason="budget"} 1`)
	require.True(t, strings.Contains(string(metrics), `logmill_api_query_seconds_count{route="/api/logs/stats"}`))
}
