package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/web"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/obs"
)

// TestAnotherSitesPageChangesNothing: on loopback nobody is asked for a token, and any page that a person looks at can make their browser send.
func TestAnotherSitesPageChangesNothing(t *testing.T) {
	t.Parallel()
	gate, err := auth.NewGate(config.HTTP{Bind: "127.0.0.1"}, zerolog.Nop())
	require.NoError(t, err)
	site, err := web.New()
	require.NoError(t, err)
	e := Routes(Deps{Gate: gate, Web: site, Health: &obs.Health{}, Registry: prometheus.NewRegistry(), Log: zerolog.Nop(), Now: time.Now})
	send := func(method, path, site string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, http.NoBody)
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	for _, site := range []string{"cross-site", "same-site"} {
		require.Equal(t, 403, send(http.MethodPost, "/api/alert-rules", site).Code, site)
		require.Equal(t, 403, send(http.MethodDelete, "/api/alert-rules/1", site).Code, site)
		require.Equal(t, 200, send(http.MethodGet, "/", site).Code, "a link from elsewhere")
	}
	for _, site := range []string{"same-origin", "none", ""} { // none: typed in; absent: no browser
		require.NotEqual(t, 403, send(http.MethodPost, "/api/alert-rules", site).Code, site)
	}
}

// TestAnswersRunNothing: an answer of the api that a browser is led to shows nothing active.
func TestAnswersRunNothing(t *testing.T) {
	t.Parallel()
	gate, err := auth.NewGate(config.HTTP{Bind: "127.0.0.1"}, zerolog.Nop())
	require.NoError(t, err)
	e := Routes(Deps{Gate: gate, Health: &obs.Health{}, Registry: prometheus.NewRegistry(), Log: zerolog.Nop(), Now: time.Now})
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/openapi.json", http.NoBody))
	require.Equal(t, "default-src 'none'; frame-ancestors 'none'", w.Header().Get("Content-Security-Policy"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
}
