package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/backtest"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// Rules keeps the rules and what people do to alerts.
type Rules interface {
	ChangeRule(ctx context.Context, c store.Change) (store.RuleRow, error)
	Rule(ctx context.Context, id int64) (store.RuleRow, error)
	Rules(ctx context.Context, team string, after int64, limit int) ([]store.RuleRow, error)
	Alerts(ctx context.Context, f store.AlertFilter) ([]store.AlertRow, error)
	Alert(ctx context.Context, id string) (store.AlertRow, error)
	Command(ctx context.Context, id, kind, who, note string) error
	Stats(ctx context.Context, start, end int64) (store.AlertStats, error)
	backtest.Source
}

// maxEstimate is the range that validate looks back over.
const maxEstimate = 24 * time.Hour

// body reads a rule and checks it. Its mistakes name their fields.
func (s *server) body(c echo.Context) (*rule.Compiled, error) {
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, err
	}
	r, err := rule.Parse(raw)
	if err != nil {
		return nil, fault.Invalid(err.Error())
	}
	r.Normalize()
	compiled, err := rule.Compile("0", 0, r)
	if err != nil {
		return nil, fault.Invalid("the rule has mistakes", fieldsOf(err)...)
	}
	return compiled, nil
}

// fieldsOf takes joined mistakes apart.
func fieldsOf(err error) (out []fault.Field) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			out = append(out, fieldsOf(e)...)
		}
		return out
	}
	var f *rule.FieldError
	if !errors.As(err, &f) {
		return []fault.Field{{Name: "rule", Reason: err.Error()}}
	}
	reason := f.Message
	if f.Pos >= 0 {
		reason = fmt.Sprintf("at %d: %s", f.Pos+1, f.Message)
	}
	return []fault.Field{{Name: f.Field, Reason: reason}}
}

// idOf is the id in the route, of a rule or whatever what says.
func idOf(c echo.Context, what string) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, fault.NotFound("there is no %s %.80q", what, c.Param("id"))
	}
	return id, nil
}

// who is the person or program that the caller says it is; tokens come later.
func who(c echo.Context) string {
	name := c.Request().Header.Get("X-Logmill-User")
	if len(name) > 200 {
		name = name[:200]
	}
	return strings.ToValidUTF8(name, "?")
}

func etag(version int) string { return fmt.Sprintf("%q", strconv.Itoa(version)) }

// ifMatch is the version that the caller has seen, 0 when it does not say.
func ifMatch(c echo.Context) (int, error) {
	text := strings.Trim(strings.TrimPrefix(c.Request().Header.Get("If-Match"), "W/"), `"`)
	if text == "" || text == "*" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fault.Stale("If-Match is no ETag of ours: it stands in the answer to a GET")
	}
	return n, nil
}

func ruleAnswer(c echo.Context, code int, r store.RuleRow) error {
	c.Response().Header().Set("ETag", etag(r.Version))
	return c.JSON(code, r)
}

func (s *server) createRule(c echo.Context) error {
	r, err := s.body(c)
	if err != nil {
		return err
	}
	row, err := s.Rules.ChangeRule(c.Request().Context(), store.Change{Rule: r.Rule, Author: who(c)})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", fmt.Sprintf("/api/alert-rules/%d", row.ID))
	return ruleAnswer(c, http.StatusCreated, row)
}

// rulesJSON is the answer of GET /api/alert-rules.
type rulesJSON struct {
	Rules      []store.RuleRow `json:"rules"`
	NextCursor string          `json:"next_cursor"`
}

func (s *server) listRules(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("team", "limit", "cursor")
	limit := p.number("limit", defaultLimit, maxLimit)
	var after int64
	p.cursor("rules", &after)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := s.Rules.Rules(c.Request().Context(), c.QueryParam("team"), after, limit)
	if err != nil {
		return err
	}
	out := rulesJSON{Rules: rows}
	if len(rows) == limit && limit > 0 {
		out.NextCursor = seal("rules", rows[limit-1].ID)
	}
	return c.JSON(http.StatusOK, out)
}

func (s *server) getRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	row, err := s.Rules.Rule(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return ruleAnswer(c, http.StatusOK, row)
}

func (s *server) putRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	seen, err := ifMatch(c)
	if err != nil {
		return err
	}
	r, err := s.body(c)
	if err != nil {
		return err
	}
	row, err := s.Rules.ChangeRule(c.Request().Context(), store.Change{ID: id, Version: seen, Rule: r.Rule, Author: who(c)})
	if err != nil {
		return err
	}
	return ruleAnswer(c, http.StatusOK, row)
}

func (s *server) deleteRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	seen, err := ifMatch(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	row, err := s.Rules.Rule(ctx, id)
	if err != nil {
		return err
	}
	if _, err := s.Rules.ChangeRule(ctx, store.Change{ID: id, Version: seen, Rule: row.Rule, Delete: true, Author: who(c)}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// validationJSON is the answer of POST /api/alert-rules/validate.
type validationJSON struct {
	Valid    bool          `json:"valid"`
	Errors   []fault.Field `json:"errors"`
	Explain  string        `json:"explain,omitempty"`
	Estimate *estimateJSON `json:"estimate,omitempty"`
}

// estimateJSON is how often the rule would have fired in the last hours.
type estimateJSON struct {
	Alerts  int     `json:"alerts"`
	Hours   float64 `json:"hours"`
	Partial bool    `json:"partial"`
}

func (s *server) validateRule(c echo.Context) error {
	r, err := s.body(c)
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.InvalidInput {
		if len(f.Fields) == 0 {
			f.Fields = []fault.Field{{Name: "rule", Reason: f.Message}}
		}
		return c.JSON(http.StatusOK, validationJSON{Errors: f.Fields})
	}
	if err != nil {
		return err
	}
	now := s.Now().UnixNano()
	res, err := backtest.Run(c.Request().Context(), s.Rules, r, now-int64(maxEstimate), now, s.Now)
	if err != nil {
		return err
	}
	hours := float64(res.CoveredUntil.UnixNano()-now+int64(maxEstimate)) / 3.6e12
	return c.JSON(http.StatusOK, validationJSON{Valid: true, Errors: []fault.Field{}, Explain: r.Explain(), Estimate: &estimateJSON{len(res.Alerts), max(0, hours), res.Partial}})
}

func (s *server) backtestBody(c echo.Context) error {
	r, err := s.body(c)
	if err != nil {
		return err
	}
	return s.backtest(c, r)
}

func (s *server) backtestRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	row, err := s.Rules.Rule(c.Request().Context(), id)
	if err != nil {
		return err
	}
	r, err := rule.Compile(strconv.FormatInt(row.ID, 10), row.Version, row.Rule)
	if err != nil {
		return fault.Invalid("the rule has mistakes", fieldsOf(err)...)
	}
	return s.backtest(c, r)
}

func (s *server) backtest(c echo.Context, r *rule.Compiled) error {
	p := &params{c: c, now: s.Now()}
	p.only("start", "end")
	start, end := p.window()
	if err := p.err(); err != nil {
		return err
	}
	res, err := backtest.Run(c.Request().Context(), s.Rules, r, start.UnixNano(), end.UnixNano(), s.Now)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, res)
}
