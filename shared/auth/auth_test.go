package auth

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/fault"
)

var created = time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)

func TestFilesAndTheirMistakes(t *testing.T) {
	t.Parallel()
	var f File
	text, err := f.Create("shop-agents", []Scope{"ingest:shop", "ingest:cart"}, created, created.AddDate(0, 3, 0))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(text, prefix) && len(text) > 40)
	_, err = f.Create("shop-agents", []Scope{Read}, created, time.Time{})
	require.ErrorContains(t, err, "twice")
	_, err = f.Create("b", []Scope{"write"}, created, time.Time{})
	require.ErrorContains(t, err, `scope "write" is not one of`)
	raw, err := f.Encode()
	require.NoError(t, err)
	require.NotContains(t, string(raw), text, "the token itself is nowhere")
	again, err := Parse(raw)
	require.NoError(t, err)
	require.Equal(t, f, again)
	require.True(t, f.Revoke("shop-agents"))
	require.False(t, f.Revoke("shop-agents"))

	for problem, text := range map[string]string{
		"not found":          "tokens: [{name: a, hsah: x}]",
		"64 hex digits":      "tokens: [{name: a, hash: 'sha256:ab', scopes: [read]}]",
		"no scopes":          "tokens: [{name: a, hash: '" + Hash("x") + "'}]",
		"letters":            "tokens: [{name: 'a b', hash: '" + Hash("x") + "', scopes: [read]}]",
		"not one of read":    "tokens: [{name: a, hash: '" + Hash("x") + "', scopes: ['ingest:']}]",
		"its hash is there":  "tokens: [{name: a, hash: '" + Hash("x") + "', scopes: [read]}, {name: b, hash: '" + Hash("x") + "', scopes: [read]}]",
		"cannot unmarshal":   "tokens: 5",
		"excessive aliasing": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ntokens: *f",
	} {
		_, err := Parse([]byte(text))
		require.Error(t, err, problem)
		if problem != "excessive aliasing" && problem != "not found" {
			require.ErrorContains(t, err, problem)
		}
	}
	empty, err := Parse(nil)
	require.NoError(t, err)
	require.Empty(t, empty.Tokens)
}

func TestScopes(t *testing.T) {
	t.Parallel()
	reader, shop, all, admin := Caller{scopes: []Scope{Read}}, Caller{scopes: []Scope{"ingest:shop"}}, Caller{scopes: []Scope{Ingest}}, Caller{scopes: []Scope{Admin}}
	require.Equal(t, []bool{true, false, false, true}, []bool{reader.May(Read), shop.May(Read), all.May(Read), admin.May(Read)})
	require.Equal(t, []bool{false, true, true, true}, []bool{reader.MayIngest(), shop.MayIngest(), all.MayIngest(), admin.MayIngest()})
	require.Equal(t, []bool{false, true, true, true}, []bool{reader.MayIngestOf("shop"), shop.MayIngestOf("shop"), all.MayIngestOf("shop"), admin.MayIngestOf("shop")})
	require.False(t, shop.MayIngestOf("cart"))
	require.False(t, Caller{}.May(Read), "nobody is nobody")
}

// door is a gate with tokens before one route, and a clock.
type door struct {
	t    *testing.T
	gate *Gate
	path string
	e    *echo.Echo
	now  time.Time
	seen Caller
}

func newDoor(t *testing.T, f File, change func(*config.HTTP)) *door {
	d := &door{t: t, path: filepath.Join(t.TempDir(), "tokens.yaml"), now: created}
	d.write(f)
	cfg := config.HTTP{Bind: "127.0.0.1", TokensFile: d.path}
	if change != nil {
		change(&cfg)
	}
	var err error
	d.gate, err = NewGate(cfg, zerolog.Nop())
	require.NoError(t, err)
	d.gate.now = func() time.Time { return d.now }
	d.e = echo.New()
	d.e.HTTPErrorHandler = func(err error, c echo.Context) {
		code := map[fault.Kind]int{fault.Unauthenticated: 401, fault.NotAllowed: 403}[fault.KindOf(err)]
		if code == 0 {
			code = 404
		}
		_ = c.NoContent(code)
	}
	d.e.Use(d.gate.Middleware(ReadOnly))
	for _, route := range []string{"/x", "/healthz", "/debug/pprof/*"} {
		d.e.GET(route, func(c echo.Context) error {
			d.seen = CallerOf(c.Request())
			return c.NoContent(200)
		})
	}
	return d
}

