// Package httpapi is the api's REST surface. openapi.json says the same for people and tools; a test keeps the two together.
package httpapi

import (
	"context"
	_ "embed"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/status"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/services/api/web"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/obs"
)

//go:embed openapi.json
var openAPI []byte

// Searcher finds records.
type Searcher interface {
	Search(ctx context.Context, q *query.Query) (search.Result, error)
	Aggregate(ctx context.Context, q *query.Query, wanted []search.Wanted) (search.Sums, error)
}

// Windows reads the window tables.
type Windows interface {
	Windows(ctx context.Context, start, end time.Time, service string, f func(metrics.Window) error) error
	WindowsFrom(ctx context.Context) (windows, hours time.Time, err error)
	ErrorTexts(ctx context.Context, start, end time.Time, service string, t metrics.Errors) error
}

// Hours reads hours.
type Hours interface {
	HoursOf(ctx context.Context, start, end time.Time, service string, f func(metrics.Window) error) error
}

// Resident is a copy of windows, or of hours, in memory.
type Resident interface {
	Fresh(ctx context.Context) (*windows.Set, error)
}

// Deps of a server.
type Deps struct {
	Gate        *auth.Gate
	Catalogue   func() (*catalogue.Catalogue, int)
	Search      Searcher
	Budgets     Budgets
	Tail        Tail
	Windows     Windows
	Resident    Resident
	Hours       Hours
	HoursSet    Resident
	Storage     Storage
	Keeping     Keeping
	Rules       Rules
	Alerts      Alerts
	Silences    Silences
	Audit       Audit
	DeadLetters DeadLetters
	Backtests   Backtests
	Status      *status.Watch
	Line        *status.Line
	Health      *obs.Health
	Registry    *prometheus.Registry
	Web         *web.Site
	Log         zerolog.Logger
	Now         func() time.Time
}

type server struct{ Deps }

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	bodyLimit     = "1M"

	// maxHeaderBytes lets a query that is far too long reach its error: the standard answer to long headers is not problem+json.
	maxHeaderBytes = 4 << 20
)

// New makes the HTTP server.
func New(d Deps) *http.Server {
	return &http.Server{Handler: Routes(d), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes}
}

// Routes are all routes.
func Routes(d Deps) *echo.Echo {
	m := newMetered(d.Search, d.Budgets, d.Registry, d.Log, d.Now)
	d.Search = m
	s := &server{d}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	problem := obs.ProblemHandler(d.Log)
	e.HTTPErrorHandler = func(err error, c echo.Context) { problem(kindOf(err), c) }
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
		d.Log.Error().Err(err).Str("method", c.Request().Method).Str("route", c.Path()).Bytes("stack", stack).Msg("a handler panicked")
		return err
	}}), middleware.RequestID(), middleware.BodyLimit(bodyLimit), headers, knownHosts(d.Gate.Asks()), ownPages, d.Gate.Middleware(may), unescaped)
	obs.Mount(e, d.Health, d.Registry)
	for _, path := range append(web.Pages(), web.Files()...) {
		e.GET(path, s.Web.Serve)
	}
	e.GET("/api/openapi.json", func(c echo.Context) error { return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, openAPI) })
	e.GET("/api/logs", s.logs, m.bounded)
	e.GET("/api/logs/trace/:traceID", s.trace, m.bounded)
	e.GET("/api/logs/context", s.context, m.bounded)
	e.GET("/api/logs/export", s.export, m.bounded)
	e.GET("/api/logs/tail", s.tail, m.watching)
	e.GET("/api/logs/stats", s.stats, m.bounded)
	e.GET("/api/logs/histogram", s.histogram, m.bounded)
	e.GET("/api/logs/facets", s.facets, m.bounded)
	e.GET("/api/logs/validate", s.validateQuery)
	e.GET("/api/metrics", s.metrics)
	e.GET("/api/services", s.services)
	e.GET("/api/storage", s.storage)
	e.GET("/api/health", s.health)
	e.GET("/api/pipeline", s.pipeline)
	e.POST("/api/alert-rules", s.createRule)
	e.GET("/api/alert-rules", s.listRules)
	e.POST("/api/alert-rules/validate", s.validateRule)
	e.POST("/api/alert-rules/backtest", s.backtestBody)
	e.GET("/api/alert-rules/export", s.exportRules)
	e.GET("/api/alert-rules/:id", s.getRule)
	e.GET("/api/alert-rules/:id/versions", s.ruleVersions)
	e.PUT("/api/alert-rules/:id", s.putRule)
	e.DELETE("/api/alert-rules/:id", s.deleteRule)
	e.POST("/api/alert-rules/:id/backtest", s.backtestRule)
	e.GET("/api/backtests/:id", s.getBacktest)
	e.DELETE("/api/backtests/:id", s.deleteBacktest)
	e.GET("/api/alerts", s.listAlerts)
	e.GET("/api/alerts/active", s.activeAlerts)
	e.GET("/api/alerts/stats", s.alertStats)
	e.GET("/api/alerts/:id", s.getAlert)
	e.PUT("/api/alerts/:id/acknowledge", s.handleAlert(store.KindAcknowledge))
	e.PUT("/api/alerts/:id/resolve", s.handleAlert(store.KindResolve))
	e.PUT("/api/alerts/:id/note", s.handleAlert(store.KindNote))
	e.POST("/api/silences", s.createSilence)
	e.POST("/api/silences/preview", s.previewSilence)
	e.GET("/api/silences", s.listSilences)
	e.GET("/api/silences/:id", s.getSilence)
	e.PUT("/api/silences/:id", s.putSilence)
	e.DELETE("/api/silences/:id", s.expireSilence)
	e.GET("/api/audit", s.listAudit)
	e.GET("/api/dead-letters", s.listDeadLetters)
	e.GET("/api/dead-letters/:id", s.getDeadLetter)
	e.POST("/api/dead-letters/replay", s.replayDeadLetters)
	return e
}

