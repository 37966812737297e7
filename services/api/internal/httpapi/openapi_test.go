package httpapi

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/web"
	"github.com/logmill/logmill/shared/obs"
)

// TestEveryRouteIsDocumented compares the routes with the OpenAPI document, both ways.
func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	require.NoError(t, json.Unmarshal(openAPI, &doc))
	documented := map[string]bool{}
	for path, methods := range doc.Paths {
		for m := range methods {
			documented[strings.ToUpper(m)+" "+path] = true
		}
	}
	param := regexp.MustCompile(`:(\w+)`)
	pages := append(web.Pages(), web.Files()...) // for people, not for programs
	have := map[string]bool{}
	for _, r := range Routes(Deps{Health: &obs.Health{}, Registry: prometheus.NewRegistry()}).Routes() {
		if !strings.HasPrefix(r.Path, "/debug/") && !slices.Contains(pages, r.Path) {
			have[r.Method+" "+param.ReplaceAllString(r.Path, "{$1}")] = true
		}
	}
	require.Equal(t, have, documented)
}

// TestExamplesAreWhatTheySay validates each example of the document against its schema.
func TestExamplesAreWhatTheySay(t *testing.T) {
	t.Parallel()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mem://openapi.json", parsed))
	examples := 0
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if example, ok := v["example"]; ok && v["schema"] != nil {
				s, err := c.Compile("mem://openapi.json#" + at + "/schema")
				require.NoError(t, err, at)
				require.NoError(t, s.Validate(example), at)
				examples++
			}
			for k, w := range v {
				walk(at+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(k), w)
			}
		case []any:
			for i, w := range v {
				walk(at+"/"+strconv.Itoa(i), w)
			}
		}
	}
	walk("", parsed)
	require.Greater(t, examples, 15)
}
