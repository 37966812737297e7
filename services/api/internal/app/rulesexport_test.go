package app

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
)

// TestRulesAreExported: the file has the rules that were asked for, and reading it gives them as they were made.
func TestRulesAreExported(t *testing.T) {
	t.Parallel()
	url, _ := api(t)
	var ids []string
	for _, body := range []string{
		`{"name":"one","team":"shop","condition":"COUNT(*)","threshold":5,"for":"10s","labels":{"area":"money"}}`,
		`{"name":"two: \"#\"","team":"shop","group":"g","condition":"COUNT(*)\n + 1","threshold":1.5,"time_window":"90s"}`,
		`{"name":"three","condition":"AVG(response_time_ms)","threshold":5,"enabled":false}`,
	} {
		code, _, got := call(t, "POST", url+"/api/alert-rules", body)
		require.Equal(t, 201, code, got)
		ids = append(ids, fmt.Sprint(got["id"]))
	}
	names := func(query string) (out []string) {
		code, raw := get(t, url+"/api/alert-rules/export"+query)
		require.Equal(t, 200, code, string(raw))
		f, problems := rulefile.Parse("rules.yaml", raw)
		require.Empty(t, problems)
		for _, g := range f.Groups {
			for _, e := range g.Rules {
				out = append(out, e.Rule.Team+"/"+e.Rule.Group+"/"+e.Rule.Name)
			}
		}
		return out
	}
	require.Equal(t, []string{"//three", "shop//one"}, names("?id="+ids[0]+","+ids[2]))
	require.Subset(t, names(""), []string{"//three", "shop//one", `shop/g/two: "#"`, "//High error rate"}, "and those that come with Logmill")
	require.Equal(t, []string{"shop//one", `shop/g/two: "#"`}, names("?team=shop"))
	require.Equal(t, []string{`shop/g/two: "#"`}, names("?team=shop&group=g"))
	require.Empty(t, names("?team=nobody"))
	require.Empty(t, names("?id="), "none is not all")
	code, raw := get(t, url+"/api/alert-rules/export?id="+ids[0]+",777")
	require.Equal(t, 404, code)
	require.Contains(t, string(raw), "777")
	code, _ = get(t, url+"/api/alert-rules/export?name=x")
	require.Equal(t, 400, code)
	_, raw = get(t, url+"/api/alert-rules/export?id="+ids[0])
	require.True(t, strings.Contains(string(raw), "for: 10s") && !strings.Contains(string(raw), "no_data"), "what has its default is left out: %s", raw)
}