func (d *door) write(f File) {
	d.t.Helper()
	raw, err := f.Encode()
	require.NoError(d.t, err)
	require.NoError(d.t, os.WriteFile(d.path, raw, 0o600))
	require.NoError(d.t, os.Chtimes(d.path, time.Now(), time.Now().Add(time.Duration(len(raw))*time.Second))) // another time whenever it is another file
}

func (d *door) get(path string, set func(*http.Request)) int {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	if set != nil {
		set(r)
	}
	w := httptest.NewRecorder()
	d.e.ServeHTTP(w, r)
	return w.Code
}

func bearer(text string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+text) }
}

func TestAGateWithTokens(t *testing.T) {
	t.Parallel()
	var f File
	reader, err := f.Create("reader", []Scope{Read}, created, created.Add(time.Hour))
	require.NoError(t, err)
	admin, err := f.Create("admin", []Scope{Admin}, created, time.Time{})
	require.NoError(t, err)
	d := newDoor(t, f, nil)
	require.Equal(t, 200, d.get("/healthz", nil), "probes have no token")
	require.Equal(t, 401, d.get("/x", nil))
	require.Equal(t, 401, d.get("/nowhere", nil), "a stranger does not learn what is there")
	require.Equal(t, 401, d.get("/x", bearer("lm_guess")))
	require.Equal(t, 401, d.get("/x", bearer(Hash(reader))), "the hash is no token")
	require.Equal(t, 401, d.get("/x", func(r *http.Request) { r.Header.Set("X-Logmill-User", "admin") }))
	require.Equal(t, 200, d.get("/x", bearer(reader)))
	require.Equal(t, "reader", d.seen.Name)
	require.True(t, d.seen.Proven())
	require.Equal(t, 200, d.get("/x", func(r *http.Request) { r.SetBasicAuth("whoever", reader) }))
	require.Equal(t, 403, d.get("/debug/pprof/heap", bearer(reader)))
	require.Equal(t, 200, d.get("/debug/pprof/heap", bearer(admin)))

	d.now = d.now.Add(2 * time.Hour)
	require.Equal(t, 401, d.get("/x", bearer(reader)), "it has expired")
	f.Revoke("admin")
	fresh, err := f.Create("fresh", []Scope{Read}, created, time.Time{})
	require.NoError(t, err)
	d.write(f)
	d.now = d.now.Add(reloadEvery)
	require.Equal(t, 401, d.get("/x", bearer(admin)), "it was revoked")
	require.Equal(t, 200, d.get("/x", bearer(fresh)))
	require.NoError(t, os.WriteFile(d.path, []byte("tokens: 5"), 0o600))
	d.now = d.now.Add(reloadEvery)
	require.Equal(t, 200, d.get("/x", bearer(fresh)), "a damaged file changes nothing")
}

func TestAGateWithoutTokens(t *testing.T) {
	t.Parallel()
	d := newDoor(t, File{}, func(c *config.HTTP) { c.TokensFile = "" })
	require.Equal(t, 200, d.get("/x", func(r *http.Request) { r.Header.Set(UserHeader, "mara") }))
	require.Equal(t, "mara", d.seen.Name)
	require.False(t, d.seen.Proven())
	_, err := NewGate(config.HTTP{TokensFile: filepath.Join(t.TempDir(), "none")}, zerolog.Nop())
	require.ErrorContains(t, err, "tokens")
}

func TestWhoAProxyNames(t *testing.T) {
	t.Parallel()
	var f File
	text, err := f.Create("ui", []Scope{Read}, created, time.Time{})
	require.NoError(t, err)
	d := newDoor(t, f, func(c *config.HTTP) {
		c.TrustedProxies, c.TrustedUserHeader = []string{"10.0.0.0/8"}, "X-Forwarded-User"
	})
	from := func(addr string) func(*http.Request) {
		return func(r *http.Request) {
			bearer(text)(r)
			r.RemoteAddr = addr
			r.Header.Set("X-Forwarded-User", "mara")
		}
	}
	require.Equal(t, 200, d.get("/x", from("10.1.2.3:999")))
	require.Equal(t, "mara", d.seen.Name)
	require.Equal(t, 200, d.get("/x", from("192.0.2.1:999")))
	require.Equal(t, "ui", d.seen.Name, "anybody can write a header")
}
