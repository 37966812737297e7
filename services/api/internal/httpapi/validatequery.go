package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/fault"
)

// queryJSON is the answer of GET /api/logs/validate.
type queryJSON struct {
	Valid  bool          `json:"valid"`
	Errors []fault.Field `json:"errors"`
	Hints  []query.Hint  `json:"hints"`
	Query  string        `json:"query,omitempty"` // as it was understood
	Rule   *ruleOfJSON   `json:"rule,omitempty"`
}

// ruleOfJSON is the query as a rule's filter.
type ruleOfJSON struct {
	Filter  string       `json:"filter"`
	LeftOut []query.Left `json:"left_out"` // what a rule cannot ask for
}

// validateQuery reads a query without searching: for whoever is writing one. Mistakes are its answer, not its failure.
func (s *server) validateQuery(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("q")
	if err := p.err(); err != nil {
		return err
	}
	parsed, err := query.Parse(c.QueryParam("q"))
	if err != nil {
		return c.JSON(http.StatusOK, queryJSON{Errors: []fault.Field{queryProblem(err)}, Hints: []query.Hint{}})
	}
	rule := query.Rule(parsed.Filter)
	out := queryJSON{Valid: true, Errors: []fault.Field{}, Hints: append([]query.Hint{}, parsed.Hints...), Query: query.Print(parsed.Filter)}
	out.Rule = &ruleOfJSON{Filter: rule.Filter, LeftOut: append([]query.Left{}, rule.Left...)}
	return c.JSON(http.StatusOK, out)
}
