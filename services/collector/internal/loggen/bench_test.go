package loggen

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchLine is a line as the collector reads it.
type benchLine struct {
	Timestamp time.Time `json:"timestamp"`
	Level     string    `json:"level"`
	Service   string    `json:"service"`
	Message   string    `json:"message"`
	TraceID   string    `json:"trace_id"`
	Method    string    `json:"request_method"`
}

// TestBenchCorpus: what the searches of the benchmark look for is there as often as they expect, and the rest is as the profile says.
func TestBenchCorpus(t *testing.T) {
	t.Parallel()
	const lines = 300_000
	begun := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o := Options{Lines: lines, Span: 6 * time.Hour}
	p, again := newBench(7), newBench(7)
	expression := regexp.MustCompile(BenchRegexp)
	var size, trace, phrase, token, traced, requests, errors, first int
	services, ids := map[string]bool{}, map[string]bool{}
	last := begun.Add(-o.Span)
	var buf []byte
	for i := range lines {
		buf = p.Append(buf[:0], o.At(i, begun))
		if i < 1000 {
			require.Equal(t, string(again.Append(nil, o.At(i, begun))), string(buf), "a seed makes its lines")
		}
		var l benchLine
		require.NoError(t, json.Unmarshal(buf, &l))
		require.False(t, l.Timestamp.Before(last.Truncate(time.Microsecond)), "lines are in the order of time")
		last = l.Timestamp
		size += len(buf)
		services[l.Service] = true
		trace += count(l.TraceID == BenchTrace)
		phrase += count(strings.Contains(l.Message, BenchPhrase))
		token += count(expression.MatchString(l.Message))
		requests += count(l.Method != "")
		errors += count(l.Level == "error")
		first += count(l.Service == "service-000")
		if l.TraceID != "" {
			traced++
			ids[l.TraceID] = true
		}
	}
	require.True(t, last.Before(begun))
	require.Equal(t, []int{12, 2, lines / 6000}, []int{trace, phrase, token})
	require.Len(t, services, 200)
	require.Len(t, ids, traced-11, "each other trace has one line")
	require.Len(t, allTemplates(), 1500)
	for name, share := range map[string]struct {
		n           int
		least, most float64
	}{"traced": {traced, 0.59, 0.61}, "requests": {requests, 0.24, 0.26}, "errors": {errors, 0.075, 0.085}, "the first service": {first, 0.165, 0.175}, "bytes a line": {size, 222, 242}} {
		require.GreaterOrEqual(t, float64(share.n)/lines, share.least, name)
		require.LessOrEqual(t, float64(share.n)/lines, share.most, name)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