// may is who may do what: reading and trying out take the scope read, changing takes admin.
func may(c auth.Caller, method, route string) bool {
	switch {
	case strings.HasPrefix(route, "/debug/"):
		return c.May(auth.Admin)
	case method == http.MethodGet || method == http.MethodHead || slices.Contains(tryouts, route):
		return c.May(auth.Read)
	}
	return c.May(auth.Admin)
}

// tryouts are the routes that change nothing that others see, whatever their method.
var tryouts = []string{"/api/alert-rules/validate", "/api/alert-rules/backtest", "/api/alert-rules/:id/backtest", "/api/backtests/:id", "/api/silences/preview"}

// ownPages refuses what a page of another site makes a browser send: on loopback nobody is asked for a token, and a browser sends
// the password of basic authentication by itself. Browsers say Sec-Fetch-Site to hosts that they trust (https, localhost), and Origin to
// all; other clients say neither.
func ownPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method != http.MethodGet && r.Method != http.MethodHead && foreign(r) {
			return fault.Forbidden("a page of another site asks for this")
		}
		return next(c)
	}
}

func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin) // "null" has no host
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// knownHosts refuses names of hosts where nobody is asked for a token: a page from elsewhere can have its own name mean this machine
// (DNS rebinding), and would then be of the same origin. An address cannot be made to mean another.
func knownHosts(asks bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			name := (&url.URL{Host: c.Request().Host}).Hostname()
			if _, err := netip.ParseAddr(name); !asks && err != nil && name != "" && !strings.EqualFold(name, "localhost") {
				return fault.Forbidden("nobody is asked for a token here, so only localhost and addresses are answered, not %q: set LOGMILL_TOKENS_FILE, or TRUSTED_PROXIES behind a proxy", name)
			}
			return next(c)
		}
	}
}

// unescaped makes the parameters of a path what they were before they were put into it: a trace id may have a slash.
func unescaped(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().URL.RawPath == "" {
			return next(c)
		}
		values := slices.Clone(c.ParamValues())
		for i, v := range values {
			if plain, err := url.PathUnescape(v); err == nil {
				values[i] = plain
			}
		}
		c.SetParamValues(values...)
		return next(c)
	}
}

// kindOf makes a store that is away a 503 instead of a 500.
func kindOf(err error) error {
	if fault.KindOf(err) == fault.Internal && mysqlx.IsTransient(err) {
		return fault.Unavailable(err, "the store does not answer")
	}
	return err
}

// headers are on every answer.
func headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}
