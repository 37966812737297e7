package query

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// forms has every form of the language, and what Print makes of it.
var forms = map[string]string{
	"": "*", "  ": "*", "*": "*", `""`: "*", "a": "a", " a  b ": "a b", "a AND b": "a b", "a OR b c": "a OR b c", "(a OR b) c": "(a OR b) c", "((a))": "a", "a (b c)": "a b c",
	"a OR (b OR c)": "a OR b OR c", "-a": "NOT a", "!a": "NOT a", "NOT a": "NOT a", "NOT -a": "NOT NOT a", "-(a b)": "NOT (a b)", "-(a OR b) c": "NOT (a OR b) c",
	`"a b"`: `"a b"`, `"a \"b\" \\ \d"`: `"a \"b\" \\ \\d"`, `a\"b`: `"a\"b"`, `a\d`: `"a\\d"`, `"OR"`: `"OR"`, "or": "or", "-": `"-"`, "a - b": `a "-" b`,
	"time*": "time*", "*out": "*out", "a**b": "a*b", `*"a b"*`: `*"a b"*`, `\*`: `"*"`, "message:a": "a", "MESSAGE:a*": "a*", "/a b/": "/a b/", "message:/a/": "/a/", `/a\/b\d/`: `/a\/b\d/`,
	"/api/orders": `"/api/orders"`, "request_path:/api/orders": `request_path:"/api/orders"`, "request_path:/^.api/": "request_path:/^.api/", "request_path:/a b /": `request_path:"/a" b "/"`,
	"service:api": "service:api", "Service:API": "service:API", `service:"a b"`: `service:"a b"`, "service:a*": "service:a*", "service:*": "_exists_:service", "service:/^a|b$/": "service:/^a|b$/",
	"service:(a OR b*)": "service:a OR service:b*", "service:(a -b)": "service:a NOT service:b", "-service:(a OR b)": "NOT (service:a OR service:b)", `service:""`: `service:""`,
	"level:WARNING": "level:warn", "level:>=WARN": "level:>=warn", "level:[debug TO error}": "level:[debug TO error}", "level:e*": "level:e*",
	"response_status:500": "response_status:500", "response_status:>=500": "response_status:>=500", "response_status:{-1 TO 5e2]": "response_status:{-1 TO 5e2]", "response_status:5*": "response_status:5*",
	"response_time_ms:<.5": "response_time_ms:<.5", "response_time_ms:[* TO 5]": "response_time_ms:<=5", "response_time_ms:[5 TO *]": "response_time_ms:>=5", "response_time_ms:[* TO *]": "_exists_:response_time_ms",
	"timestamp:>now-15m": "timestamp:>now-15m", "timestamp:[2026-01-02T15:04:05Z TO now]": `timestamp:["2026-01-02T15:04:05Z" TO now]`, "observed:<now": "observed:<now",
	"_exists_:region": "_exists_:region", "-_exists_:attr.level": "NOT _exists_:attr.level", `_exists_:"a b"`: `_exists_:"a b"`,
	"region:eu": "region:eu", "attr.region:eu": "region:eu", "attr.status:5": "attr.status:5", `"a b":c`: `"a b":c`, "@x:1": `"@x":1`, "size:>10": "size:>10", `size:>"10"`: `size:>"10"`, `size:>"b"`: "size:>b",
	"region:(eu us)": "region:eu region:us", "ip:10.1.2.3": "ip:10.1.2.3/32", "ip:::1": "ip:::1/128", "ip:10.1.2.3/8": "ip:10.0.0.0/8", "ip:2001:db8::1/32": "ip:2001:db8::/32", "client:10.0.0.0/8": "client:10.0.0.0/8",
	`client:"10.0.0.0/8"`: `client:"10.0.0.0/8"`, "host:10.0.0.0/8": "host:10.0.0.0/8", "id:0-12-3": "id:0-12-3",
	"trace_id:4BF92F3577B34DA6A3CE929D0E0E4736": "trace_id:4bf92f3577b34da6a3ce929d0e0e4736", "trace_id:4bf92f35-77b3-4da6-a3ce-929d0e0e4736": "trace_id:4bf92f3577b34da6a3ce929d0e0e4736",
	"http://x/y": `"http://x/y"`, "std::string": `"std::string"`, "12:30:01": `"12:30:01"`, "a=b": `"a=b"`, "host:(a:80 OR b:80)": `host:"a:80" OR host:"b:80"`, "NOT:x": `"NOT":x`, "größe": "größe",
}

func TestForms(t *testing.T) {
	t.Parallel()
	for text, want := range forms {
		p, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, Print(p.Filter), text)
		again, err := Parse(want)
		require.NoError(t, err, text)
		require.Equal(t, p.Filter, again.Filter, text)
	}
}

