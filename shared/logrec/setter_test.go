package logrec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOurOwnNameWinsWhateverTheOrder: each pair is one field by two names, ours first.
func TestOurOwnNameWinsWhateverTheOrder(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{`"timestamp":1700000000`, `"time":1600000000`}, {`"level":"warn"`, `"severity":"error"`}, {`"service":"a"`, `"app":"b"`},
		{`"message":"a"`, `"msg":"b"`}, {`"trace_id":"a"`, `"traceId":"b"`}, {`"span_id":"a"`, `"spanId":"b"`}, {`"user_id":"a"`, `"uid":"b"`},
		{`"request_method":"GET"`, `"method":"PUT"`}, {`"request_path":"/a"`, `"path":"/b"`}, {`"response_status":200`, `"status":500`},
		{`"response_time_ms":1`, `"duration_ms":2`}, {`"response_time_ms":1`, `"latency_us":2`}, {`"host":"a"`, `"hostname":"b"`},
		{`"env":"a"`, `"environment":"b"`}, {`"observed":1700000000`, `"observed_timestamp":1600000000`},
	} {
		ours := parse(t, "{"+pair[0]+","+pair[1]+"}")
		require.Len(t, ours.Attributes, 1, "the other one stays an attribute: %s", pair[1])
		require.Equal(t, strings.Trim(strings.SplitN(pair[1], ":", 2)[0], `"`), ours.Attributes[0].Key)
		require.Equal(t, ours, parse(t, "{"+pair[1]+","+pair[0]+"}"), "%v", pair)
		alone := parse(t, "{"+pair[0]+"}")
		ours.Attributes, alone.Attributes = nil, nil
		require.Equal(t, alone, ours)
	}
	// what our own name cannot have leaves the field to the other one, in both orders
	for _, pair := range [][2]string{
		{`"response_status":"ok"`, `"status":404`}, {`"level":"special"`, `"severity":"error"`}, {`"request_path":"C:"`, `"path":"/b"`}, {`"service":""`, `"app":"b"`},
	} {
		a, b := parse(t, "{"+pair[0]+","+pair[1]+"}"), parse(t, "{"+pair[1]+","+pair[0]+"}")
		require.Equal(t, a, b, "%v", pair)
		require.True(t, a.ResponseStatus == 404 || a.Level == LevelError || a.RequestPath == "/b" || a.Service == "b", "%v", pair)
	}
	require.Equal(t, parse(t, `{"http":{"status_code":500},"response_status":200}`), parse(t, `{"response_status":200,"http":{"status_code":500}}`), "an object stays whole")
}

func TestAttributesAreFlattened(t *testing.T) {
	t.Parallel()
	r := parse(t, `{"attributes":{"region":"eu","n":2,"user_id":"far","http":{"request":{"method":"GET"}},"x":"far","deep":{"a":1}},"x":"near","uid":"near","message":"m"}`)
	require.Equal(t, "near", r.UserID, "what the record says itself is nearer")
	require.Equal(t, "GET", r.RequestMethod)
	require.ElementsMatch(t, []Attr{{"x", "near", String}, {"region", "eu", String}, {"n", "2", JSON}, {"user_id", "far", String}, {"attributes.x", "far", String},
		{"http", `{"request":{"method":"GET"}}`, JSON}, {"deep", `{"a":1}`, JSON}}, r.Attributes)
	require.Equal(t, []Attr{{"attributes", "[1]", JSON}}, parse(t, `{"attributes":[1]}`).Attributes)
	require.Equal(t, []Attr{{"attributes", `{"a":1}`, JSON}}, parse(t, `{"attributes":{"attributes":{"a":1}}}`).Attributes, "one level")
	var p Parser
	var rec Record
	require.ErrorContains(t, p.ParseObject([]byte(`{"attributes":{"timestamp":"soon"}}`), &rec), "not a time")
	require.Error(t, p.ParseObject([]byte(`{"attributes":{"a":}}`), &rec))
}

