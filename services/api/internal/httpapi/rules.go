package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/standing"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// Rules keeps the rules.
type Rules interface {
	ChangeRule(ctx context.Context, c store.Change) (store.RuleRow, error)
	Rule(ctx context.Context, id int64) (store.RuleRow, error)
	Rules(ctx context.Context, f store.RuleFilter) ([]store.RuleRow, error)
	RuleVersions(ctx context.Context, id int64, below, limit int) ([]store.RuleVersion, error)
	Standings(ctx context.Context) (standing.Facts, error)
}

// writtenRule is a rule as it comes: what GET answers may come back, with the fields that only we set.
type writtenRule struct {
	rule.Rule
	ID       json.RawMessage `json:"id"`
	Version  json.RawMessage `json:"version"`
	Created  json.RawMessage `json:"created_at"`
	Updated  json.RawMessage `json:"updated_at"`
	State    json.RawMessage `json:"state"`
	Groups   json.RawMessage `json:"groups"`
	Problems json.RawMessage `json:"problems"`
}

// body reads a rule and checks it. Its mistakes name their fields.
func (s *server) body(c echo.Context) (*rule.Compiled, error) {
	w := writtenRule{Rule: rule.Rule{Enabled: true}}
	if err := readBody(c, "rule", &w); err != nil {
		return nil, err
	}
	w.Normalize()
	compiled, err := rule.Compile("0", 0, w.Rule)
	return compiled, mistakes("rule", err)
}

// idOf is the id in the route, of a rule or whatever what says.
func idOf(c echo.Context, what string) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, fault.NotFound("there is no %s %.80q", what, c.Param("id"))
	}
	return id, nil
}

// who is the person or program behind a request: proven by a token or a trusted proxy, or, where no tokens are asked for, what it says.
func who(c echo.Context) string { return auth.CallerOf(c.Request()).Name }

// says is who the body names, where nobody has to prove who they are; else who.
func says(c echo.Context, named string) string {
	if caller := auth.CallerOf(c.Request()); named == "" || caller.Proven() {
		return caller.Name
	}
	return named
}

// ruleJSON is a rule and how it stands.
type ruleJSON struct {
	store.RuleRow
	standing.Standing
}

func stand(f *standing.Facts, r store.RuleRow) ruleJSON {
	c, err := rule.Compile(strconv.FormatInt(r.ID, 10), r.Version, r.Rule)
	if err != nil { // written by a newer release, or by hand
		return ruleJSON{r, standing.Standing{State: standing.Error, Problems: []standing.Problem{{Kind: standing.Error, Detail: err.Error()}}}}
	}
	return ruleJSON{r, f.Of(c, r.ID, r.Updated)}
}

func (s *server) ruleAnswer(c echo.Context, code int, r store.RuleRow) error {
	facts, err := s.Rules.Standings(c.Request().Context())
	if err != nil {
		return err
	}
	out := stand(&facts, r)
	return tagged(c, code, r.Version, out.Standing, out)
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
	return s.ruleAnswer(c, http.StatusCreated, row)
}

// rulesJSON is the answer of GET /api/alert-rules.
type rulesJSON struct {
	Rules      []ruleJSON `json:"rules"`
	NextCursor string     `json:"next_cursor"`
}

func (s *server) listRules(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("team", "name", "severity", "enabled", "limit", "cursor")
	f := store.RuleFilter{Team: c.QueryParam("team"), Name: c.QueryParam("name"), Severities: p.oneOf("severity", rule.Severities), Limit: p.number("limit", defaultLimit, maxLimit)}
	if c.QueryParam("enabled") != "" {
		yes := p.yes("enabled")
		f.Enabled = &yes
	}
	p.cursor("rules", &f.After)
	if err := p.err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	rows, err := s.Rules.Rules(ctx, f)
	if err != nil {
		return err
	}
	facts, err := s.Rules.Standings(ctx)
	if err != nil {
		return err
	}
	out := rulesJSON{Rules: make([]ruleJSON, len(rows))}
	for i, r := range rows {
		out.Rules[i] = stand(&facts, r)
	}
	if len(rows) == f.Limit && f.Limit > 0 {
		out.NextCursor = seal("rules", rows[f.Limit-1].ID)
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
	return s.ruleAnswer(c, http.StatusOK, row)
}

// versionsJSON is the answer of GET /api/alert-rules/:id/versions.
type versionsJSON struct {
	Versions   []store.RuleVersion `json:"versions"`
	NextCursor string              `json:"next_cursor"`
}

func (s *server) ruleVersions(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	p := &params{c: c, now: s.Now()}
	p.only("limit", "cursor")
	below, limit := math.MaxInt32, p.number("limit", defaultLimit, maxLimit)
	p.cursor("versions", &below)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := s.Rules.RuleVersions(c.Request().Context(), id, below, limit)
	if err != nil {
		return err
	}
	out := versionsJSON{Versions: rows}
	if len(rows) == limit && limit > 0 && rows[limit-1].Version > 1 {
		out.NextCursor = seal("versions", rows[limit-1].Version)
	}
	return c.JSON(http.StatusOK, out)
}

func (s *server) putRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	r, err := s.body(c)
	if err != nil {
		return err
	}
	row, err := s.Rules.ChangeRule(c.Request().Context(), store.Change{ID: id, Seen: ifMatch(c), Rule: r.Rule, Author: who(c)})
	if err != nil {
		return err
	}
	return s.ruleAnswer(c, http.StatusOK, row)
}

func (s *server) deleteRule(c echo.Context) error {
	id, err := idOf(c, "rule")
	if err != nil {
		return err
	}
	if _, err := s.Rules.ChangeRule(c.Request().Context(), store.Change{ID: id, Seen: ifMatch(c), Delete: true, Author: who(c)}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
