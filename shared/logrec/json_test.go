package logrec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func parse(t testing.TB, text string) Record {
	t.Helper()
	var p Parser
	var r Record
	require.NoError(t, p.ParseObject([]byte(text), &r))
	return r
}

func TestNamesThatPeopleSend(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"@timestamp":"2023-11-14T22:13:20.5Z","severity":"WARNING","service.name":"cart","msg":"hi","traceId":"4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
	 "userId":42,"http":{"request":{"method":"GET"},"status_code":404},"url.path":"/c","latency_ms":"12.5","host":{"name":"h1"},"zone":"b","n":1e3,"none":null,"deep":{"a":[1,{"b":null}]}}`)
	r.Attributes = nil
	require.Equal(t, Record{Timestamp: 1700000000500000000, Level: LevelWarn, Service: "cart", Message: "hi", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", UserID: "42",
		RequestMethod: "GET", RequestPath: "/c", ResponseStatus: 404, ResponseTimeMS: 12.5, HasResponseTime: true, Host: "h1"}, r)
}

func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	require.Equal(t, []Attr{{"date", "next friday", String}}, parse(t, `{"date":"next friday","service":""}`).Attributes)
	r := parse(t, `{"message":"first","msg":"second","level":"special","status":"ok","path":"C:\\x","duration":5}`)
	require.Equal(t, "first", r.Message)
	require.Equal(t, []Attr{{"msg", "second", String}, {"level", "special", String}, {"status", "ok", String}, {"path", `C:\x`, String}, {"duration", "5", JSON}}, r.Attributes)
}

func TestBodies(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"msg":"a"}`: "1:a",
		"\n{\"msg\":\"a\"}\r\n\n{\"msg\":\"b\"}\n":   "2:a 4:b",
		"{\n\"msg\":\n\"a\"}{\"msg\":\"b\"}":         "1:a 3:b",
		`[{"msg":"a"}, 7, {"time":"x"},{"msg":"b"}]`: "1:a 2:! 3:! 4:b",
		"{\"msg\":\"a\"}\nnonsense\n{\"msg\":\"b\"":  "1:a 2:! 3:!",
		"{\"msg\":\"a\"\n{\"msg\":\"b\"}":            "1:! 2:b",
		`[{"msg":"a"},{"msg"`:                        "1:a E",
		`[] x`:                                       "E",
		``:                                           "",
		"[{\"msg\":\"a\"}":                           "1:a E",
		"{\"msg\":\"" + strings.Repeat("x", 2<<20) + "\"}\n{\"msg\":\"b\"}": "1:! 2:b",
	} {
		var p Parser
		var got []string
		err := p.ParseBody([]byte(body), func(line int, rec *Record, err error) bool {
			switch {
			case err != nil:
				got = append(got, fmt.Sprintf("%d:!", line))
			default:
				got = append(got, fmt.Sprintf("%d:%s", line, rec.Message))
			}
			return true
		})
		if err != nil {
			require.ErrorIs(t, err, ErrBody)
			got = append(got, "E")
		}
		require.Equal(t, want, strings.Join(got, " "), "%.60q", body)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	r := Record{Message: strings.Repeat("ü", MaxMessageBytes), Service: "a\xffb"}
	require.NoError(t, Validate(&r))
	require.True(t, len(r.Message) <= MaxMessageBytes && utf8.ValidString(r.Message))
	require.Equal(t, "a\uFFFDb", r.Service)
	require.Equal(t, TruncatedAttribute, r.Attributes[0].Key)
	for field, bad := range map[string]Record{
		"service": {Service: strings.Repeat("s", 201)}, "trace_id": {TraceID: strings.Repeat("t", 129)}, "request_path": {RequestPath: strings.Repeat("/", 9000)},
		"attributes": {Attributes: make([]Attr, 257)}, "k": {Attributes: []Attr{{Key: "k", Value: strings.Repeat("v", 70000)}}},
	} {
		var fe *FieldError
		require.ErrorAs(t, Validate(&bad), &fe)
		require.Equal(t, field, fe.Field)
	}
	large := Record{Message: "m"}
	for i := range 20 {
		large.Attributes = append(large.Attributes, Attr{Key: fmt.Sprint(i), Value: strings.Repeat("v", 60000)})
	}
	require.ErrorContains(t, Validate(&large), "at most 1048576")
	empty := Record{}
	require.NoError(t, Validate(&empty))
	require.Equal(t, UnknownService, empty.Service)
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Level{"WARN": LevelWarn, "Warning": LevelWarn, " err ": LevelError, "E": LevelError, "30": LevelInfo, "notice": LevelInfo, "CRITICAL": LevelFatal} {
		got, ok := ParseLevel(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", "loud", "31", strings.Repeat("x", 99)} {
		_, ok := ParseLevel(bad)
		require.False(t, ok, bad)
	}
	for _, l := range Levels {
		again, ok := ParseLevel(l.String())
		require.True(t, ok)
		require.Equal(t, l, again)
		require.Equal(t, l, LevelOfSeverity(l.Severity()))
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"2023-11-14T22:13:20Z": 1700000000e9, "2023-11-14 22:13:20,123": 1700000000123e6, "2023-11-14t22:13:20.000000001+00:00": 1700000000000000001, "2023-11-15T00:13:20+0200": 1700000000e9,
		"1700000000": 1700000000e9, "1700000000.5": 17000000005e8, "1700000000123": 1700000000123e6, "1700000000123456": 1700000000123456e3, "1700000000123456789": 1700000000123456789,
		"Tue, 14 Nov 2023 22:13:20 GMT": 1700000000e9, "14/Nov/2023:22:13:20 +0000": 1700000000e9, "2024-02-29T00:00:00Z": 1709164800e9,
	} {
		got, ok := ParseTime(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", "x", "2023-02-29T00:00:00Z", "2023-13-01T00:00:00Z", "1969-12-31T23:59:59Z", "2263-01-01T00:00:00Z", "2023-11-14T22:13:20Zx", "2023-11-14T22:13:20+", "99999999999", "-5"} {
		_, ok := ParseTime(bad)
		require.False(t, ok, bad)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for text, id := range map[string]ID{"3-10-0": {1, 3, 10, 0}, "2.0-0-7": {2, 0, 0, 7}} {
		require.Equal(t, text, id.String())
		got, err := ParseID(text)
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
	for _, bad := range []string{"", "1-2", "1-2-3-4", "01-2-3", "1.1-2-3", "x-1-2", "1-2-99999999999"} {
		_, err := ParseID(bad)
		require.Error(t, err, bad)
	}
}

// FuzzParseObject holds the parser against encoding/json: what one takes as an object, so does the other.
func FuzzParseObject(f *testing.F) {
	for _, s := range []string{`{"msg":"a\u00e9\ud83d\ude00","n":-1.5e3,"o":{"a":[true,null]}}`, `{"a":01}`, `{"a":"\x"}`, `{"http":{"a":{"b":1}}}`, "{\"a\":\"\x01\"}", `{"a":1,}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var p Parser
		var r Record
		err := p.ParseObject(line, &r)
		var field *FieldError
		ours := err == nil || errors.As(err, &field)
		var object map[string]json.RawMessage
		theirs := json.Unmarshal(line, &object) == nil && object != nil
		if deep(line) {
			return // we stop at MaxDepth
		}
		require.Equal(t, theirs, ours, "%q: %v", line, err)
		if err == nil {
			_ = Validate(&r) // must not panic
		}
	})
}

// deep tells whether the text may nest deeper than we go.
func deep(line []byte) bool {
	n := 0
	for _, c := range line {
		if c == '{' || c == '[' {
			n++
		}
	}
	return n >= MaxDepth
}

func FuzzParseBody(f *testing.F) {
	f.Add([]byte("{\"msg\":\"a\"}\nx\n[{}]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p Parser
		last := 0
		_ = p.ParseBody(body, func(line int, rec *Record, err error) bool {
			require.GreaterOrEqual(t, line, last)
			require.True(t, (rec == nil) != (err == nil))
			last = line
			return true
		})
	})
}

func FuzzParseTime(f *testing.F) {
	f.Add("2023-11-14T22:13:20.5Z")
	f.Add("1700000000.5")
	f.Fuzz(func(t *testing.T, s string) {
		if ns, ok := ParseTime(s); ok {
			require.GreaterOrEqual(t, ns, int64(0))
		}
	})
}

func BenchmarkParseObject(b *testing.B) {
	line := []byte(`{"timestamp":"2026-11-23T21:00:00.123456Z","level":"info","service":"checkout-api","message":"payment authorised for order 8412345 by gateway stripe in 35 ms","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","response_status":200,"response_time_ms":12.5}`)
	var p Parser
	var r Record
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		p.Reset()
		if err := p.ParseObject(line, &r); err != nil {
			b.Fatal(err)
		}
	}
}
