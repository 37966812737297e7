package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// Alerts tells of alerts, and keeps what people do to them.
type Alerts interface {
	Alerts(ctx context.Context, f store.AlertFilter) ([]store.AlertRow, *store.AlertCursor, error)
	Alert(ctx context.Context, id string) (store.AlertDetail, error)
	Stats(ctx context.Context, f store.AlertFilter, step time.Duration) (store.AlertStats, error)
	Command(ctx context.Context, id, kind, who, note string) error
}

// alertsJSON is the answer of GET /api/alerts.
type alertsJSON struct {
	Alerts     []store.AlertRow `json:"alerts"`
	NextCursor string           `json:"next_cursor"`
}

var alertStates = []string{store.AlertPending, store.AlertActive, store.AlertAcknowledged, store.AlertResolved}

func (p *params) oneOf(name string, allowed []string) []string {
	got := p.list(name)
	for _, v := range got {
		if !slices.Contains(allowed, v) {
			p.wrong(name, "%q is not one of %s", v, strings.Join(allowed, ", "))
		}
	}
	return got
}

var labelFilter = regexp.MustCompile(`^([a-zA-Z0-9_]+)(!?=)([^~].*|)$`)

// labels reads label=zone=eu and label=zone!=eu.
func (p *params) labels() (out []rule.Matcher) {
	given := p.c.QueryParams()["label"]
	if len(given) > maxLabels {
		p.wrong("label", "is given more than %d times", maxLabels)
		return nil
	}
	for _, text := range given {
		m := labelFilter.FindStringSubmatch(text)
		if m == nil {
			p.wrong("label", "%q is not name=value or name!=value", text)
			continue
		}
		out = append(out, rule.Matcher{Name: m[1], Value: m[3], IsEqual: m[2] == "="})
	}
	return out
}

var alertParams = []string{"severity", "service", "team", "rule", "label", "silenced"}

// alertFilter reads the parameters that every route of alerts has.
func (p *params) alertFilter() store.AlertFilter {
	f := store.AlertFilter{Severities: p.oneOf("severity", rule.Severities), Service: p.c.QueryParam("service"), Team: p.c.QueryParam("team"), Rule: p.c.QueryParam("rule"), Labels: p.labels()}
	if p.c.QueryParam("silenced") != "" {
		yes := p.yes("silenced")
		f.Silenced = &yes
	}
	return f
}

func (s *server) listAlerts(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only(append([]string{"state", "start", "end", "limit", "cursor"}, alertParams...)...)
	f := p.alertFilter()
	f.States = p.oneOf("state", alertStates)
	now := s.Now().UnixNano()
	f.Start, f.End = p.time("start", now-int64(alertsRange)), p.time("end", now+int64(time.Minute))
	return s.alertList(c, p, f)
}

// activeAlerts are those that fire, however long they have.
func (s *server) activeAlerts(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only(append([]string{"limit", "cursor"}, alertParams...)...)
	f := p.alertFilter()
	f.States, f.End = []string{store.AlertActive, store.AlertAcknowledged}, s.Now().Add(time.Minute).UnixNano()
	return s.alertList(c, p, f)
}

func (s *server) alertList(c echo.Context, p *params, f store.AlertFilter) error {
	f.Limit = p.number("limit", defaultLimit, maxLimit)
	if b := (store.AlertCursor{}); p.cursor("alerts", &b) {
		f.Before = &b
	}
	if err := p.err(); err != nil {
		return err
	}
	rows, next, err := s.Alerts.Alerts(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := alertsJSON{Alerts: rows}
	if next != nil {
		out.NextCursor = seal("alerts", next)
	}
	return c.JSON(http.StatusOK, out)
}

func (s *server) alertStats(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only(append([]string{"state", "start", "end", "step"}, alertParams...)...)
	f := p.alertFilter()
	f.States = p.oneOf("state", alertStates)
	now := s.Now().UnixNano()
	f.Start, f.End = p.time("start", now-int64(alertsRange)), p.time("end", now+int64(time.Minute))
	if f.Start >= f.End {
		p.wrong("start", "is not before end")
	}
	var step time.Duration
	if text := c.QueryParam("step"); text != "" {
		var err error
		if step, err = query.ParseDuration(text); err != nil || step < time.Second {
			p.wrong("step", "%q is not a duration of a second or more", text)
		} else if (f.End-f.Start)/int64(step) > maxPoints {
			p.wrong("step", "gives more than %d points", maxPoints)
		}
	}
	if err := p.err(); err != nil {
		return err
	}
	st, err := s.Alerts.Stats(c.Request().Context(), f, step)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, st)
}

func (s *server) getAlert(c echo.Context) error {
	a, err := s.Alerts.Alert(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, a)
}

// handling is the body of PUT …/acknowledge, …/resolve and …/note.
type handling struct {
	Who  string `json:"who"`
	Note string `json:"note"`
}

func (s *server) handleAlert(kind string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var h handling
		if c.Request().ContentLength != 0 { // without a body the header says who
			if err := readBody(c, "request", &h); err != nil {
				return err
			}
		}
		h.Who = says(c, h.Who)
		switch {
		case h.Who == "" || len(h.Who) > maxWho:
			return fault.Invalid("the request has mistakes", fault.Field{Name: "who", Reason: fmt.Sprintf("say who you are, in at most %d bytes", maxWho)})
		case len(h.Note) > maxNote || kind == store.KindNote && h.Note == "":
			return fault.Invalid("the request has mistakes", fault.Field{Name: "note", Reason: fmt.Sprintf("must be 1 to %d bytes", maxNote)})
		}
		ctx := c.Request().Context()
		if err := s.Alerts.Command(ctx, c.Param("id"), kind, h.Who, h.Note); err != nil {
			return err
		}
		a, err := s.Alerts.Alert(ctx, c.Param("id"))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, a)
	}
}
