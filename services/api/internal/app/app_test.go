package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// api runs an api on a database with one block of each partition and a few windows, as a processor would have written them.
func api(t *testing.T) (base string, db *mysqlx.DB) {
	t.Helper()
	return apiOn(t, testkit.Kafka(t))
}

func apiOn(t *testing.T, kafka config.Kafka) (base string, db *mysqlx.DB) {
	t.Helper()
	my := testkit.MySQL(t)
	db = testkit.DB(t, my)
	cfg := Config{MySQL: my, Kafka: kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxRows: 1e6, MaxBytes: 1e9, MaxTime: 10 * time.Second, MemoryMB: minMemoryMB}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, cfg, zerolog.Nop())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	base = "http://" + a.Addr()
	require.Eventually(t, func() bool { code, _ := get(t, base+"/readyz"); return code == 200 }, 20*time.Second, 50*time.Millisecond)
	return base, db
}

func get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, b
}

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// write stores a block of ten lines a partition, and their windows.
func write(t *testing.T, db *mysqlx.DB) {
	t.Helper()
	w := blocktest.New(db)
	must := func(query string, args ...any) {
		_, err := db.Blob.Exec(query, args...)
		require.NoError(t, err)
	}
	for p := range 2 {
		var recs []logrec.Record
		for i := range 10 {
			recs = append(recs, logrec.Record{Timestamp: noon.Add(time.Duration(10*i+p) * time.Second).UnixNano(), Observed: noon.UnixNano(), Level: logrec.LevelInfo + logrec.Level(p*2), Service: fmt.Sprintf("svc-%d", p),
				Message: fmt.Sprintf("Line %d failed", i), TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SrcRow: int32(i), HasResponseTime: true, ResponseTimeMS: 5,
				Attributes: []logrec.Attr{{Key: "n", Value: "7", Kind: logrec.JSON}, {Key: "s", Value: "7"}}})
		}
		blk, err := blocktest.Build(recs)
		require.NoError(t, err)
		_, err = w.Block(t.Context(), int32(p), 0, 0, blk)
		require.NoError(t, err)
		value := counts.Encode([]counts.Row{{Service: fmt.Sprintf("svc-%d", p), Level: logrec.Level(3 + 2*p), Lines: 10, Bytes: 100, Status: [5]uint64{0, 9, 0, 0, 1}}})
		must(`INSERT INTO window_data VALUES (1, ?, ?, 0, 10, ?)`, p, noon.Unix(), value)
	}
	text := func(at time.Time, texts ...string) {
		var rows []counts.Text
		for _, m := range texts {
			rows = append(rows, counts.Text{Service: "svc-1", Message: m, Lines: 10})
		}
		must(`INSERT INTO error_data VALUES (1, 1, ?, 0, 10, ?)`, at.Unix(), counts.EncodeTexts(rows))
	}
	text(noon, "(other)", "Line # failed")
	text(noon.Add(-5*time.Minute), "Disk full")
	text(noon.Add(-30*time.Minute), "Line # failed")
	must(`INSERT INTO window_data VALUES (1, 1, ?, 0, 10, ?)`, noon.Add(-30*time.Minute).Unix(), counts.Encode([]counts.Row{{Service: "svc-1", Level: logrec.LevelError, Lines: 10}}))
}

type logs struct {
	Logs []struct {
		ID         string         `json:"id"`
		Message    string         `json:"message"`
		Attributes map[string]any `json:"attributes"`
	} `json:"logs"`
	Next    string `json:"next_cursor"`
	Total   int    `json:"total"`
	Partial bool   `json:"partial"`
}

func find(t *testing.T, base string, params ...string) logs {
	t.Helper()
	code, body := get(t, base+"/api/logs?"+strings.Join(params, "&"))
	require.Equal(t, 200, code, string(body))
	var out logs
	require.NoError(t, json.Unmarshal(body, &out))
	return out
}

