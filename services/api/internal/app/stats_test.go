package app

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

func ask(t *testing.T, schema, base, path string) map[string]any {
	t.Helper()
	code, _, got := call(t, "GET", base+path, "")
	require.Equal(t, 200, code, got)
	documented(t, base, schema, got)
	return got
}

// TestStats is figures over HTTP: groups, points, figures, histogram, facets.
func TestStats(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	empty := ask(t, "Stats", base, "/api/logs/stats?by=service&step=1m")
	require.Empty(t, empty["groups"])
	ask(t, "Histogram", base, "/api/logs/histogram?by=level")
	write(t, db)

	got := ask(t, "Stats", base, "/api/logs/stats?by=service,n&metrics="+url.QueryEscape("avg(response_time_ms),P95(response_time_ms),distinct(s),sum(n),max(nothing)")+"&explain=true")
	require.EqualValues(t, 20, got["total"])
	require.Equal(t, "blocks", got["source"])
	require.Equal(t, map[string]any{"by": map[string]any{"service": "svc-0", "n": "7"}, "count": 10.0,
		"values": map[string]any{"avg(response_time_ms)": 5.0, "p95(response_time_ms)": 5.0, "distinct(s)": 1.0, "sum(n)": 70.0, "max(nothing)": nil}}, got["groups"].([]any)[0])

	got = ask(t, "Stats", base, "/api/logs/stats?by=level&step=1m&q=service:svc-1&start=2026-11-01T12:00:00Z&end=2026-11-01T12:03:00Z")
	require.Equal(t, []any{map[string]any{"by": map[string]any{"level": "error"}, "count": 10.0, "points": []any{
		map[string]any{"time": "2026-11-01T12:00:00Z", "count": 6.0}, map[string]any{"time": "2026-11-01T12:01:00Z", "count": 4.0}, map[string]any{"time": "2026-11-01T12:02:00Z", "count": 0.0}}}}, got["groups"])
	require.Equal(t, got["start"], got["covered"].(map[string]any)["start"])

	got = ask(t, "Histogram", base, "/api/logs/histogram?by=service&step=60&q=Line")
	require.Equal(t, []any{map[string]any{"time": "2026-11-01T12:00:00Z", "count": 12.0, "by": map[string]any{"svc-0": 6.0, "svc-1": 6.0}}, map[string]any{"time": "2026-11-01T12:01:00Z", "count": 8.0, "by": map[string]any{"svc-0": 4.0, "svc-1": 4.0}}}, got["points"])
	require.EqualValues(t, 2, ask(t, "Histogram", base, "/api/logs/histogram")["step_s"])

	got = ask(t, "Facets", base, "/api/logs/facets?fields=service,s,host&limit=1")
	require.Equal(t, []any{
		map[string]any{"field": "service", "values": []any{map[string]any{"value": "svc-0", "count": 10.0}}, "distinct": 2.0, "missing": 0.0, "others": 10.0},
		map[string]any{"field": "s", "values": []any{map[string]any{"value": "7", "count": 20.0}}, "distinct": 1.0, "missing": 0.0, "others": 0.0},
		map[string]any{"field": "host", "values": []any{}, "distinct": 0.0, "missing": 20.0, "others": 0.0}}, got["facets"])
	require.Len(t, ask(t, "Facets", base, "/api/logs/facets")["facets"], 7)
}

// TestValidateQuery: a query is read without searching, and its mistakes have a place.
func TestValidateQuery(t *testing.T) {
	t.Parallel()
	base, _ := api(t)
	got := ask(t, "QueryCheck", base, "/api/logs/validate?q="+url.QueryEscape("service:shop servce:x timestamp:>now-5m"))
	require.Equal(t, true, got["valid"])
	require.Equal(t, "service:shop servce:x timestamp:>now-5m", got["query"])
	require.Len(t, got["hints"], 1)
	rule := got["rule"].(map[string]any)
	require.Equal(t, "service = 'shop' AND attributes['servce'] = 'x'", rule["filter"])
	require.Equal(t, "timestamp:>now-5m", rule["left_out"].([]any)[0].(map[string]any)["term"])
	got = ask(t, "QueryCheck", base, "/api/logs/validate?q="+url.QueryEscape("ä level:eroor"))
	require.Equal(t, false, got["valid"])
	at := got["errors"].([]any)[0].(map[string]any)
	require.Equal(t, []any{"q", 10.0, 5.0}, []any{at["field"], at["pos"], at["len"]})
	code, _, problem := call(t, "GET", base+"/api/logs?q="+url.QueryEscape("ä level:eroor"), "")
	require.Equal(t, 400, code)
	require.Equal(t, at, problem["errors"].([]any)[0])
	code, _, _ = call(t, "GET", base+"/api/logs/validate?query=x", "")
	require.Equal(t, 400, code)
}

