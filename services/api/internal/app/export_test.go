package app

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
)

// twoHosts stores n lines of one service on two hosts by turns, in blocks of size lines, the second of whose partitions has another service.
func twoHosts(t *testing.T, db *mysqlx.DB, n, size int) {
	t.Helper()
	w := blocktest.New(db)
	for from := 0; from < n; from += size {
		for part := range int32(2) {
			var recs []logrec.Record
			for i := from; i < from+size; i++ {
				r := logrec.Record{Timestamp: noon.Add(time.Duration(i/3) * time.Millisecond).UnixNano(), Observed: noon.UnixNano(), Level: logrec.LevelInfo, Service: fmt.Sprintf("svc-%d", part), Message: fmt.Sprintf("line %d", i),
					Host: fmt.Sprintf("h%d", i%2), SrcOffset: int64(from), SrcRow: int32(i - from)}
				if i%5 == 0 {
					r.Host = ""
				}
				recs = append(recs, r)
			}
			blk, err := blocktest.Build(recs)
			require.NoError(t, err)
			_, err = w.Block(t.Context(), part, int64(from), int64(from), blk)
			require.NoError(t, err)
		}
	}
}

func messages(list any) (out []string) {
	for _, l := range list.([]any) {
		out = append(out, l.(map[string]any)["message"].(string))
	}
	return out
}

// TestContext: lines of the same moment have their order too, and other hosts and services are left out.
func TestContext(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	twoHosts(t, db, 60, 10)
	id := find(t, base, "q="+url.QueryEscape(`"line 27" service:svc-1`)).Logs[0].ID
	got := ask(t, "Context", base, "/api/logs/context?before=3&after=4&id="+id)
	require.Equal(t, "line 27", got["line"].(map[string]any)["message"])
	require.Equal(t, []string{"line 21", "line 23"}, messages(got["before"])[1:], "odd lines have h1, each fifth has no host")
	require.Equal(t, []string{"line 19", "line 21", "line 23"}, messages(got["before"]))
	require.Equal(t, []string{"line 29", "line 31", "line 33", "line 37"}, messages(got["after"]))
	for _, l := range append(got["before"].([]any), got["after"].([]any)...) {
		require.Equal(t, "svc-1", l.(map[string]any)["service"])
	}
	id = find(t, base, "q="+url.QueryEscape(`"line 0" service:svc-0`)).Logs[0].ID
	got = ask(t, "Context", base, "/api/logs/context?after=2&id="+id)
	require.Empty(t, got["before"])
	require.Equal(t, []string{"line 5", "line 10"}, messages(got["after"]), "lines without a host")
	require.Equal(t, []string{"line 5"}, messages(ask(t, "Context", base, "/api/logs/context?before=0&after=1&id="+id)["after"]))

	for path, field := range map[string]string{"": "id", "id=x": "id", "id=1-1-1&before=501": "before", "id=1-1-1&after=-1": "after", "id=1-1-1&q=x": "q"} {
		refused(t, 400, field, "GET", base+"/api/logs/context?"+path, "")
	}
	refused(t, 404, "", "GET", base+"/api/logs/context?id=9-9-9", "")
}

func download(t *testing.T, url string) ([]byte, http.Header, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode, string(raw))
	return raw, resp.Header, resp.Trailer
}

// TestExport: all lines, each once, in order, whole or in parts, in each format.
func TestExport(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	const n = 26_000 // of each service: several pages
	twoHosts(t, db, n, 6500)
	query := base + "/api/logs/export?q=service:svc-0"

	raw, head, trailer := download(t, query)
	require.Equal(t, "application/x-ndjson", head.Get("Content-Type"))
	require.Equal(t, fmt.Sprint(n), trailer.Get("Logmill-Lines"))
	require.Empty(t, trailer.Get("Logmill-Next-Cursor"))
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	require.Len(t, lines, n)
	for i, l := range lines {
		var v map[string]any
		require.NoError(t, json.Unmarshal(l, &v))
		require.Equal(t, fmt.Sprintf("line %d", i), v["message"])
		if i == 11_111 {
			documented(t, base, "Log", v)
		}
	}

	var parts []byte
	cursor := ""
	for len(parts) < len(raw) {
		part, _, trailer := download(t, query+"&limit=9000&cursor="+cursor)
		parts, cursor = append(parts, part...), trailer.Get("Logmill-Next-Cursor")
	}
	require.Empty(t, cursor)
	require.True(t, bytes.Equal(raw, parts), "parts by cursor are the whole")

	var half map[string]any
	require.NoError(t, json.Unmarshal(lines[12_345], &half))
	rest, _, _ := download(t, query+"&after="+half["id"].(string))
	require.True(t, bytes.Equal(append(bytes.Join(lines[12_346:], []byte("\n")), '\n'), rest), "a download that broke goes on behind its last line")

	raw, _, _ = download(t, query+"&format=csv&order=desc&fields=message,host,nothing")
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, n+1)
	require.Equal(t, []string{fmt.Sprintf("line %d", n-1), "h1", ""}, rows[1])

	raw, head, _ = download(t, query+"&format=parquet")
	require.Equal(t, `attachment; filename="logs.parquet"`, head.Get("Content-Disposition"))
	type line struct {
		Message string `parquet:"message"`
	}
	got, err := parquet.Read[line](bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	require.Len(t, got, n)
	require.Equal(t, fmt.Sprintf("line %d", n-1), got[n-1].Message)
}

// TestAnExportThatFailsIsCutOff: the client must not take a part for the whole; a damaged block is told.
func TestAnExportThatFailsIsCutOff(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	twoHosts(t, db, 26_000, 6500)
	_, err := db.Blob.Exec(`UPDATE block_data SET data = CONCAT(LEFT(data, 1000), 'x', SUBSTRING(data, 1002)) WHERE block_id = (SELECT MAX(id) FROM block)`)
	require.NoError(t, err)
	_, _, trailer := download(t, base+"/api/logs/export")
	require.Contains(t, trailer.Get("Logmill-Partial-Reason"), "is left out")
	require.Equal(t, "45500", trailer.Get("Logmill-Lines"))

	resp, err := http.Get(base + "/api/logs/export")
	require.NoError(t, err)
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	_, err = in.ReadString('\n')
	require.NoError(t, err)
	_, err = db.Blob.Exec(`RENAME TABLE block_data TO block_gone`)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, in)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestBadExport(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	write(t, db)
	other := find(t, base, "limit=1", "q=line").Next
	for path, field := range map[string]string{"format=xls": "format", "fields=a": "fields", "format=csv&fields=ip": "fields", "format=csv&fields=status": "fields", "limit=-1": "limit", "limit=50000001": "limit", "order=up": "order", "cursor=x": "cursor",
		"cursor=" + other: "cursor", "after=1": "after", "after=1-1-1&cursor=" + other: "after", "start=now&end=now-1h": "start", "q=%28": "q", "offset=1": "offset"} {
		refused(t, 400, field, "GET", base+"/api/logs/export?"+path, "")
	}
	refused(t, 404, "", "GET", base+"/api/logs/export?after=9-9-9", "")
}
