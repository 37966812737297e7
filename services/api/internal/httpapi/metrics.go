package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/status"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/fault"
)

const (
	maxTopErrors = 20
	maxNewErrors = 50
)

// metricsJSON is the answer of GET /api/metrics.
type metricsJSON struct {
	metrics.Report
	WindowsFrom time.Time  `json:"windows_from,omitzero"` // nothing is kept of before
	Partial     bool       `json:"partial"`               // the range begins before
	Reason      string     `json:"partial_reason"`
	Lag         status.Lag `json:"lag"`
	New         *newErrors `json:"new_errors,omitempty"`
}

// newErrors are the error texts of a range that were not there before it.
type newErrors struct {
	From   time.Time          `json:"from"`  // how far back was looked
	Known  int                `json:"known"` // texts that were there; 0: nothing tells new ones apart
	Errors []metrics.TopError `json:"errors"`
}

func (s *server) metrics(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("start", "end", "step", "service", "by", "new_from")
	q := p.windows()
	newFrom := p.newFrom(q)
	by := p.oneOf("by", []string{"service"})
	if err := p.err(); err != nil {
		return err
	}
	b, err := metrics.NewBuilder(q.Start, q.End, q.Step, len(by) > 0)
	if err != nil {
		return wrong("step", err)
	}
	ctx := c.Request().Context()
	set, err := s.Resident.Fresh(ctx)
	if err != nil {
		return err
	}
	texts, err := s.sumUp(ctx, set, b, q)
	if errors.Is(err, metrics.ErrTooMuch) {
		return wrong("by", err)
	}
	if err != nil {
		return err
	}
	out := metricsJSON{Report: b.Report(texts.Top(maxTopErrors)), Lag: s.Status.Lag()}
	if !newFrom.IsZero() {
		if out.New, err = s.newErrors(ctx, set, q, newFrom, texts); err != nil {
			return err
		}
	}
	windowsFrom, hoursFrom, err := s.Windows.WindowsFrom(ctx) // asked last: what is deleted meanwhile is said
	if err != nil {
		return err
	}
	setting := "RETENTION_WINDOWS"
	if out.WindowsFrom = windowsFrom; q.Hours() {
		out.WindowsFrom, setting = hoursFrom, "RETENTION_HOURS"
	}
	if out.Partial = q.Start.Before(out.WindowsFrom); out.Partial {
		out.Reason = "counts from before " + out.WindowsFrom.Format(time.RFC3339) + " are not kept (" + setting + ")"
	}
	if out.New != nil && out.New.From.Before(out.WindowsFrom) {
		out.New.From = out.WindowsFrom
	}
	return c.JSON(http.StatusOK, out)
}

// newFrom is how far back error texts are compared with those of q; zero when nobody asks. Texts are kept by the minute.
func (p *params) newFrom(q windows.Query) time.Time {
	if p.c.QueryParam("new_from") == "" {
		return time.Time{}
	}
	from := time.Unix(0, p.time("new_from", 0)).UTC().Truncate(time.Minute)
	if !from.Before(q.Start) || q.Start.Sub(from) > maxRange {
		p.wrong("new_from", "is not within %d days before start", int(maxRange.Hours()/24))
	}
	return from
}

// newErrors compares the texts of q with those from a moment on up to its start.
func (s *server) newErrors(ctx context.Context, set *windows.Set, q windows.Query, from time.Time, texts metrics.Errors) (*newErrors, error) {
	known := metrics.Errors{}
	before := windows.Query{Start: from, End: q.Start.Truncate(time.Minute), Service: q.Service}
	if err := s.errorTexts(ctx, set, before, known); err != nil {
		return nil, err
	}
	return &newErrors{From: from, Known: len(known), Errors: texts.New(known, maxNewErrors)}, nil
}

func wrong(param string, err error) error {
	return fault.Invalid("the request has mistakes", fault.Field{Name: param, Reason: err.Error()})
}