func TestErrorsSayWhereAndWhatWasMeant(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		pos     int
		message string
	}{
		`a "b`: {2, "never closed"}, `(a b`: {0, "never closed"}, `a b)`: {3, "closes nothing"}, `()`: {1, "missing before this bracket"}, `main()`: {5, "missing before"}, `a AND`: {5, "missing at the end"},
		`OR a`: {0, "joins two terms"}, `a AND OR b`: {6, `write "OR"`}, `NOT`: {3, "missing at the end"}, `a && b`: {2, "did you mean AND?"}, `a || b`: {2, "did you mean OR?"},
		`error: x`: {6, `write "error:"`}, `service:`: {8, "nothing stands after service:"}, `status:500`: {0, "did you mean response_status?"}, `a Duration:5`: {2, "attr.Duration"},
		`level:eroor`: {6, "did you mean error?"}, `level:>loud`: {7, "the levels are"}, `response_status:5xx`: {16, "response_status:[500 TO 599]"}, `response_status:abc`: {16, "holds numbers"},
		`response_status:0x1F`: {16, "holds numbers"}, `response_time_ms:>fast`: {18, "holds numbers"}, `timestamp:2026-01-02`: {10, "by a range"}, `timestamp:>soon`: {11, "is not a time"}, `timestamp:/x/`: {10, "no regular expression"},
		`service:[a b]`: {11, "expected TO"}, `service:[a TO b`: {8, "never closed"}, `service:[a TO ]`: {8, "a bound is missing"}, `service:[TO b]`: {12, "expected TO"}, `service:>`: {9, "missing behind >"}, `service:>=`: {10, "missing behind >="},
		`service:>a*`: {9, "no stars"}, `message:>=a b`: {0, ""}, `ip:10.*`: {3, "ip:10.0.0.0/8"}, `ip:*`: {3, "no field of its own"}, `_exists_:ip`: {9, "no field of its own"}, `ip:nowhere`: {3, "no IP address"}, `ip:>5`: {3, "a network is written"}, `id:1*`: {3, "whole"}, `id:x`: {3, "not a record id"},
		`_exists_:`: {9, "such as _exists_:trace_id"}, `_exists_:status`: {9, "did you mean response_status?"}, `service:(a OR level:error)`: {14, "is inside of a value of service"}, `/(/`: {0, "missing closing )"},
		`/a{1001}/`: {0, "RE2"}, `x /(abcdefghij){999}/`: {2, "too large"}, `/` + strings.Repeat("a", 2049) + `/`: {0, "2049 bytes"}, strings.Repeat("(", 65) + "a": {65, "64 levels"}, strings.Repeat("-", 66) + "a": {65, "64 levels"},
		strings.Repeat("a ", 2001): {4000, "more than 2000 terms"}, strings.Repeat("/a/ ", 33): {128, "more than 32 regular"}, strings.Repeat("a", MaxTextBytes+1): {MaxTextBytes, "at most 131072"},
		"a \xff": {2, "not UTF-8"}, strings.Repeat("k", 257) + ":1": {0, "at most 256 bytes"},
	} {
		_, err := Parse(text)
		if want.message == "" {
			require.NoError(t, err, text)
			continue
		}
		var at *Error
		require.True(t, errors.As(err, &at), "%.60s: %v", text, err)
		require.Contains(t, at.Message, want.message, clip(text))
		require.Equal(t, want.pos, at.Pos, "%.60s: %s", text, at)
		require.LessOrEqual(t, at.Pos+at.Len, len(text), clip(text))
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a or b": "did you mean OR?", "servce:a": "did you mean service?", "level=error": "did you mean level:error?", `a "or" b`: "", "attr.servce:a": "", "region:a": "", "a=b": "",
	} {
		p, err := Parse(text)
		require.NoError(t, err, text)
		if want == "" {
			require.Empty(t, p.Hints, text)
		} else {
			require.Len(t, p.Hints, 1, text)
			require.Contains(t, p.Hints[0].Message, want)
		}
	}
	p, err := Parse(strings.Repeat("or ", 100))
	require.NoError(t, err)
	require.Len(t, p.Hints, maxHints)
}

func FuzzParse(f *testing.F) {
	for s := range forms {
		f.Add(s)
	}
	f.Add(`a:(b OR -"c\"" [x TO "y"}) NOT /z\/(/ {`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Pos < 0 || at.Len < 0 || at.Pos+at.Len > len(text) {
				t.Fatalf("an error without a place: %#v", err)
			}
			return
		}
		printed := Print(p.Filter)
		again, err := Parse(printed)
		if err != nil {
			if len(printed) > MaxTextBytes { // quotes make it longer
				return
			}
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		require.Equal(t, p.Filter, again.Filter, printed)
	})
}
