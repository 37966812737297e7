package rule

import (
	"fmt"
	"math"
	"slices"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Errors of what the engine estimates, relative: of percentiles as a bound (DDSketch at 1 %), of distinct counts above DistinctExact a bucket as what
// is hardly ever passed (HyperLogLog, p = 14: a standard deviation of 0.81 %).
const (
	PercentileError = 0.01
	DistinctError   = 0.025
	DistinctExact   = 1024
)

// Warnings are what is allowed and probably not meant.
func (c *Compiled) Warnings() (out []*FieldError) {
	warn := func(field, format string, args ...any) {
		out = append(out, &FieldError{Field: field, Message: fmt.Sprintf(format, args...), Pos: -1})
	}
	relative := c.Error()
	within := math.Abs(c.Threshold) * relative
	switch {
	case relative > 0 && (c.Operator == "=" || c.Operator == "!="):
		warn("operator", "the value is an estimate, within %s %%: it is hardly ever exactly %s", plain(relative*100), plain(c.Threshold))
	case (c.Operator == "=" || c.Operator == "!=") && len(c.nullReasons()) > 0:
		warn("operator", "the value is a computed number: it is rarely exactly %s", plain(c.Threshold))
	case relative > 0 && c.distinct():
		warn("threshold", "distinct values are counted exactly up to %d a bucket and estimated above: from %s to %s it may be judged either way", DistinctExact, plain(c.Threshold-within), plain(c.Threshold+within))
	}
	if r := c.ResolveThreshold; r != nil && relative > 0 && math.Abs(*r-c.Threshold) <= 2*within {
		warn("resolve_threshold", "is within the estimate's error of the threshold: the alert may come and go")
	}
	if _, _, ratio := expr.Percentage(c.Cond); ratio && c.MinSamples == 1 {
		warn("min_samples", "is 1: a single line is 0 or 100 percent; 20 is usual")
	}
	for _, g := range c.Groups {
		if slices.Contains([]string{"message", "trace_id", "span_id", "user_id"}, g.Name) {
			warn("group_by", "%s has many values: groups above 1,000 a partition share one alert", g)
		}
	}
	return out
}

// Error is the relative error of the condition's value where it is an estimate by itself, else 0.
func (c *Compiled) Error() float64 {
	a, ok := c.Cond.(*expr.Aggregate)
	switch {
	case !ok:
		return 0
	case a.Name == "percentile":
		return PercentileError
	case a.Distinct && math.Abs(c.Threshold) > DistinctExact:
		return DistinctError
	}
	return 0
}

func (c *Compiled) distinct() bool {
	a, ok := c.Cond.(*expr.Aggregate)
	return ok && a.Distinct
}
