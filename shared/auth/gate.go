package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/fault"
)

// reloadEvery is how often the file is looked at: a revoked token is refused within this time.
const reloadEvery = 5 * time.Second

// Gate decides who passes. Safe for concurrent use. A nil Gate lets everybody pass.
type Gate struct {
	cfg     config.HTTP
	proxies []netip.Prefix
	log     zerolog.Logger
	now     func() time.Time

	mu      sync.Mutex
	byHash  map[string]Token
	looked  time.Time
	changed time.Time // the file's, when it was read
}

// NewGate reads the tokens; an error when they cannot be read. Without LOGMILL_TOKENS_FILE everybody passes: config sees to it that such a
// service listens on loopback only.
func NewGate(cfg config.HTTP, log zerolog.Logger) (*Gate, error) {
	g := &Gate{cfg: cfg, log: log.With().Str("component", "auth").Logger(), now: time.Now}
	for _, p := range cfg.TrustedProxies {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			return nil, fmt.Errorf("TRUSTED_PROXIES: %w", err)
		}
		g.proxies = append(g.proxies, prefix)
	}
	if cfg.TokensFile == "" {
		return g, nil
	}
	return g, g.reload()
}

func (g *Gate) reload() error {
	fi, err := os.Stat(g.cfg.TokensFile)
	if err != nil {
		return fmt.Errorf("reading the tokens: %w", err)
	}
	if g.byHash != nil && fi.ModTime().Equal(g.changed) {
		return nil
	}
	f, err := Load(g.cfg.TokensFile)
	if err != nil {
		return err
	}
	g.byHash, g.changed = map[string]Token{}, fi.ModTime()
	for _, t := range f.Tokens {
		g.byHash[t.Hash] = t
	}
	return nil
}

// token finds a token by its text. A file that cannot be read now leaves those in force that were there before.
func (g *Gate) token(text string) (Token, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if now.Sub(g.looked) >= reloadEvery {
		g.looked = now
		if err := g.reload(); err != nil {
			g.log.Error().Err(err).Msg("the tokens cannot be read again: those read before stay in force")
		}
	}
	t, ok := g.byHash[Hash(text)]
	return t, ok && (t.Expires.IsZero() || now.Before(t.Expires))
}

// Middleware lets a request pass when may says so of its caller, and keeps the caller for CallerOf. open are routes without a question:
// probes cannot show a token.
func (g *Gate) Middleware(may func(caller Caller, method, route string) bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if route := c.Path(); route == "/healthz" || route == "/readyz" {
				return next(c)
			}
			caller, err := g.caller(c.Request())
			if err != nil {
				c.Response().Header().Set("WWW-Authenticate", `Bearer realm="logmill"`)
				c.Response().Header().Add("WWW-Authenticate", `Basic realm="logmill", charset="UTF-8"`)
				return err
			}
			if !may(caller, c.Request().Method, c.Path()) {
				return fault.Forbidden("the token %s does not allow this", caller.Name)
			}
			r := c.Request()
			c.SetRequest(r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
			return next(c)
		}
	}
}

// Asks tells whether somebody stands before the service who asks who a caller is: it, or a proxy.
func (g *Gate) Asks() bool { return g == nil || g.cfg.TokensFile != "" || len(g.proxies) > 0 }

type callerKey struct{}

// CallerOf is who a request is from, as Middleware found.
func CallerOf(r *http.Request) Caller {
	c, _ := r.Context().Value(callerKey{}).(Caller)
	return c
}

func (g *Gate) caller(r *http.Request) (Caller, error) {
	if g == nil {
		return Caller{Name: user(r, UserHeader), all: true}, nil
	}
	named := g.named(r)
	if g.cfg.TokensFile == "" {
		return Caller{Name: named, all: true}, nil
	}
	text, err := shown(r)
	if err != nil {
		return Caller{}, err
	}
	t, ok := g.token(text)
	if !ok {
		return Caller{}, fault.Unauthorized("the token is not known, or no longer")
	}
	if named == "" {
		named = t.Name
	}
	return Caller{Name: named, scopes: t.Scopes}, nil
}

// shown is the token of a request: a bearer's, or a basic one's password, which is how browsers and older tools can show it.
func shown(r *http.Request) (string, error) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, nil
	}
	kind, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(kind, "Bearer") || text == "" {
		return "", fault.Unauthorized("this needs a token: Authorization: Bearer …")
	}
	return strings.TrimSpace(text), nil
}

const maxUser = 200 // bytes of a user's name, as the tables hold it

// named is the user that the request names and that may be believed: of a trusted proxy, or of anybody while no tokens are asked for.
func (g *Gate) named(r *http.Request) string {
	header := UserHeader
	if g.cfg.TokensFile != "" {
		if header = g.cfg.TrustedUserHeader; header == "" || !g.trusts(r.RemoteAddr) {
			return ""
		}
	}
	return user(r, header)
}

func user(r *http.Request, header string) string {
	name := r.Header.Get(header)
	return strings.ToValidUTF8(name[:min(len(name), maxUser)], "?")
}

// UserHeader names the user of a request where nobody has to prove who they are.
const UserHeader = "X-Logmill-User"

func (g *Gate) trusts(remote string) bool {
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, p := range g.proxies {
		if p.Contains(addr.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// ReadOnly is the rule of services that only show health and metrics. Profiles show memory: they are for administrators.
func ReadOnly(c Caller, _, route string) bool {
	if strings.HasPrefix(route, "/debug/") {
		return c.May(Admin)
	}
	return c.May(Read)
}
