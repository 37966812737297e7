package httpapi

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

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
	have := map[string]bool{}
	for _, r := range Routes(Deps{Health: &obs.Health{}, Registry: prometheus.NewRegistry()}).Routes() {
		if !strings.HasPrefix(r.Path, "/debug/") {
			have[r.Method+" "+param.ReplaceAllString(r.Path, "{$1}")] = true
		}
	}
	require.Equal(t, have, documented)
}
