package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// alertsRange is how far back alerts are listed when nothing is said.
const alertsRange = 7 * 24 * time.Hour

// alertsJSON is the answer of GET /api/alerts.
type alertsJSON struct {
	Alerts     []store.AlertRow `json:"alerts"`
	NextCursor string           `json:"next_cursor"`
}

var alertStates = []string{"active", "acknowledged", "resolved"}

func (p *params) oneOf(name string, allowed []string) []string {
	got := p.list(name)
	for _, v := range got {
		if !slices.Contains(allowed, v) {
			p.wrong(name, "%q is not one of %s", v, strings.Join(allowed, ", "))
		}
	}
	return got
}

func (s *server) listAlerts(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("state", "severity", "service", "team", "rule", "start", "end", "limit", "cursor")
	now := s.Now().UnixNano()
	f := store.AlertFilter{States: p.oneOf("state", alertStates), Severities: p.oneOf("severity", rule.Severities), Service: c.QueryParam("service"), Team: c.QueryParam("team"),
		Rule: c.QueryParam("rule"), Start: p.time("start", now-int64(alertsRange)), End: p.time("end", now+int64(time.Minute)), Limit: p.number("limit", defaultLimit, maxLimit)}
	if b := (store.AlertCursor{}); p.cursor("alerts", &b) {
		f.Before = &b
	}
	if err := p.err(); err != nil {
		return err
	}
	return s.alertList(c, f)
}

func (s *server) activeAlerts(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("severity", "service", "team", "rule", "limit")
	f := store.AlertFilter{States: alertStates[:2], Severities: p.oneOf("severity", rule.Severities), Service: c.QueryParam("service"), Team: c.QueryParam("team"), Rule: c.QueryParam("rule"),
		End: s.Now().Add(time.Minute).UnixNano(), Limit: p.number("limit", defaultLimit, maxLimit)}
	if err := p.err(); err != nil {
		return err
	}
	return s.alertList(c, f)
}

func (s *server) alertList(c echo.Context, f store.AlertFilter) error {
	rows, err := s.Rules.Alerts(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := alertsJSON{Alerts: rows}
	if len(rows) == f.Limit && f.Limit > 0 {
		out.NextCursor = seal("alerts", rows[f.Limit-1].Cursor())
	}
	return c.JSON(http.StatusOK, out)
}

func (s *server) alertStats(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("start", "end")
	now := s.Now().UnixNano()
	start, end := p.time("start", now-int64(alertsRange)), p.time("end", now+int64(time.Minute))
	if err := p.err(); err != nil {
		return err
	}
	st, err := s.Rules.Stats(c.Request().Context(), start, end)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, st)
}

func (s *server) getAlert(c echo.Context) error {
	a, err := s.Rules.Alert(c.Request().Context(), c.Param("id"))
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

const (
	maxWho  = 200
	maxNote = 4096
)

func (s *server) handleAlert(kind string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var h handling
		if err := (&echo.DefaultBinder{}).BindBody(c, &h); err != nil {
			return fault.Invalid("the body is not JSON with who and note")
		}
		if h.Who == "" {
			h.Who = who(c)
		}
		switch {
		case h.Who == "" || len(h.Who) > maxWho:
			return fault.Invalid("the request has mistakes", fault.Field{Name: "who", Reason: fmt.Sprintf("say who you are, in at most %d bytes", maxWho)})
		case len(h.Note) > maxNote || kind == store.KindNote && h.Note == "":
			return fault.Invalid("the request has mistakes", fault.Field{Name: "note", Reason: fmt.Sprintf("must be 1 to %d bytes", maxNote)})
		}
		ctx := c.Request().Context()
		if err := s.Rules.Command(ctx, c.Param("id"), kind, h.Who, h.Note); err != nil {
			return err
		}
		a, err := s.Rules.Alert(ctx, c.Param("id"))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, a)
	}
}
