package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
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
		r.Host = "127.0.0.1:8080"
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w
	}
	from := func(origin, host string) int {
		r := httptest.NewRequest(http.MethodPost, "/api/alert-rules", http.NoBody)
		r.Header.Set("Origin", origin)
		r.Host = host
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Code
	}
	for _, origin := range []string{"http://evil.example", "null", "http://127.0.0.1:81"} { // to plain http beyond localhost, Origin is all that a browser says
		require.Equal(t, 403, from(origin, "127.0.0.1:8080"), origin)
	}
	require.NotEqual(t, 403, from("http://127.0.0.1:8080", "127.0.0.1:8080"))
	for _, host := range []string{"rebound.evil.example", "rebound.evil.example:8080"} {
		require.Equal(t, 403, from("http://"+host, host), "a name that was made to mean this machine")
	}
	for _, host := range []string{"localhost:8080", "LOCALHOST", "127.0.0.1", "[::1]:8080", "10.0.0.7:8080"} {
		require.NotEqual(t, 403, from("http://"+host, host), host)
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
	e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/api/openapi.json", http.NoBody))
	require.Equal(t, "default-src 'none'; frame-ancestors 'none'", w.Header().Get("Content-Security-Policy"))
	require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
}

// TestWhatIsInAPathComesBack: ids that need escaping in a path are what they were.
func TestWhatIsInAPathComesBack(t *testing.T) {
	t.Parallel()
	e := echo.New()
	e.Use(unescaped)
	e.GET("/trace/:id/x", func(c echo.Context) error { return c.String(http.StatusOK, c.Param("id")) })
	for path, want := range map[string]string{"a%2Fb": "a/b", "100%25": "100%", "a%20b": "a b", "plain": "plain", "%C3%BC%2F": "ü/"} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/trace/"+path+"/x", http.NoBody))
		require.Equal(t, want, w.Body.String(), path)
	}
}
