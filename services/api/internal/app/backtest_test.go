package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
)

// incident stores ten minutes of two partitions, a block a partition and ten seconds, as a processor does: a line a second of web, and from minute 4 to 6 errors.
func incident(t *testing.T, db *mysqlx.DB, begin time.Time, seen bool) {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	_, err = db.Text.Exec(`INSERT IGNORE INTO stream (id, cluster_id, topic, topic_id, partitions, created_at) VALUES (1, 'c', 't', 'i', 2, NOW())`)
	require.NoError(t, err)
	for p := range 2 {
		for n := range 60 {
			var recs []logrec.Record
			for i := range 10 {
				at := begin.Add(time.Duration(n*10+i) * time.Second)
				r := logrec.Record{Timestamp: at.UnixNano(), Observed: at.UnixNano(), Level: logrec.LevelInfo, Service: []string{"web", "db"}[p], Message: fmt.Sprintf("line %d of block %d", i, n), SrcOffset: int64(n), SrcRow: int32(i), HasResponseTime: true, ResponseTimeMS: 5}
				if seen {
					r.EvalTime = at.UnixNano()
				}
				if m := n / 6; p == 0 && m >= 4 && m < 6 {
					r.Level, r.Message = logrec.LevelError, r.Message+" broke"
				}
				recs = append(recs, r)
			}
			blk, err := b.Build(recs)
			require.NoError(t, err)
			res, err := db.Blob.Exec(`INSERT INTO block (stream_id, part, from_offset, to_offset, prev_to, row_count, byte_count, checksum, min_time_ns, max_time_ns, level_mask, services, watermark_ns, change_seq, created_at, day)
VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[]', ?, ?, NOW(), 7)`, p, n, n, n-1, blk.Meta.Rows, len(blk.Data), blk.Meta.Checksum, blk.Meta.MinTime, blk.Meta.MaxTime, blk.Meta.LevelMask, begin.Add(time.Duration(n*10+9)*time.Second).UnixNano(), n)
			require.NoError(t, err)
			id, err := res.LastInsertId()
			require.NoError(t, err)
			_, err = db.Blob.Exec(`INSERT INTO block_data (block_id, day, data) VALUES (?, 7, ?)`, id, blk.Data)
			require.NoError(t, err)
		}
		_, err = db.Text.Exec(`INSERT INTO partition_progress (stream_id, part, epoch, owner, next_offset, watermark_ns, updated_at) VALUES (1, ?, 1, 'x', 60, ?, NOW())`, p, begin.Add(10*time.Minute).UnixNano())
		require.NoError(t, err)
	}
}

const incidentRule = `{"name":"errors","condition":"COUNT(CASE WHEN level = 'error' THEN 1 END)","filter":"service = 'web'","threshold":30,"time_window":1}`

func TestBacktest(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	begin := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Minute)
	incident(t, db, begin, true)
	span := fmt.Sprintf("?start=%d&end=%d", begin.Unix(), begin.Add(20*time.Minute).Unix())
	code, _, got := call(t, "POST", url+"/api/alert-rules/backtest"+span, incidentRule)
	require.Equal(t, 200, code, got)
	documented(t, url, "Backtest", got)
	require.Equal(t, []any{1200.0, 120.0, false}, []any{got["rows"], got["blocks"], got["partial"]})
	require.Equal(t, begin.Add(10*time.Minute).Format(time.RFC3339), got["covered_until"], "what is not stored yet is not absent")
	require.Len(t, got["alerts"], 1)
	require.Nil(t, got["values"], "not asked for")
	a := got["alerts"].([]any)[0].(map[string]any)
	require.Equal(t, []any{begin.Add(4*time.Minute + 29*time.Second).Format(time.RFC3339), begin.Add(6*time.Minute + 30*time.Second).Format(time.RFC3339), 30.0, 60.0}, []any{a["starts_at"], a["ends_at"], a["value"], a["peak"]})
	evidence := a["evidence"].([]any)
	require.Len(t, evidence, 5)
	require.Equal(t, []any{"line 0 of block 24 broke", "0-24-0", "error", "web"}, []any{evidence[0].(map[string]any)["message"], evidence[0].(map[string]any)["log_id"], evidence[0].(map[string]any)["level"], evidence[0].(map[string]any)["service"]})
	require.Equal(t, "line 9 of block 26 broke", evidence[4].(map[string]any)["message"])

	code, _, pictured := call(t, "POST", url+"/api/alert-rules/backtest"+span+"&step=1m", incidentRule)
	require.Equal(t, 200, code, pictured)
	documented(t, url, "Backtest", pictured)
	values := pictured["values"].(map[string]any)
	require.Equal(t, []any{begin.Format(time.RFC3339), 60.0, 1.0}, []any{values["start"], values["step_s"], values["groups_total"]})
	require.Equal(t, []any{0.0, 0.0, 0.0, 0.0, 60.0, 60.0, 59.0, 0.0, 0.0, 0.0}, values["groups"].([]any)[0].(map[string]any)["values"], "the greatest of each minute up to covered_until")

	code, h, made := call(t, "POST", url+"/api/alert-rules", incidentRule)
	require.Equal(t, 201, code, made)
	code, _, again := call(t, "POST", url+h.Get("Location")+"/backtest"+span, "")
	require.Equal(t, 200, code, again)
	require.Len(t, again["alerts"], 1, "a stored rule")

	code, _, v := call(t, "POST", url+"/api/alert-rules/validate", incidentRule)
	require.Equal(t, 200, code)
	documented(t, url, "Validation", v)
	e := v["estimate"].(map[string]any)
	require.Equal(t, []any{1.0, 1200.0}, []any{e["alerts"], e["lines"]})
	code, _, v = call(t, "POST", url+"/api/alert-rules/validate?estimate=false", incidentRule)
	require.Equal(t, 200, code)
	require.Nil(t, v["estimate"])
	for _, bad := range []string{"start=2&end=1", "by=now", "wait=2h", "step=1s", "step=x", "start=soon", "from=1"} {
		code, _, _ = call(t, "POST", url+"/api/alert-rules/backtest?"+bad, incidentRule)
		require.Equal(t, 400, code, bad)
	}
}

