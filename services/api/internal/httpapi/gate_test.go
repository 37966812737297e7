package httpapi

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/obs"
)

// TestEveryRouteAsksForAToken tries each route without a token, with one for lines, and, where it changes something, with one for reading.
// Everything behind the routes is absent: a request that came through would panic.
func TestEveryRouteAsksForAToken(t *testing.T) {
	t.Parallel()
	var f auth.File
	tokens := map[auth.Scope]string{}
	for _, scope := range []auth.Scope{auth.Read, auth.Ingest} {
		text, err := f.Create(string(scope), []auth.Scope{scope}, time.Now(), time.Time{})
		require.NoError(t, err)
		tokens[scope] = text
	}
	raw, err := f.Encode()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	gate, err := auth.NewGate(config.HTTP{Bind: "0.0.0.0", TokensFile: path}, zerolog.Nop())
	require.NoError(t, err)
	e := Routes(Deps{Gate: gate, Health: &obs.Health{}, Registry: prometheus.NewRegistry(), Log: zerolog.Nop(), Now: time.Now})
	try := func(method, path, token string) int {
		r := httptest.NewRequest(method, path, http.NoBody)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Code
	}
	param := regexp.MustCompile(`:\w+|\*`)
	changing := 0
	for _, r := range e.Routes() {
		path := param.ReplaceAllString(r.Path, "1")
		if path == "/healthz" || path == "/readyz" {
			require.NotEqual(t, 401, try(r.Method, path, ""), path)
			continue
		}
		require.Equal(t, 401, try(r.Method, path, ""), "%s %s", r.Method, path)
		require.Equal(t, 403, try(r.Method, path, tokens[auth.Ingest]), "%s %s", r.Method, path)
		if r.Method != http.MethodGet && !readable(r.Path) {
			changing++
			require.Equal(t, 403, try(r.Method, path, tokens[auth.Read]), "%s %s", r.Method, path)
		}
	}
	require.Greater(t, changing, 8, "rules, alerts and silences are changed by somebody")
	require.Equal(t, 401, try("GET", "/api/nowhere", ""))
	require.Equal(t, 404, try("GET", "/api/nowhere", tokens[auth.Read]))
}

// readable are the routes other than GET that may be used for reading, written down once more: a new one must be meant.
func readable(route string) bool {
	switch route {
	case "/api/alert-rules/validate", "/api/alert-rules/backtest", "/api/alert-rules/:id/backtest", "/api/backtests/:id", "/api/silences/preview":
		return true
	}
	return false
}
