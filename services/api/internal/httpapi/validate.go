package httpapi

import (
	"errors"
	"fmt"
	"math"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/backtest"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// validationJSON is the answer of POST /api/alert-rules/validate.
type validationJSON struct {
	Valid    bool          `json:"valid"`
	Errors   []fault.Field `json:"errors"`
	Warnings []fault.Field `json:"warnings"` // allowed, and probably not meant
	Explain  string        `json:"explain,omitempty"`
	Estimate *estimateJSON `json:"estimate,omitempty"` // absent: not asked for, or too much is running
}

// estimateJSON is how often the rule would have fired in the last hours.
type estimateJSON struct {
	Alerts        int     `json:"alerts"`
	PerDay        float64 `json:"per_day"`
	Hours         float64 `json:"hours"`
	Lines         int64   `json:"lines"`
	Partial       bool    `json:"partial"`
	PartialReason string  `json:"partial_reason,omitempty"`
}

func (s *server) validateRule(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("estimate")
	estimate := c.QueryParam("estimate") == "" || p.yes("estimate")
	if err := p.err(); err != nil {
		return err
	}
	r, err := s.body(c)
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.InvalidInput {
		return c.JSON(http.StatusOK, validationJSON{Errors: f.Fields, Warnings: []fault.Field{}})
	}
	if err != nil {
		return err
	}
	out := validationJSON{Valid: true, Errors: []fault.Field{}, Warnings: warnings(r), Explain: r.Explain()}
	if estimate {
		now := s.Now().UnixNano()
		res, err := s.Backtests.Estimate(c.Request().Context(), r, now-int64(maxEstimate), now)
		if err != nil {
			return err
		}
		out.estimated(r, res)
	}
	return c.JSON(http.StatusOK, out)
}

func warnings(r *rule.Compiled) []fault.Field {
	out := []fault.Field{}
	for _, w := range r.Warnings() {
		out = append(out, fault.Field{Name: w.Field, Reason: w.Message})
	}
	return out
}

// estimated adds what a run over the last hours says.
func (v *validationJSON) estimated(r *rule.Compiled, res *backtest.Result) {
	if res == nil {
		return
	}
	e := &estimateJSON{Alerts: len(res.Alerts), Hours: res.CoveredUntil.Sub(res.CoveredFrom).Hours(), Lines: res.Rows, Partial: res.Partial, PartialReason: res.PartialReason}
	if e.Hours > 0 {
		e.PerDay = math.Round(float64(e.Alerts)/e.Hours*240) / 10
	}
	v.Estimate = e
	near := 0
	for _, a := range res.Alerts {
		if a.Peak != nil && math.Abs(*a.Peak-r.Threshold) <= math.Abs(r.Threshold)*r.Error() {
			near++
		}
	}
	if near > 0 && r.Error() > 0 {
		v.Warnings = append(v.Warnings, fault.Field{Name: "threshold", Reason: fmt.Sprintf("of %d alerts in the last hours, %d never left the estimate's error of the threshold (%g %%)", len(res.Alerts), near, r.Error()*100)})
	}
}
