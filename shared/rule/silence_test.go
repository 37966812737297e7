package rule

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatching(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"service": "web", "text": "a\nb"}
	for in, want := range map[string]bool{
		`{"name":"service","value":"web"}`:                                 true,
		`{"name":"service","value":"we"}`:                                  false,
		`{"name":"service","value":"web","isEqual":false}`:                 false,
		`{"name":"service","value":"we","isRegex":true}`:                   false, // the whole label
		`{"name":"service","value":"db|w.b","isRegex":true}`:               true,
		`{"name":"service","value":"db","isRegex":true,"isEqual":false}`:   true,
		`{"name":"service","value":"w.*","isRegex":true,"isEqual":false}`:  false,
		`{"name":"text","value":"a.b","isRegex":true}`:                     true,
		`{"name":"zone","value":""}`:                                       true, // an absent label is empty
		`{"name":"zone","value":"","isEqual":false}`:                       false,
		`{"name":"zone","value":".+","isRegex":true}`:                      false,
		`{"name":"zone","value":"eu","isEqual":false}`:                     true,
		`{"name":"zone","value":"eu.*","isRegex":true,"isEqual":false}`:    true,
		`{"name":"service","value":"web","isRegex":false,"isEqual":true}`:  true,
		`{"name":"service","value":"w.b","isRegex":false,"isEqual":false}`: true,
	} {
		var m Matcher
		require.NoError(t, json.Unmarshal([]byte(in), &m), in)
		match, err := Matching([]Matcher{m})
		require.NoError(t, err)
		require.Equal(t, want, match(labels), m.String())
		both, err := Matching([]Matcher{{Name: "service", Value: "web", IsEqual: true}, m})
		require.NoError(t, err)
		require.Equal(t, want, both(labels), "all must match")
	}
	require.Equal(t, `a="x" b!="x" c=~"x" d!~"x"`, Matcher{"a", "x", false, true}.String()+" "+Matcher{"b", "x", false, false}.String()+" "+
		Matcher{"c", "x", true, true}.String()+" "+Matcher{"d", "x", true, false}.String())
	_, err := Matching([]Matcher{{Name: "a", Value: "x)|(y", IsRegex: true}})
	require.Error(t, err, "it would break out of its anchors")
}