// sumUp fills b: from hours where they can answer, from windows otherwise.
func (s *server) sumUp(ctx context.Context, set *windows.Set, b *metrics.Builder, q windows.Query) (metrics.Errors, error) {
	texts := metrics.Errors{}
	hours, err := s.HoursSet.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	at, _ := hours.Covered(q)
	if at.After(q.Start) {
		if err := s.sumWindows(ctx, set, b, texts, q.Until(at)); err != nil {
			return nil, err
		}
	}
	if !at.Before(q.End) {
		return texts, nil
	}
	hours.AddErrors(texts, q, at)
	if q.Service != "" { // with its response times, which are in MySQL
		return texts, s.Hours.HoursOf(ctx, at, q.End, q.Service, b.Add)
	}
	return texts, hours.Fill(b, q, at)
}

// sumWindows fills b and texts from memory, and from MySQL with what memory has no room for or has not loaded yet.
func (s *server) sumWindows(ctx context.Context, set *windows.Set, b *metrics.Builder, texts metrics.Errors, q windows.Query) error {
	from, _ := set.Covered(q)
	if from.After(q.Start) {
		if err := s.Windows.Windows(ctx, q.Start, from, q.Service, b.Add); err != nil {
			return err
		}
	}
	if err := s.errorTexts(ctx, set, q, texts); err != nil {
		return err
	}
	return set.Fill(b, q, from)
}

// errorTexts adds the error texts of a range, from memory and from MySQL.
func (s *server) errorTexts(ctx context.Context, set *windows.Set, q windows.Query, texts metrics.Errors) error {
	_, from := set.Covered(q)
	if from.After(q.Start) {
		if err := s.Windows.ErrorTexts(ctx, q.Start, from, q.Service, texts); err != nil {
			return err
		}
	}
	set.AddErrors(texts, q, from)
	return nil
}

// serviceJSON is what a service sent and what the catalogue says of it.
type serviceJSON struct {
	windows.Service
	known
}

type known = catalogue.Service

// servicesJSON is the answer of GET /api/services.
type servicesJSON struct {
	Services   []serviceJSON `json:"services"`
	NextCursor string        `json:"next_cursor"` // the last name; "" at the end
	Lag        status.Lag    `json:"lag"`
}

func (s *server) services(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("start", "end", "limit", "cursor")
	q := p.servicesIn()
	limit := p.number("limit", defaultLimit, maxLimit)
	if err := p.err(); err != nil {
		return err
	}
	found, err := s.servicesOf(c.Request().Context(), q)
	if err != nil {
		return err
	}
	page := found.After(c.QueryParam("cursor"), limit+1)
	out := servicesJSON{Services: []serviceJSON{}, Lag: s.Status.Lag()}
	if len(page) > limit {
		page = page[:limit]
		out.NextCursor = page[max(0, limit-1)].Name
	}
	services, _ := s.Catalogue()
	for _, f := range page {
		out.Services = append(out.Services, serviceJSON{f, services.Service(f.Name)})
	}
	return c.JSON(http.StatusOK, out)
}

// servicesOf adds services up: from hours where they can answer, from windows otherwise.
func (s *server) servicesOf(ctx context.Context, q windows.Query) (windows.Services, error) {
	out := windows.Services{}
	hours, err := s.HoursSet.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	at, _ := hours.Covered(q)
	hours.AddServices(out, q, at)
	if q = q.Until(at); !q.Start.Before(q.End) {
		return out, nil
	}
	set, err := s.Resident.Fresh(ctx)
	if err != nil {
		return nil, err
	}
	from, _ := set.Covered(q)
	if from.After(q.Start) {
		if err := s.Windows.Windows(ctx, q.Start, from, "", out.Add); err != nil {
			return nil, err
		}
	}
	set.AddServices(out, q, from)
	return out, nil
}

func (s *server) health(c echo.Context) error {
	h := s.Status.Health(c.Request().Context())
	code := http.StatusOK
	if h.Status == status.Down {
		code = http.StatusServiceUnavailable
	}
	return c.JSON(code, h)
}
