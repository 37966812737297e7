package rule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Compiled is a version of a rule, checked and taken apart for the engine.
type Compiled struct {
	Rule
	ID      string
	Version int

	Cond       expr.Node
	Value      expr.Func         // the condition over an expr.Env of aggregates
	Aggregates []*expr.Aggregate // of the condition, in the order of the text
	Where      expr.Node         // the filter, without its pin; nil = all records
	Groups     []*expr.Column    // group_by
	Pin        string            // the service that the filter asks for
	Pinned     bool              // whether it asks for one: then the rule lives where the service's records do
	Local      bool              // Pinned, or grouped by service: one partition has all records of a group
	Monotone   bool              // with more records of a window the condition can only become true, never false
	Matching   expr.Node         // what evidence must match besides Where; nil = nothing more; absence rules have no evidence
	Absence    bool              // fires on too little
}

// Compile checks a normalized rule. The error is all mistakes joined, each a *FieldError.
func Compile(id string, version int, r Rule) (*Compiled, error) {
	c := &Compiled{Rule: r, ID: id, Version: version}
	problems := r.checkFields()
	problems = append(problems, c.groups(), c.filter(), c.condition())
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	c.Value = expr.Compile(c.Cond)
	c.Aggregates = expr.Aggregates(c.Cond)
	c.Absence = r.Operator == "<" || r.Operator == "<="
	c.Monotone = (r.Operator == ">" || r.Operator == ">=") && c.grows(c.Cond)
	c.matching()
	return c, nil
}

func (c *Compiled) groups() error {
	if len(c.GroupBy) > MaxGroupBy {
		return fieldError("group_by", "has more than %d columns", MaxGroupBy)
	}
	seen := map[string]bool{}
	for _, g := range c.GroupBy {
		n, err := expr.Parse(g)
		col, ok := n.(*expr.Column)
		if err != nil {
			return textError("group_by", err)
		}
		if !ok {
			return fieldError("group_by", "%q is not a column", clip(g))
		}
		if !col.IsText() {
			return fieldError("group_by", "%s is a number: group by a column of texts", g)
		}
		if seen[col.String()] {
			return fieldError("group_by", "%s stands there twice", g)
		}
		seen[col.String()] = true
		c.Groups = append(c.Groups, col)
	}
	return nil
}

// filter parses the filter and takes the pin, service = 'x', out of it.
func (c *Compiled) filter() error {
	grouped := slices.ContainsFunc(c.Groups, func(g *expr.Column) bool { return g.Name == "service" })
	c.Local = grouped
	if c.Filter == "" {
		return nil
	}
	n, err := expr.Parse(c.Filter)
	if err == nil {
		err = expr.CheckFilter(n)
	}
	if err != nil {
		return textError("filter", err)
	}
	for _, part := range expr.Conjuncts(n) {
		if s, ok := expr.EqualsText(part, "service"); ok && !c.Pinned {
			c.Pin, c.Pinned, c.Local = s, true, true
			continue
		}
		c.Where = expr.And(c.Where, part)
	}
	return nil
}

func (c *Compiled) condition() error {
	n, err := expr.Parse(c.Condition)
	if err == nil {
		err = expr.CheckCondition(n, c.Groups)
	}
	if err != nil {
		return textError("condition", err)
	}
	c.Cond = n
	return nil
}

// distinctExact is up to where a count of distinct values that is reached early is certain to stay reached: the engine counts exactly to
// 1,024 and estimates above, within a percent or so.
const distinctExact = 900

// grows tells whether n can only grow with more records. SUM and AVG cannot be known to.
func (c *Compiled) grows(n expr.Node) bool {
	switch n := n.(type) {
	case *expr.Literal:
		return true
	case *expr.Aggregate:
		return n.Name == "max" || n.Name == "count" && (!n.Distinct || c.Threshold <= distinctExact)
	case *expr.Binary:
		if n.Op == "+" {
			return c.grows(n.L) && c.grows(n.R)
		}
		return n.Op == "*" && (positive(n.L) && c.grows(n.R) || positive(n.R) && c.grows(n.L))
	}
	return false
}

func positive(n expr.Node) bool {
	l, ok := n.(*expr.Literal)
	if !ok {
		return false
	}
	v, ok := l.Value.(float64)
	return ok && v > 0
}

// matching finds what a record must be to be evidence: what the first conditional aggregate counts.
func (c *Compiled) matching() {
	for _, a := range c.Aggregates {
		p, _ := expr.Conditional(a)
		if p = expr.And(p, a.Where); p != nil {
			c.Matching = p
			return
		}
	}
}

// Bucket is the length of a window's buckets, ns: 1 s, or a sixtieth of the window.
func (c *Compiled) Bucket() int64 { return Bucket(time.Duration(c.TimeWindow)) }

// Bucket is the length of the buckets of a window, ns.
func Bucket(window time.Duration) int64 { return max(int64(time.Second), int64(window)/60) }

// SameWindow tells whether the windows of b can go on as windows of c: only threshold, timing, severity and texts differ.
func (c *Compiled) SameWindow(b *Compiled) bool {
	return c.TimeWindow == b.TimeWindow && c.Pin == b.Pin && c.Pinned == b.Pinned && expr.Print(c.Cond) == expr.Print(b.Cond) &&
		printed(c.Where) == printed(b.Where) && slices.EqualFunc(c.Groups, b.Groups, func(x, y *expr.Column) bool { return x.String() == y.String() })
}

func printed(n expr.Node) string {
	if n == nil {
		return ""
	}
	return expr.Print(n)
}

// Holds compares a value with a threshold.
func Holds(operator string, v, threshold float64) bool {
	switch operator {
	case ">":
		return v > threshold
	case ">=":
		return v >= threshold
	case "<":
		return v < threshold
	case "<=":
		return v <= threshold
	case "=":
		return v == threshold
	}
	return v != threshold
}

// Fingerprint names an alert: the first 128 bits of SHA-256 over the rule's id and the sorted group labels, in hex.
func Fingerprint(ruleID string, group map[string]string) string {
	b := FingerprintBytes(ruleID, group)
	return hex.EncodeToString(b[:])
}

// FingerprintBytes is Fingerprint, not in hex.
func FingerprintBytes(ruleID string, group map[string]string) [16]byte {
	names := make([]string, 0, len(group))
	for k := range group {
		names = append(names, k)
	}
	sort.Strings(names)
	b := strconv.AppendQuote(nil, ruleID)
	for _, k := range names {
		b = strconv.AppendQuote(strconv.AppendQuote(b, k), group[k])
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}
