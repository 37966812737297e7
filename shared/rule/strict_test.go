package rule

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMistakesInJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		``:                                    "body, at 1: is not JSON: it ends too soon",
		`{"name":"x"`:                         "body, at 12: is not JSON: it ends too soon",
		`{"threshold":NaN}`:                   "body, at 14: is not JSON: invalid character 'N' looking for beginning of value",
		`{"name":"x"} {}`:                     "body, at 13: something follows the JSON value",
		`[]`:                                  "body: must be an object, not array",
		`null`:                                "body: must be an object, not null",
		`{"threshold":"NaN"}`:                 "threshold: must be a number, not string",
		`{"threshold":1e999}`:                 "threshold: number 1e999 is out of range",
		`{"min_samples":1.5}`:                 "min_samples: number 1.5 is out of range",
		`{"thresold":5}`:                      "thresold: unknown field (did you mean threshold?)",
		`{"enabled":"yes","labels":{"a":1}}`:  "labels.a: must be a text, not number\nenabled: must be true or false, not string",
		`{"group_by":"service"}`:              "group_by: must be a list, not string",
		`{"group_by":["service",7]}`:          "group_by[1]: must be a text, not number",
		`{"for":5}`:                           `for: must be a text such as "30s" or "2h", not 5`,
		`{"for":"5 parsecs"}`:                 `for: "5 parsecs" is not a duration such as 30s, 5m, 1h or 2d`,
		`{"time_window":"soon","for":"soon"}`: "time_window: \"soon\" is not a duration such as 30s, 5m, 1h or 2d\nfor: \"soon\" is not a duration such as 30s, 5m, 1h or 2d",
		`{"resolve_threshold":"low"}`:         "resolve_threshold: must be a number, not string",
	} {
		_, err := Parse([]byte(in))
		require.Error(t, err, in)
		require.Equal(t, want, err.Error(), in)
	}
	_, err := Parse([]byte(strings.Repeat("[", 20000)))
	require.EqualError(t, err, "body, at 10001: is not JSON: invalid character '[' exceeded max depth")
	r, err := Parse([]byte(` {"name":"x","resolve_threshold":null,"repeat_interval":"0s","labels":{"a":"b"},"group_by":["service"],"for":"1m"} `))
	require.NoError(t, err)
	require.Nil(t, r.ResolveThreshold)
	require.Zero(t, *r.RepeatInterval)
	require.Equal(t, []string{"service"}, r.GroupBy)
	var s struct {
		Matchers []Matcher `json:"matchers"`
	}
	require.EqualError(t, Strict([]byte(`{"matchers":[{"name":"a","value":"b"},{"name":1,"valu":"b"},5]}`), &s),
		"matchers[1].name: must be a text, not number\nmatchers[1].valu: unknown field (did you mean value?)\nmatchers[2]: must be an object, not number")
	require.Equal(t, Matcher{Name: "a", Value: "b", IsEqual: true}, s.Matchers[0])
}
