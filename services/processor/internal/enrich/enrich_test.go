package enrich

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/logrec"
)

func enriched(t *testing.T, message string) logrec.Record {
	t.Helper()
	rec := logrec.Record{Service: "s", Message: message}
	New(Config{Env: "dev"}).Record(&rec, received)
	require.Equal(t, message, rec.Message, "a message is never changed")
	return rec
}

func TestCombinedAccessLog(t *testing.T) {
	t.Parallel()
	rec := enriched(t, `203.0.113.9 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=\"c HTTP/1.0" 503 2326 "http://e.example/" "Mozilla/4.08 [en]"`)
	require.Equal(t, logrec.Record{
		Timestamp: ns(t, "2000-10-10T20:55:36Z"), Level: logrec.LevelError, Service: "s", Message: rec.Message, UserID: "frank", Env: "dev",
		RequestMethod: "GET", RequestPath: `/a?b=\"c`, ResponseStatus: 503,
		Attributes: []logrec.Attr{{Key: "client_ip", Value: "203.0.113.9"}, {Key: "bytes", Value: "2326", Kind: logrec.JSON},
			{Key: "referer", Value: "http://e.example/"}, {Key: "user_agent", Value: "Mozilla/4.08 [en]"}},
	}, rec)
}

func TestCommonAccessLogOfAScanner(t *testing.T) {
	t.Parallel()
	rec := enriched(t, `203.0.113.9 - - [10/Oct/2000:13:55:36 +0000] "\x16\x03\x01" 400 -`)
	require.Equal(t, logrec.LevelWarn, rec.Level)
	require.EqualValues(t, 400, rec.ResponseStatus)
	require.Empty(t, rec.RequestMethod+rec.RequestPath+rec.UserID)
	require.Equal(t, []logrec.Attr{{Key: "client_ip", Value: "203.0.113.9"}}, rec.Attributes)
}

func TestLogfmt(t *testing.T) {
	t.Parallel()
	rec := enriched(t, `ts=2026-02-03T04:05:06Z level=warn msg="slow \"query\"" took=12.5ms status=504 user_id=u1 retries=3 tag=007 ok=true`)
	require.Equal(t, ns(t, "2026-02-03T04:05:06Z"), rec.Timestamp)
	require.Equal(t, logrec.LevelWarn, rec.Level)
	require.Equal(t, "u1", rec.UserID)
	require.EqualValues(t, 504, rec.ResponseStatus)
	require.True(t, rec.HasResponseTime)
	require.InDelta(t, 12.5, rec.ResponseTimeMS, 1e-9)
	require.Equal(t, []logrec.Attr{{Key: "retries", Value: "3", Kind: logrec.JSON}, {Key: "tag", Value: "007"}, {Key: "ok", Value: "true", Kind: logrec.JSON}}, rec.Attributes)
}

func TestProseWithPairsIsNotLogfmt(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"x=1 went wrong", "uid=0 failed", "logname= uid=0 euid=0 then prose", "a=1"} {
		require.Empty(t, enriched(t, s).Attributes, s)
	}
}

func TestJSONInMessage(t *testing.T) {
	t.Parallel()
	rec := enriched(t, `{"level":"error","msg":"boom","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","attempt":2,"host":"web-1"}`)
	require.Equal(t, logrec.LevelError, rec.Level)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", rec.TraceID)
	require.Equal(t, "web-1", rec.Host)
	require.Equal(t, []logrec.Attr{{Key: "attempt", Value: "2", Kind: logrec.JSON}}, rec.Attributes)
}

func TestBrokenJSONIsText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{`{"level":"error"`, `{level}`, `{{{{`, `{"a":}`} {
		rec := enriched(t, s)
		require.Equal(t, logrec.LevelInfo, rec.Level, s)
		require.Equal(t, received, rec.Timestamp, s)
	}
}

func TestWhatTheSenderSaidStays(t *testing.T) {
	t.Parallel()
	sent := logrec.Record{Service: "s", Timestamp: 7, Level: logrec.LevelDebug, Host: "h", UserID: "me", ResponseStatus: 200, Env: "prod", Team: "t",
		Attributes: []logrec.Attr{{Key: "attempt", Value: "1"}}}
	for _, message := range []string{`{"level":"error","time":"2020-01-01T00:00:00Z","user_id":"you","status":500,"host":"x","env":"y","team":"z","attempt":2}`,
		`level=error time=2020-01-01T00:00:00Z user_id=you status=500 host=x env=y team=z attempt=2`, `2020-01-01 00:00:00 ERROR x`} {
		rec := sent
		rec.Message = message
		want := rec
		New(Config{Env: "dev"}).Record(&rec, received)
		require.Equal(t, want, rec)
	}
}

// TestAttributesOfNeighboursStay: batches keep the attributes of all records in one array.
func TestAttributesOfNeighboursStay(t *testing.T) {
	t.Parallel()
	shared := []logrec.Attr{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}
	rec := logrec.Record{Message: "x=1 y=2", Attributes: shared[:1]}
	New(Config{}).Record(&rec, received)
	require.Len(t, rec.Attributes, 3)
	require.Equal(t, logrec.Attr{Key: "b", Value: "2"}, shared[1])
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	c, err := catalogue.Parse([]byte("services:\n  search-api: {team: core}\n  'search-*': {team: discovery, env: prod}\n  '*': {team: everyone}\n"))
	require.NoError(t, err)
	e := New(Config{Env: "dev", Catalogue: c})
	for service, env := range map[string]string{"search-index": "prod", "search-api": "dev"} {
		rec := logrec.Record{Service: service, Message: "hello"}
		e.Record(&rec, received)
		require.Equal(t, env, rec.Env)
	}
}

func TestLeveledRecordCostsNoAllocation(t *testing.T) {
	e := New(Config{Env: "dev"})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		rec := logrec.Record{Service: "s", Level: logrec.LevelInfo, Timestamp: 1, Message: "GET /index took long"}
		e.Record(&rec, received)
	}))
}
