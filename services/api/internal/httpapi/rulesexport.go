package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// exportRules writes rules as logmillctl rules export does, and as its apply reads them.
func (s *server) exportRules(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("id", "team", "group")
	ids := p.list("id")
	if err := p.err(); err != nil {
		return err
	}
	rows, err := s.allRules(c.Request().Context(), store.RuleFilter{Team: c.QueryParam("team")})
	if err != nil {
		return err
	}
	group := c.QueryParam("group")
	var rules []rule.Rule
	for _, r := range rows {
		k := slices.Index(ids, strconv.FormatInt(r.ID, 10))
		if k >= 0 {
			ids = slices.Delete(ids, k, k+1)
		}
		if (k >= 0 || !p.c.QueryParams().Has("id")) && (group == "" || r.Group == group) {
			rules = append(rules, r.Rule)
		}
	}
	if len(ids) > 0 {
		return fault.NotFound("there is no rule %.80q", ids[0])
	}
	out, err := rulefile.Write(rulefile.ByGroup(rules))
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="rules.yaml"`)
	return c.Blob(http.StatusOK, "application/yaml", out)
}

// allRules reads rules page by page.
func (s *server) allRules(ctx context.Context, f store.RuleFilter) (out []store.RuleRow, err error) {
	f.Limit = maxLimit
	for {
		rows, err := s.Rules.Rules(ctx, f)
		if err != nil {
			return nil, err
		}
		if out = append(out, rows...); len(rows) < f.Limit {
			return out, nil
		}
		if len(out) >= maxExportRules {
			return nil, fault.Invalid("these are too many rules for one file", fault.Field{Name: "team", Reason: "choose a team: there are more than " + strconv.Itoa(maxExportRules) + " rules"})
		}
		f.After = rows[len(rows)-1].ID
	}
}
