package app

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// lines makes n lines of a partition, one message each, from an offset on.
func lines(part, offset, n int) (recs []logrec.Record) {
	for i := range n {
		recs = append(recs, logrec.Record{Timestamp: noon.Add(time.Duration(offset+i) * time.Second).UnixNano(), Observed: noon.UnixNano(), Level: logrec.LevelInfo,
			Service: fmt.Sprintf("svc-%d", part), Message: fmt.Sprintf("line number %d", offset+i), SrcOffset: int64(offset + i)})
	}
	return recs
}

// TestAQuerySeesWhatWasCommittedBeforeIt: new blocks at once, and each line once while blocks are merged and removed.
func TestAQuerySeesWhatWasCommittedBeforeIt(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	w := blocktest.New(db)
	count := func(query string) int {
		return find(t, base, "limit=0", "count=true", "q="+url.QueryEscape(query)).Total
	}
	require.Zero(t, count(""))
	var ids []uint64
	for i := range 10 {
		blk, err := blocktest.Build(lines(0, i*5, 5))
		require.NoError(t, err)
		id, err := w.Block(t.Context(), 0, int64(i*5), int64(i*5+4), blk)
		require.NoError(t, err)
		ids = append(ids, id)
		require.Equal(t, (i+1)*5, count("number"))
		require.Equal(t, 1, count(fmt.Sprintf("service:svc-0 %d", i*5+3)))
	}
	merged, err := blocktest.Build(lines(0, 0, 40))
	require.NoError(t, err)
	_, err = w.Replace(t.Context(), 0, ids[:8], 1, 0, 39, merged)
	require.NoError(t, err)
	require.Equal(t, 50, count("number"))
	_, err = w.Replace(t.Context(), 0, ids[8:], 0, 0, 0, block.Block{})
	require.NoError(t, err)
	require.Equal(t, 40, count("number"))
	_, err = db.Blob.Exec(`DELETE FROM block WHERE retired_seq IS NOT NULL`)
	require.NoError(t, err)
	_, err = db.Blob.Exec(`UPDATE partition_progress SET erased_seq = change_seq, change_seq = change_seq + 1`)
	require.NoError(t, err)
	require.Equal(t, 40, count("number"))
}

// TestQuery is q over HTTP: filters, hints, mistakes, explanations.
func TestQuery(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	write(t, db)
	for query, want := range map[string]int{"": 20, "line": 20, "line -service:svc-0": 10, `"line 3"`: 2, "level:>=warn 7": 1, "n:7 s:7": 20, "n:>=8": 0, "/Line [12] f/": 4, "trace_id:4bf92f35-77b3-4da6-a3ce-929d0e0e4736": 20, "id:1-0-3": 1} {
		require.Equal(t, want, find(t, base, "count=true", "q="+url.QueryEscape(query)).Total, query)
	}
	require.Equal(t, 1, find(t, base, "count=true", "q=failed", "service=svc-1", "level=error", "search=NE+4").Total, "parameters and q are joined")
	code, body := get(t, base+"/api/logs?explain=true&q="+url.QueryEscape("servce:a or service:svc-1"))
	require.Equal(t, 200, code)
	require.Contains(t, string(body), "did you mean service?")
	require.Contains(t, string(body), "did you mean OR?")
	require.Contains(t, string(body), `"query":"servce:a or service:svc-1"`)
	require.Contains(t, string(body), `"pruned":{"filter":1,"service":1}`)

	for query, reason := range map[string]string{
		`"a`: "at 1: this quote is never closed", "status:5": "did you mean response_status?", strings.Repeat("a ", 5000): "more than 2000 terms", strings.Repeat("x", 1<<20): "at most 131072 are read",
		"/(a{1000}){1000}/": "RE2", strings.Repeat("(", 100): "64 levels",
	} {
		code, body := get(t, base+"/api/logs?q="+url.QueryEscape(query))
		require.Equal(t, 400, code, reason)
		require.Contains(t, string(body), reason)
		require.Contains(t, string(body), `"field":"q"`)
	}
	page := find(t, base, "q=line", "limit=2")
	require.Len(t, find(t, base, "q=line", "cursor="+page.Next).Logs, 18)
	code, body = get(t, base+"/api/logs?q=other&cursor="+page.Next)
	require.Equal(t, 400, code)
	require.Contains(t, string(body), "belongs to another query")
}