// TestBadStats: what cannot be counted is refused with the field and a reason.
func TestBadStats(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	write(t, db)
	for path, want := range map[string]string{
		"stats?by=id": "by: each has its own", "stats?by=timestamp": "by: each has its own", "stats?by=a,b,c,d,e,f": "by: at most 5", "stats?by=status": "by: did you mean response_status?",
		"stats?metrics=avg(service)": "metrics: service is not a number", "stats?metrics=median(n)": "metrics: is not a function", "stats?metrics=p101(n)": "metrics: is not a function", "stats?metrics=avg": "metrics: is not a figure",
		"stats?metrics=avg()": "metrics: lacks a field", "stats?metrics=" + strings.Repeat("avg(n),", 21): "metrics: at most 20", "stats?metrics=distinct(ip)": "metrics: cannot be had",
		"stats?step=0": "step: below 1ms", "stats?step=-1m": "step: not a duration", "stats?step=x": "step: not a duration", "stats?step=1ms": "step: more than 2000 points", "stats?limit=-1": "limit: not a number", "stats?limit=1001": "limit: not a number",
		"stats?start=now&end=now-1h": "start: not before end", "stats?offset=1": "offset: not a parameter", "stats?cursor=x": "cursor: not one of this list", "histogram?points=2001": "points: not a number", "histogram?by=a,b": "by: at most 1",
		"facets?fields=ip": "fields: each has its own", "facets?fields=" + strings.Repeat("a,", 21): "fields: at most 20", "facets?limit=1e3": "limit: not a number",
		"stats?q=" + strings.Repeat("x", 1<<20): "q: at most 131072", "facets?q=" + strings.Repeat("a+", 10000): "q: more than 2000 terms", "histogram?q=" + url.QueryEscape("/(a{1000}){1000}/"): "q: RE2",
	} {
		field, reason, _ := strings.Cut(want, ": ")
		require.Contains(t, refused(t, 400, field, "GET", base+"/api/logs/"+path, ""), reason, path[:min(len(path), 60)])
	}
	page := find(t, base, "limit=1")
	refused(t, 400, "cursor", "GET", base+"/api/logs/stats?cursor="+page.Next, "")
}

// TestWindowsAndBlocksAgree on a real MySQL: the same lines, counted from both, are the same; the answer says which.
func TestWindowsAndBlocksAgree(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	w := blocktest.New(db)
	type key struct {
		start   int64
		service string
		level   logrec.Level
	}
	lines := map[key]uint64{}
	var recs []logrec.Record
	for i := range 500 {
		r := logrec.Record{Timestamp: noon.Add(time.Duration(i*i) * 3 * time.Millisecond).UnixNano(), Observed: noon.UnixNano(), Level: logrec.Level(1 + i%6), Service: fmt.Sprintf("svc-%d", i%7), Message: "x", SrcRow: int32(i)}
		lines[key{r.Timestamp / 1e10 * 10, r.Service, r.Level}]++
		recs = append(recs, r)
	}
	blk, err := blocktest.Build(recs)
	require.NoError(t, err)
	_, err = w.Block(t.Context(), 0, 0, 0, blk)
	require.NoError(t, err)
	tx, err := db.Text.Begin()
	require.NoError(t, err)
	windows := map[int64][]counts.Row{}
	for k, n := range lines {
		windows[k.start] = append(windows[k.start], counts.Row{Service: k.service, Level: k.level, Lines: n})
	}
	for start, rows := range windows {
		counts.Sort(rows)
		_, err = tx.Exec(`INSERT INTO window_data VALUES (1, 0, ?, 0, ?, ?)`, start, counts.Lines(rows), counts.Encode(rows))
		require.NoError(t, err)
		_, err = tx.Exec(`INSERT INTO window_change VALUES (1, 0, ?, 1, NOW()) ON DUPLICATE KEY UPDATE through = 1`, start/60*60)
		require.NoError(t, err)
	}
	_, err = tx.Exec(`UPDATE partition_progress SET windows_through = 1`)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	for _, query := range []string{"stats?by=service", "stats?by=service,level&step=1m&q=" + url.QueryEscape("level:>=warn -service:svc-3"), "stats?step=2m&start=2026-11-01T12:00:30Z&end=2026-11-01T12:08:10Z", "histogram?by=level&step=1m", "facets?fields=level,service"} {
		blocks := ask(t, map[string]string{"s": "Stats", "h": "Histogram", "f": "Facets"}[query[:1]], base, "/api/logs/"+query+"&source=blocks")
		require.Equal(t, "blocks", blocks["source"])
		var windows map[string]any
		require.Eventually(t, func() bool { // the api looks for new windows now and then
			windows = ask(t, map[string]string{"s": "Stats", "h": "Histogram", "f": "Facets"}[query[:1]], base, "/api/logs/"+query+"&source=windows")
			return windows["source"] == "windows" && windows["total"] == blocks["total"]
		}, 20*time.Second, 50*time.Millisecond, query)
		for _, field := range []string{"groups", "points", "facets", "others"} {
			require.Equal(t, blocks[field], windows[field], query)
		}
	}
	require.Equal(t, "blocks", ask(t, "Stats", base, "/api/logs/stats?by=host&source=windows")["source"], "windows do not know hosts")
	refused(t, 400, "source", "GET", base+"/api/logs/stats?source=x", "")
}
