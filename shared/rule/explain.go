package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Explain says in plain English when the rule fires, when it stops, and what it does without data.
func (c *Compiled) Explain() string {
	s := []string{c.explainFiring()}
	for _, more := range []string{c.explainGroups(), c.explainZero(), c.explainEnd(), c.explainNoData()} {
		if more != "" {
			s = append(s, more)
		}
	}
	return strings.Join(s, " ")
}

var operatorWords = map[string]string{">": "is above", ">=": "is at least", "<": "is below", "<=": "is at most", "=": "is exactly", "!=": "is not"}

func (c *Compiled) explainFiring() string {
	s := "Fires when, over the last " + spell(time.Duration(c.TimeWindow))
	if c.Filter != "" {
		n, _ := expr.Parse(c.Filter) // Compile has parsed it
		s += ", of the lines where " + expr.Words(n)
	}
	for i, g := range c.Groups {
		s += map[bool]string{true: ", for each ", false: " and "}[i == 0] + expr.Words(g)
	}
	value := expr.Words(c.Cond)
	s += ", " + value
	if strings.ContainsAny(value, ",") || strings.Contains(value, " where ") {
		s += ","
	}
	s += " " + operatorWords[c.Operator] + " " + c.unit(c.Threshold)
	if c.For > 0 {
		s += fmt.Sprintf(", and has been for %s without a break", spell(time.Duration(c.For)))
	}
	return s + "."
}

// explainGroups: an absence can only be noticed of what was there.
func (c *Compiled) explainGroups() string {
	if len(c.Groups) == 0 || !c.Absence {
		return ""
	}
	return fmt.Sprintf("A group counts from its first line until %s after its last; then it is forgotten.", spell(time.Duration(c.GroupRetention)))
}

// explainZero: that nothing comes is a value for counts, which surprises whoever knows other systems.
func (c *Compiled) explainZero() string {
	if c.MinSamples > 1 || len(c.nullReasons()) > 0 || !Holds(c.Operator, 0, c.Threshold) {
		return ""
	}
	lines := "lines come"
	if c.Filter != "" {
		lines = "such lines come"
	}
	return "It fires as well when no " + lines + " at all: that counts as 0."
}

func (c *Compiled) explainEnd() string {
	s := ""
	if c.ResolveThreshold != nil {
		s = fmt.Sprintf("Once it fires, it goes on while the value %s %s.", operatorWords[c.Operator], c.unit(*c.ResolveThreshold))
	}
	if c.KeepFiringFor > 0 {
		s += fmt.Sprintf(" It resolves when that has no longer been so for %s.", spell(time.Duration(c.KeepFiringFor)))
	}
	return strings.TrimSpace(s)
}

func (c *Compiled) explainNoData() string {
	reasons := c.nullReasons()
	if c.MinSamples > 1 {
		reasons = append([]string{fmt.Sprintf("the window has fewer than %d lines", c.MinSamples)}, reasons...)
	}
	if len(reasons) == 0 {
		return ""
	}
	then := map[string]string{NoDataOK: "it does not fire, and resolves if it did", NoDataKeep: "it stays as it was", NoDataFiring: "it fires"}[c.NoData]
	return fmt.Sprintf("There is no value while %s; then %s.", strings.Join(reasons, ", or "), then)
}

// nullReasons are the ways in which the condition can be NULL.
func (c *Compiled) nullReasons() (out []string) {
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	expr.Walk(c.Cond, func(n expr.Node) bool {
		switch n := n.(type) {
		case *expr.Call:
			return !hasDefault(n)
		case *expr.Aggregate:
			if n.Name != "count" {
				add(nothingOf(n))
			}
			return false
		case *expr.Binary:
			if slices.Contains([]string{"/", "%", "div", "mod"}, n.Op) && !c.sampled(n.R) {
				add(divisor(n.R))
			}
		}
		return true
	})
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// hasDefault tells whether a call falls back on a constant: COALESCE(x, 0).
func hasDefault(n *expr.Call) bool {
	if n.Name != "coalesce" && n.Name != "ifnull" {
		return false
	}
	last, ok := n.Args[len(n.Args)-1].(*expr.Literal)
	return ok && last.Value != nil
}

// sampled tells whether min_samples keeps a divisor above 0: it is the number of all lines.
func (c *Compiled) sampled(n expr.Node) bool {
	a, ok := n.(*expr.Aggregate)
	return ok && a.Name == "count" && a.X == nil && a.Where == nil && c.MinSamples > 1
}

func nothingOf(a *expr.Aggregate) string {
	if _, ok := a.X.(*expr.Column); ok && a.Where == nil {
		return "no line has " + expr.Words(a.X)
	}
	return "no line counts for " + expr.Words(a)
}

func divisor(n expr.Node) string {
	switch n := n.(type) {
	case *expr.Literal:
		if n.Value != 0.0 {
			return ""
		}
	case *expr.Aggregate:
		return expr.Words(n) + " is 0"
	case *expr.Call:
		if inner, ok := n.Args[0].(*expr.Aggregate); ok && n.Name == "nullif" {
			return expr.Words(inner) + " is 0"
		}
	}
	return "it would have to divide by 0"
}

// unit is a threshold as it is read: of a percentage, in percent.
func (c *Compiled) unit(v float64) string {
	if _, _, ok := expr.Percentage(c.Cond); ok {
		return plain(v) + " percent"
	}
	return plain(v)
}

func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// spell is a duration in words: 1 hour 30 minutes.
func spell(d time.Duration) string {
	var parts []string
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}, {"millisecond", time.Millisecond}} {
		if n := d / u.unit; n > 0 {
			s := fmt.Sprintf("%d %s", n, u.name)
			if n > 1 {
				s += "s"
			}
			parts = append(parts, s)
			d -= n * u.unit
		}
	}
	return strings.Join(parts, " ")
}
