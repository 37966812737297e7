package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"
)

func site(t *testing.T, files fstest.MapFS) *echo.Echo {
	s, err := newSite(files)
	require.NoError(t, err)
	e := echo.New()
	for _, path := range append(Pages(), Files()...) {
		e.GET(path, s.Serve)
	}
	return e
}

func get(e *echo.Echo, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

var built = fstest.MapFS{
	"dist/index.html":        {Data: []byte(`<meta nonce="%NONCE%"><script nonce="%NONCE%" src="/assets/index-1.js">`)},
	"dist/assets/index-1.js": {Data: []byte("let a = 1")},
	"dist/favicon.svg":       {Data: []byte("<svg/>")},
	"dist/.gitkeep":          {Data: nil},
}

func TestAPageHasANonceOfItsOwn(t *testing.T) {
	t.Parallel()
	e := site(t, built)
	nonce := regexp.MustCompile(`style-src 'self' 'nonce-([A-Z2-7]{26})'`)
	seen := map[string]bool{}
	for _, path := range []string{"/", "/explore", "/trace/4bf9/2f", "/services/a%20b", "/alerts/1-2", "/rules/new", "/system"} {
		w := get(e, path)
		require.Equal(t, 200, w.Code, path)
		m := nonce.FindStringSubmatch(w.Header().Get("Content-Security-Policy"))
		require.Len(t, m, 2, path)
		require.False(t, seen[m[1]], "the same nonce twice")
		seen[m[1]] = true
		require.Equal(t, `<meta nonce="`+m[1]+`"><script nonce="`+m[1]+`" src="/assets/index-1.js">`, w.Body.String())
	}
}

func TestFilesAreCompressedAndKept(t *testing.T) {
	t.Parallel()
	e := site(t, built)
	w := get(e, "/assets/index-1.js", "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
	require.Contains(t, w.Header().Get("Content-Type"), "javascript")
	require.Contains(t, w.Header().Get("Cache-Control"), "immutable")
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, "let a = 1", string(text))
	require.Equal(t, "let a = 1", get(e, "/assets/index-1.js").Body.String())
	require.Equal(t, 304, get(e, "/assets/index-1.js", "If-None-Match", w.Header().Get("ETag")).Code)
	require.NotContains(t, get(e, "/favicon.svg").Header().Get("Cache-Control"), "immutable")
	for _, path := range []string{"/assets/index-2.js", "/assets/../index.html", "/assets/", "/.gitkeep", "/nothing"} {
		require.Equal(t, 404, get(e, path).Code, path)
	}
}

func TestWithoutPagesItSaysSo(t *testing.T) {
	t.Parallel()
	w := get(site(t, fstest.MapFS{"dist/.gitkeep": {}}), "/")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "make build")
}