// TestBacktestOfClocksThatAreOff: whether a block has lines of the range is a matter of when rules saw them, not of what senders' clocks said.
func TestBacktestOfClocksThatAreOff(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	begin := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Minute)
	incident(t, db, begin, true)
	_, err := db.Text.Exec(`UPDATE block SET min_time_ns = min_time_ns + 3600000000000, max_time_ns = max_time_ns + 3600000000000`) // an hour ahead
	require.NoError(t, err)
	_, err = db.Text.Exec(`UPDATE block SET retired_seq = 99, retired_at = NOW() WHERE part = 1 AND from_offset > 50`)
	require.NoError(t, err)
	code, _, got := call(t, "POST", fmt.Sprintf("%s/api/alert-rules/backtest?start=%d&end=%d", url, begin.Add(3*time.Minute).Unix(), begin.Add(8*time.Minute).Unix()), incidentRule)
	require.Equal(t, 200, code, got)
	require.Len(t, got["alerts"], 1)
	require.Less(t, got["blocks"], 80.0, "not all that is stored")
}

func TestBacktestOfAnImport(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	begin := time.Now().UTC().Add(-20 * 24 * time.Hour).Truncate(time.Minute)
	incident(t, db, begin, false)
	span := fmt.Sprintf("?start=%d&end=now", begin.Unix())
	code, _, got := call(t, "POST", url+"/api/alert-rules/backtest"+span, incidentRule)
	require.Equal(t, 200, code, got)
	require.Empty(t, got["alerts"], "no rule ever saw it")
	code, _, got = call(t, "POST", url+"/api/alert-rules/backtest"+span+"&by=timestamp", incidentRule)
	require.Equal(t, 200, code, got)
	require.Len(t, got["alerts"], 1)
	require.Equal(t, begin.Add(4*time.Minute+29*time.Second).Format(time.RFC3339), got["alerts"].([]any)[0].(map[string]any)["starts_at"])
}

func TestBacktestAsAJob(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	begin := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Minute)
	incident(t, db, begin, true)
	code, h, got := call(t, "POST", fmt.Sprintf("%s/api/alert-rules/backtest?wait=0s&start=%d", url, begin.Unix()), incidentRule)
	require.Equal(t, 202, code, got)
	documented(t, url, "BacktestJob", got)
	require.Equal(t, "/api/backtests/"+got["id"].(string), h.Get("Location"))
	require.Eventually(t, func() bool {
		code, _, got = call(t, "GET", url+h.Get("Location"), "")
		return code == 200 && got["state"] == "done"
	}, 20*time.Second, 20*time.Millisecond)
	documented(t, url, "BacktestJob", got)
	require.Equal(t, []any{1.0, 1200.0, 1200.0, 1.0}, []any{got["progress"].(map[string]any)["fraction"], got["progress"].(map[string]any)["rows"], got["progress"].(map[string]any)["rows_total"], got["progress"].(map[string]any)["alerts"]})
	require.Len(t, got["result"].(map[string]any)["alerts"], 1)
	code, _, _ = call(t, "DELETE", url+h.Get("Location"), "")
	require.Equal(t, 204, code)
	code, _, _ = call(t, "GET", url+h.Get("Location"), "")
	require.Equal(t, 404, code)
}

func TestBacktestTellsOfItsProgress(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	begin := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Minute)
	incident(t, db, begin, true)
	req, err := http.NewRequestWithContext(t.Context(), "POST", fmt.Sprintf("%s/api/alert-rules/backtest?start=%d", url, begin.Unix()), strings.NewReader(incidentRule))
	require.NoError(t, err)
	req.Header.Set("Accept", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, "application/x-ndjson", resp.Header.Get("Content-Type"))
	var last map[string]any
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		require.Nil(t, last["result"], "the result is the last line")
		last = nil
		require.NoError(t, json.Unmarshal(lines.Bytes(), &last))
	}
	require.NoError(t, lines.Err())
	require.Equal(t, "done", last["state"])
	require.Len(t, last["result"].(map[string]any)["alerts"], 1)
}

// TestBacktestEndsWithItsClient: while a lock holds the run up, the client goes; nothing runs on.
func TestBacktestEndsWithItsClient(t *testing.T) {
	t.Parallel()
	url, db := api(t)
	incident(t, db, time.Now().UTC().Add(-2*time.Hour), true)
	conn, err := db.Text.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), `LOCK TABLES block WRITE`)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/api/alert-rules/backtest", strings.NewReader(incidentRule))
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req)
		done <- err
	}()
	running := func(n int) func() bool {
		return func() bool {
			_, body := get(t, url+"/metrics")
			return strings.Contains(string(body), fmt.Sprintf("logmill_api_backtests{state=\"running\"} %d\n", n))
		}
	}
	require.Eventually(t, running(1), 20*time.Second, 20*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, running(0), 20*time.Second, 20*time.Millisecond, "it does not wait for the lock")
	_, err = conn.ExecContext(context.Background(), `UNLOCK TABLES`)
	require.NoError(t, err)
}
