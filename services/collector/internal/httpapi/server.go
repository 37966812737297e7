// Package httpapi is the collector's HTTP surface: POST /api/logs and POST /v1/logs.
package httpapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/body"
	"github.com/logmill/logmill/services/collector/internal/idempotency"
	"github.com/logmill/logmill/services/collector/internal/produce"
	"github.com/logmill/logmill/services/collector/internal/quota"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/obs"
)

// Sender sends records and returns when they are safe.
type Sender interface {
	Send(ctx context.Context, recs []logrec.Record) error
	SendOnce(ctx context.Context, recs []logrec.Record, req contract.Request) error
}

// Guard says whether receiving is safe.
type Guard interface{ Check() error }

// Deps of a Server.
type Deps struct {
	Gate     *auth.Gate
	Sender   Sender
	Guard    Guard
	Quotas   *quota.Quotas // nil: none
	Budget   *body.Budget
	MaxBody  int64 // bytes
	Health   *obs.Health
	Registry *prometheus.Registry
	Log      zerolog.Logger
	Now      func() time.Time
}

// Server receives logs.
type Server struct {
	Deps
	metrics  *metrics
	batches  sync.Pool
	requests *idempotency.Memory
}

// New makes the HTTP handler and its listener's settings.
func New(d Deps) *http.Server {
	requests := idempotency.NewMemory(d.Now)
	s := &Server{Deps: d, metrics: newMetrics(d.Registry, d.Budget, requests), batches: sync.Pool{New: func() any { return new(contract.Batch) }}, requests: requests}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = obs.ProblemHandler(d.Log)
	e.Use(d.Gate.Middleware(may))
	obs.Mount(e, d.Health, d.Registry)
	e.POST("/api/logs", s.route("json", s.postJSON))
	e.POST("/v1/logs", s.route("otlp", s.postOTLP))
	return &http.Server{Handler: e, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout}
}

// may is who may do what: lines take a token of one of the ingest scopes, whose services are looked at line by line.
func may(c auth.Caller, method, route string) bool {
	if method == http.MethodPost {
		return c.MayIngest()
	}
	return auth.ReadOnly(c, method, route)
}

// allowed refuses a request with lines of a service that its token is not for, before any of it is sent.
func allowed(c auth.Caller, recs []logrec.Record) error {
	last := ""
	for i := range recs {
		if s := recs[i].Service; s != last || i == 0 {
			last = s
			if !c.MayIngestOf(s) {
				return fault.Forbidden("the token %s is not for lines of service %.200q; nothing of the request is stored", c.Name, s)
			}
		}
	}
	return nil
}

// route counts requests by outcome.
func (s *Server) route(name string, h echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := h(c)
		code := c.Response().Status
		if err != nil {
			code = obs.StatusOf(err)
		}
		s.metrics.requests.WithLabelValues(name, http.StatusText(code)).Inc()
		return err
	}
}

// receive reads a body, decodes it, sends its records, and gives the batch to answer. The batch is good during answer only.
func (s *Server) receive(c echo.Context, decode func(*contract.Batch, []byte) error, answer func(*contract.Batch) error) error {
	if err := s.Guard.Check(); err != nil {
		return err
	}
	key, err := idempotency.KeyOf(c.Request().Header)
	if err != nil {
		return err
	}
	b, err := body.Read(c.Request(), s.MaxBody, s.Budget)
	if err != nil {
		return err
	}
	defer b.Release()
	batch := s.batches.Get().(*contract.Batch)
	defer func() {
		batch.Reset()
		s.batches.Put(batch)
	}()
	attempt, err := s.begin(c, key, b.Bytes())
	if err != nil {
		return err
	}
	if err := decode(batch, b.Bytes()); err != nil {
		attempt.Refused()
		return fault.Invalid(err.Error())
	}
	s.metrics.bytes.Add(float64(len(b.Bytes())))
	s.metrics.reject(batch.Rejected)
	if err := s.admit(c, attempt, batch.Records, len(b.Bytes())); err != nil {
		attempt.Refused()
		return err
	}
	if err := s.sendOnce(c, attempt, batch.Records); err != nil {
		return err
	}
	return answer(batch)
}

// admit says whether the caller may send these records, now. What is stored already is admitted already.
func (s *Server) admit(c echo.Context, attempt *idempotency.Attempt, recs []logrec.Record, bytes int) error {
	if err := allowed(auth.CallerOf(c.Request()), recs); err != nil || attempt.Replayed() {
		return err
	}
	return s.Quotas.Take(recs, bytes)
}

// begin takes note of a request with an Idempotency-Key.
func (s *Server) begin(c echo.Context, key string, body []byte) (*idempotency.Attempt, error) {
	if key == "" {
		return nil, nil
	}
	caller := ""
	if by := auth.CallerOf(c.Request()); by.Proven() {
		caller = by.Name
	}
	attempt, err := s.requests.Begin(contract.Request{Key: contract.KeyOf(caller, key), Fingerprint: contract.FingerprintOf(c.Path(), body)})
	if err != nil {
		s.metrics.keyed.WithLabelValues(keyedOutcome(err)).Inc()
	}
	return attempt, err
}

// sendOnce sends what a request brings, unless it is safe already.
func (s *Server) sendOnce(c echo.Context, attempt *idempotency.Attempt, recs []logrec.Record) error {
	ctx := c.Request().Context()
	if attempt == nil {
		return s.send(ctx, recs, s.Sender.Send)
	}
	if len(recs) == 0 {
		attempt.Refused()
		return nil
	}
	if attempt.Replayed() {
		c.Response().Header().Set(idempotency.ReplayedHeader, "true")
		s.metrics.keyed.WithLabelValues("replayed").Inc()
		return nil
	}
	err := s.send(ctx, recs, func(ctx context.Context, recs []logrec.Record) error {
		return s.Sender.SendOnce(ctx, recs, attempt.Request())
	})
	switch {
	case err == nil:
		attempt.Answered()
	case fault.KindOf(err) == fault.TooBig: // nothing was sent
		attempt.Refused()
	}
	s.metrics.keyed.WithLabelValues(keyedOutcome(err)).Inc()
	return err
}

func (s *Server) send(ctx context.Context, recs []logrec.Record, send func(context.Context, []logrec.Record) error) error {
	now := s.Now().UnixNano()
	for i := range recs {
		if recs[i].Observed == 0 {
			recs[i].Observed = now
		}
	}
	err := send(ctx, recs)
	if err == nil {
		s.metrics.accepted.Add(float64(len(recs)))
		return nil
	}
	if fault.KindOf(err) == fault.TooBig {
		return err
	}
	if errors.Is(err, produce.ErrDeadline) {
		return fault.Unavailable(err, "Kafka did not acknowledge in time; some of the records may be stored")
	}
	return fault.Unavailable(err, "Kafka did not take the records; some of them may be stored")
}