// TestABrokenObjectLeavesNoInnerLines: one error for it, with the line where it broke, and what comes behind it is read.
func TestABrokenObjectLeavesNoInnerLines(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		"{\n \"msg\":\"a\",\n \"list\":[\n  {\"msg\":\"inner\"},\n  {\"msg\":\"inner\"} {\"msg\":\"x\"}\n ]\n}\n{\"msg\":\"b\"}": "1:! 8:b",
		"{\n\"list\":[\n{\"msg\":\"inner\"},\n{\"msg\":\"inner\"} 7,\n{\"msg\":\"inner\"}\n]\n}\n{\"msg\":\"b\"}":                "1:! 8:b",
		"{\n  \"msg\": tru,\n  \"in\": {\"msg\":\"x\"}\n}\n{\"msg\":\"b\"}":                                                      "1:! 5:b",
		"{\"msg\": tru,\n  \"in\":\n  {\"msg\":\"x\"}\n}\n{\"msg\":\"b\"}":                                                       "1:! 5:b",
		"{\n \"msg\":\"a\"\n{\"msg\":\"b\"}\n{\"msg\":\"c\"}":                                                                    "1:! 3:b 4:c",
		"{\"msg\":\"a\",\n{\"msg\":\"b\"}":                                                                                       "1:! 2:b",
		"{\"msg\":\"a\n{\"msg\":\"b\"}":                                                                                          "1:! 2:b",
		"{\"msg\":\"a\\\n{\"msg\":\"b\"}":                                                                                        "1:! 2:b",
		"  {\"msg\":\"a\"\n  {\"msg\":\"b\"}":                                                                                    "1:! 2:b",
		"{\"a\":{\"b\":1}\n{\"msg\":\"c\"}":                                                                                      "1:! 2:c",
		"{\"a\":[{\"b\" 1}]}\n{\"msg\":\"c\"}":                                                                                   "1:! 2:c",
		"{\n\"a\":\"no end":                                                                                                      "1:!",
	} {
		var p Parser
		var got []string
		var errs []string
		require.NoError(t, p.ParseBody([]byte(body), func(line int, rec *Record, err error) bool {
			if err != nil {
				got, errs = append(got, fmt.Sprintf("%d:!", line)), append(errs, err.Error())
			} else {
				got = append(got, fmt.Sprintf("%d:%s", line, rec.Message))
			}
			return true
		}))
		require.Equal(t, want, strings.Join(got, " "), "%q: %v", body, errs)
	}
	var p Parser
	err := p.ParseBody([]byte("{\"msg\":\"ok\"}\n{\n \"a\": 1\n \"b\": 2\n}"), func(line int, _ *Record, err error) bool {
		if err != nil {
			require.Equal(t, 2, line)
			require.Equal(t, "at byte 12: expected a comma or the end of the object (line 4)", err.Error())
		}
		return true
	})
	require.NoError(t, err)
}

// TestABrokenObjectCostsLinearTime: many brackets in one line, and many broken lines.
func TestABrokenObjectCostsLinearTime(t *testing.T) {
	t.Parallel()
	for _, body := range []string{strings.Repeat(`{"a":`, 200_000), strings.Repeat("{", 900_000), strings.Repeat("{\"a\"\n", 150_000), "[" + strings.Repeat("{", 900_000)} {
		var p Parser
		n := 0
		_ = p.ParseBody([]byte(body), func(int, *Record, error) bool { n++; return true })
		require.LessOrEqual(t, n, 150_000)
	}
}

func TestFieldsOfASetterAreUsedAgain(t *testing.T) {
	t.Parallel()
	var p Parser
	var r Record
	require.NoError(t, p.ParseObject([]byte(`{"app":"a","msg":"first"}`), &r))
	require.NoError(t, p.ParseObject([]byte(`{"service":"b","message":"second"}`), &r))
	require.Equal(t, "b", r.Service)
	require.False(t, slices.ContainsFunc(r.Attributes, func(a Attr) bool { return a.Key == "app" }))
}
