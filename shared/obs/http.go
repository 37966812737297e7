package obs

import (
	"errors"
	"math"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/fault"
)

// Mount adds /healthz (the process lives), /readyz (it and its dependencies serve), /metrics and /debug/pprof/ to e.
func Mount(e *echo.Echo, h *Health, reg *prometheus.Registry) {
	e.GET("/healthz", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "ok"}) })
	e.GET("/readyz", func(c echo.Context) error { return ready(c, h) })
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(reg, promhttp.HandlerOpts{})))
	e.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)))
	e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)))
	e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)))
	e.GET("/debug/pprof/symbol", echo.WrapHandler(http.HandlerFunc(pprof.Symbol)))
}

func ready(c echo.Context, h *Health) error {
	results, ok := h.Run(c.Request().Context())
	code, status := http.StatusOK, "ok"
	if !ok {
		code, status = http.StatusServiceUnavailable, "not ready"
	}
	return c.JSON(code, map[string]any{"status": status, "checks": results})
}

// Problem is an error answer after RFC 9457.
type Problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail,omitempty"`
	Errors []fault.Field `json:"errors,omitempty"`
}

var statuses = map[fault.Kind]int{
	fault.Internal: http.StatusInternalServerError, fault.InvalidInput: http.StatusBadRequest, fault.Missing: http.StatusNotFound,
	fault.Conflicting: http.StatusConflict, fault.Outdated: http.StatusPreconditionFailed, fault.Unauthenticated: http.StatusUnauthorized, fault.NotAllowed: http.StatusForbidden, fault.TooBig: http.StatusRequestEntityTooLarge,
	fault.UnsupportedType: http.StatusUnsupportedMediaType, fault.Overload: http.StatusTooManyRequests, fault.Away: http.StatusServiceUnavailable,
	fault.Unprocessable: http.StatusUnprocessableEntity,
}

// StatusOf is the HTTP status of an error's kind.
func StatusOf(err error) int { return statuses[fault.KindOf(err)] }

// ProblemHandler is echo's error handler: every error leaves as application/problem+json; internal ones are logged and not shown.
// A dependency that is away is logged with its cause too, now and then: each request fails by it.
func ProblemHandler(log zerolog.Logger) echo.HTTPErrorHandler {
	var away quiet
	return func(err error, c echo.Context) {
		if c.Response().Committed {
			return
		}
		if c.Request().Context().Err() != nil {
			_ = c.NoContent(statusGone) // nobody reads it
			return
		}
		p, after := problemOf(err)
		if p.Status == http.StatusInternalServerError {
			log.Error().Err(err).Str("method", c.Request().Method).Str("route", c.Path()).Msg("request failed")
		}
		if n := away.count(p.Status == http.StatusServiceUnavailable); n > 0 {
			log.Warn().Err(err).Str("route", c.Path()).Int64("requests", n).Msg("requests failed because a dependency does not answer")
		}
		if after > 0 {
			c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(after))
		}
		c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
		if werr := c.JSON(p.Status, p); werr != nil {
			log.Debug().Err(werr).Msg("writing an error answer")
		}
	}
}

// statusGone is how a request ends whose client has gone: whatever failed, failed for that. nginx began to write it so.
const statusGone = 499

// awayEvery keeps one line a while of what every request would say.
const awayEvery = 10 * time.Second

// quiet counts what is not logged.
type quiet struct {
	mu   sync.Mutex
	n    int64
	last time.Time
}

// count one more, if it happened, and say how many to log now: 0 for none.
func (q *quiet) count(happened bool) (n int64) {
	if !happened {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.n++
	if time.Since(q.last) < awayEvery {
		return 0
	}
	n, q.n, q.last = q.n, 0, time.Now()
	return n
}

// problemOf also says after how many seconds to come again, 0 for not said.
func problemOf(err error) (p Problem, retryAfter int) {
	var he *echo.HTTPError
	var fe *fault.Error
	switch {
	case errors.As(err, &fe) && fe.Kind != fault.Internal:
		p = Problem{Status: statuses[fe.Kind], Detail: fe.Message, Errors: fe.Fields}
		retryAfter = int(math.Ceil(fe.RetryAfter.Seconds()))
	case errors.As(err, &he):
		p = Problem{Status: he.Code}
		if m, ok := he.Message.(string); ok && m != http.StatusText(he.Code) {
			p.Detail = m
		}
	default:
		p = Problem{Status: http.StatusInternalServerError, Detail: "the error is in this service's log"}
	}
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	return p, retryAfter
}