func TestAPI(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	require.Empty(t, find(t, base).Logs, "an empty store answers, with nothing")
	write(t, db)

	t.Run("search", func(t *testing.T) {
		all := find(t, base)
		require.Len(t, all.Logs, 20)
		require.Equal(t, "1-0-9", all.Logs[0].ID, "newest first")
		require.Equal(t, map[string]any{"n": 7.0, "s": "7"}, all.Logs[0].Attributes, "a number stays a number, a text a text")
		require.Equal(t, 2, find(t, base, "search=LINE%203", "count=true").Total)
		require.Equal(t, logs{Logs: find(t, base, "service=none").Logs, Total: 20}, find(t, base, "limit=0", "count=true"), "a count alone")
		require.Len(t, find(t, base, "level=%3E%3Dwarn").Logs, 10)
		require.Len(t, find(t, base, "service=svc-0,svc-9").Logs, 10)
		require.Len(t, find(t, base, "trace_id=4BF92F3577B34DA6A3CE929D0E0E4736", "limit=3").Logs, 3)
		require.Len(t, find(t, base, "start="+fmt.Sprint(noon.Unix()+50), "end="+url.QueryEscape(noon.Add(time.Minute).Format(time.RFC3339))).Logs, 2)
	})
	t.Run("pages", func(t *testing.T) {
		seen := map[string]bool{}
		cursor := ""
		for range 10 {
			page := find(t, base, "limit=3", "order=asc", "cursor="+cursor)
			for _, l := range page.Logs {
				require.False(t, seen[l.ID], "twice: "+l.ID)
				seen[l.ID] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Len(t, seen, 20)
	})
	t.Run("trace", func(t *testing.T) {
		code, body := get(t, base+"/api/logs/trace/4bf92f3577b34da6a3ce929d0e0e4736")
		require.Equal(t, 200, code)
		var out logs
		require.NoError(t, json.Unmarshal(body, &out))
		require.Len(t, out.Logs, 20)
		require.Equal(t, "0-0-0", out.Logs[0].ID, "oldest first")
	})
	t.Run("metrics", func(t *testing.T) {
		code, body := get(t, fmt.Sprintf("%s/api/metrics?start=%d&end=%d", base, noon.Unix(), noon.Unix()+120))
		require.Equal(t, 200, code)
		var m struct {
			Total     int     `json:"total_logs"`
			ErrorRate float64 `json:"error_rate"`
			TopErrors []any   `json:"top_errors"`
		}
		require.NoError(t, json.Unmarshal(body, &m))
		require.Equal(t, 20, m.Total)
		require.InDelta(t, 50, m.ErrorRate, 0.01)
		require.Len(t, m.TopErrors, 2)
		require.Contains(t, string(body), `"partial":false`)
		require.NotContains(t, string(body), "windows_from")
		require.Contains(t, string(body), `"total":20,"errors":10,"requests":20,"by_level":{"error":10,"info":10},"by_status_class":{"2xx":18,"5xx":2},`)
	})
	t.Run("metrics tell error texts that are new", func(t *testing.T) {
		news := func(from int64) (out struct {
			From   time.Time
			Known  int
			Errors []struct {
				Message, Service string
				Count            int
			}
		}) {
			_, body := get(t, fmt.Sprintf("%s/api/metrics?start=%d&end=%d&new_from=%d", base, noon.Unix(), noon.Unix()+120, from))
			var m map[string]any
			require.NoError(t, json.Unmarshal(body, &m))
			documented(t, base, "Metrics", m)
			require.NoError(t, json.Unmarshal(body, &struct {
				New any `json:"new_errors"`
			}{&out}))
			return out
		}
		got := news(noon.Unix() - 120)
		require.Zero(t, got.Known, "nothing was before")
		require.Len(t, got.Errors, 1, "what stands for many is not new")
		got = news(noon.Unix() - 600)
		require.Equal(t, 1, got.Known)
		require.Equal(t, "Line # failed", got.Errors[0].Message)
		require.Equal(t, noon.Unix()-600, got.From.Unix())
		got = news(noon.Unix() - 3600)
		require.Equal(t, 2, got.Known)
		require.Empty(t, got.Errors)
		code, body := get(t, fmt.Sprintf("%s/api/metrics?start=%d&new_from=%d", base, noon.Unix(), noon.Unix()))
		require.Equal(t, 400, code)
		require.Contains(t, string(body), `"field":"new_from"`)
	})
	t.Run("metrics say from when on counts are kept", func(t *testing.T) {
		_, err := db.Text.Exec(`UPDATE partition_progress SET windows_from_s = ?, hours_from_s = ?`, noon.Unix()-3600, noon.Unix()-3600)
		require.NoError(t, err)
		_, body := get(t, fmt.Sprintf("%s/api/metrics?start=%d&end=%d", base, noon.Unix(), noon.Unix()+120))
		require.Contains(t, string(body), `"partial":false`)
		_, body = get(t, fmt.Sprintf("%s/api/metrics?start=%d&end=%d&step=1h", base, noon.Unix()-7200, noon.Unix()+120))
		require.Contains(t, string(body), `"windows_from":"`+noon.Add(-time.Hour).UTC().Format(time.RFC3339)+`","partial":true,"partial_reason":"counts from before`)
	})
	t.Run("mistakes are named", func(t *testing.T) {
		for query, field := range map[string]string{"level=loud": "level", "limit=-1": "limit", "limit=1001": "limit", "start=soon": "start", "cursor=x": "cursor", "order=up": "order", "serivce=a": "serivce",
			"start=2&end=1": "start", "offset=10001": "offset", "count=maybe": "count"} {
			code, body := get(t, base+"/api/logs?"+query)
			require.Equal(t, 400, code, query)
			require.Contains(t, string(body), `"field":"`+field+`"`, query)
		}
		code, _ := get(t, base+"/api/metrics?step=7s")
		require.Equal(t, 400, code)
		code, _ = get(t, base+"/api/nothing")
		require.Equal(t, 404, code)
	})
	t.Run("health", func(t *testing.T) {
		code, body := get(t, base+"/api/health")
		require.Equal(t, 200, code, string(body))
		require.Contains(t, string(body), fmt.Sprintf(`"schema_version":%d`, migrations.Version()))
	})
	t.Run("answers are as documented", func(t *testing.T) { answersAsDocumented(t, base) })
	t.Run("a damaged block", func(t *testing.T) {
		blk, err := blocktest.Build([]logrec.Record{{Timestamp: noon.UnixNano(), Service: "svc-0", Level: logrec.LevelInfo, Message: "lost"}})
		require.NoError(t, err)
		blk.Data[len(blk.Data)/2] ^= 1
		id, err := blocktest.New(db).Block(t.Context(), 0, 1, 1, blk)
		require.NoError(t, err)
		out := find(t, base)
		require.True(t, out.Partial)
		require.Len(t, out.Logs, 20)
		_, err = db.Text.Exec(`UPDATE block SET damaged_at = UTC_TIMESTAMP(6) WHERE id = ?`, id) // as the processor's scrubbing does
		require.NoError(t, err)
		_, body := get(t, base+"/api/health")
		require.Contains(t, string(body), fmt.Sprintf("1 stored blocks are damaged and left out of answers: block %d (partition 0, offsets 1 to 1)", id))
		require.Contains(t, string(body), `"status":"degraded"`)
	})
}

// answersAsDocumented validates real answers against the schemas of the OpenAPI document.
func answersAsDocumented(t *testing.T, base string) {
	_, doc := get(t, base+"/api/openapi.json")
	parsed, err := jsonschema.UnmarshalJSON(strings.NewReader(string(doc)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mem://openapi.json", parsed))
	for path, schema := range map[string]string{"/api/logs?count=true&explain=true&q=servce:a": "Logs", "/api/logs/trace/x": "Logs", fmt.Sprintf("/api/metrics?start=%d&end=%d", noon.Unix(), noon.Unix()+60): "Metrics",
		"/api/services": "Services", fmt.Sprintf("/api/services?start=%d&end=%d", noon.Unix(), noon.Unix()+60): "Services", "/api/health": "Health", "/api/storage": "Storage", "/api/pipeline": "Pipeline", "/api/dead-letters": "DeadLetters", "/api/logs?limit=x": "Problem"} {
		s, err := c.Compile("mem://openapi.json#/components/schemas/" + schema)
		require.NoError(t, err)
		_, body := get(t, base+path)
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
		require.NoError(t, err)
		require.NoError(t, s.Validate(v), path)
	}
}

func TestAnotherSchemaVersionIsRefused(t *testing.T) {
	t.Parallel()
	cfg := Config{MySQL: testkit.EmptyMySQL(t), Kafka: config.Kafka{Brokers: []string{"127.0.0.1:1"}, Partitions: 3}, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxTime: time.Second}
	a, err := New(context.Background(), cfg, zerolog.Nop())
	require.NoError(t, err)
	err = a.Run(context.Background())
	require.ErrorIs(t, err, mysqlx.ErrSchema)
	require.ErrorContains(t, err, "make migrate")
}
