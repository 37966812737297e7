package query

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule/expr"
)

// AsRule is a query as the filter of an alert rule, which has a language of its own (docs/rules.md).
type AsRule struct {
	Filter string // "" when no term is left: all lines
	Left   []Left // terms that are not in Filter, so that it chooses more lines than the query
}

// Left is a term that a rule cannot ask for.
type Left struct {
	Term   string `json:"term"`
	Reason string `json:"reason"`
}

// Rule writes a filter for a rule. Terms that must all hold are translated one by one; what a rule cannot ask for is left out and named.
//
// The filter chooses the lines that the query finds, but for letters that are unusual: a rule's (?i) takes the Kelvin sign for a k and
// the long s for an s, and its \b takes letters outside of ASCII for the end of a word.
func Rule(n Node) AsRule {
	var out AsRule
	var parts []expr.Node
	for _, x := range conjuncts(n) {
		part, err := asRule(x, false)
		if err == nil {
			err = fits(append(slices.Clone(parts), part))
		}
		if err != nil {
			out.Left = append(out.Left, Left{Term: Print(x), Reason: err.Error()})
			continue
		}
		parts = append(parts, part)
	}
	if all := expr.And(parts...); all != nil {
		out.Filter = expr.Print(all)
	}
	return out
}

func conjuncts(n Node) []Node {
	switch n := n.(type) {
	case nil, All:
		return nil
	case *And:
		return n.Of
	}
	return []Node{n}
}

// fits tells whether a rule takes the text: it has limits of its own.
func fits(parts []expr.Node) error {
	n, err := expr.Parse(expr.Print(expr.And(parts...)))
	if err == nil {
		err = expr.CheckFilter(n)
	}
	var at *expr.Error
	if errors.As(err, &at) {
		return errors.New(at.Message)
	}
	return err
}

// asRule translates n, or its opposite. A query knows true and false, SQL knows NULL besides: NOT is moved down to the terms, where a
// field that is absent is named.
func asRule(n Node, not bool) (expr.Node, error) {
	switch n := n.(type) {
	case *And:
		return joined(n.Of, "and", not)
	case *Or:
		if in := oneOf(n.Of); in != nil {
			return opposite(in, not, in.X), nil
		}
		return joined(n.Of, "or", not)
	case *Not:
		return asRule(n.X, !not)
	case *Term:
		return termAsRule(n, not)
	}
	return truth(!not), nil // All
}

func joined(of []Node, op string, not bool) (expr.Node, error) {
	if not {
		op = map[string]string{"and": "or", "or": "and"}[op]
	}
	var out expr.Node
	for _, x := range of {
		part, err := asRule(x, not)
		if err != nil {
			return nil, err
		}
		if out != nil {
			part = &expr.Binary{Op: op, L: out, R: part}
		}
		out = part
	}
	return out, nil
}

// oneOf is field IN ('a', 'b') for a choice of values of one field; nil when it is none.
func oneOf(of []Node) *expr.In {
	var in *expr.In
	for _, x := range of {
		t, ok := x.(*Term)
		if !ok || t.Field.Kind() != KindText && t.Field.Kind() != KindLevel {
			return nil
		}
		is, ok := t.Pred.(Is)
		if !ok || in != nil && in.X.(*expr.Column).String() != column(t.Field).String() {
			return nil
		}
		if in == nil {
			in = &expr.In{X: column(t.Field)}
		}
		in.List = append(in.List, text(is.Text))
	}
	return in
}

func termAsRule(t *Term, not bool) (expr.Node, error) {
	c := column(t.Field)
	if _, ok := t.Pred.(Exists); ok && t.Field.Kind() != KindTime && t.Field.Kind() != KindID {
		if always(c) {
			return truth(!not), nil
		}
		return &expr.IsNull{X: c, Not: !not}, nil
	}
	n, err := predicate(t, c)
	if err != nil {
		return nil, err
	}
	if _, ok := t.Pred.(Range); ok && not && t.Field.Attribute {
		// What spells no number is NULL where numbers are compared, and so is what is not there.
		return &expr.Unary{Op: "not", X: &expr.Call{Name: "coalesce", Args: []expr.Node{n, truth(false)}}}, nil
	}
	return opposite(n, not, c), nil
}

func predicate(t *Term, c *expr.Column) (expr.Node, error) {
	switch t.Field.Kind() {
	case KindMessage:
		return &expr.Binary{Op: "regexp", L: c, R: text(messageRegexp(t.Pred))}, nil
	case KindLevel:
		return levelAsRule(t.Pred, c), nil
	case KindNumber:
		return numberAsRule(t, c)
	case KindTime:
		return nil, errors.New("a rule sees time through its window")
	case KindID:
		return nil, errors.New("a rule counts lines as they come: it knows no ids")
	}
	switch p := t.Pred.(type) {
	case Is:
		return &expr.Binary{Op: "=", L: c, R: text(p.Text)}, nil
	case Wildcard:
		return &expr.Binary{Op: "like", L: c, R: text(likePattern(p.Parts))}, nil
	case Regexp:
		return &expr.Binary{Op: "regexp", L: c, R: text(p.Source)}, nil
	case Range:
		return rangeAsRule(p, c, t.Field.Attribute), nil
	}
	return nil, errors.New("rules know no networks")
}

func column(f Field) *expr.Column {
	if f.Attribute {
		return &expr.Column{Name: "attributes", Attribute: f.Name}
	}
	return &expr.Column{Name: f.Name}
}

// always tells whether each line has c.
func always(c *expr.Column) bool {
	return c.Name == "service" || c.Name == "level" || c.Name == "message"
}

func text(s string) *expr.Literal { return &expr.Literal{Value: s} }

func truth(b bool) *expr.Literal { return &expr.Literal{Value: b} }

// opposite is n, a predicate about c, or with not what holds where it does not: also where c is absent.
func opposite(n expr.Node, not bool, c expr.Node) expr.Node {
	if !not {
		return n
	}
	switch x := n.(type) {
	case *expr.Literal:
		return truth(x.Value != true)
	case *expr.In:
		n = &expr.In{X: x.X, List: x.List, Not: !x.Not}
	case *expr.Binary:
		n = &expr.Unary{Op: "not", X: x}
		if x.Op == "=" {
			n = &expr.Binary{Op: "<>", L: x.L, R: x.R}
		}
	}
	if col, ok := c.(*expr.Column); ok && always(col) {
		return n
	}
	return &expr.Binary{Op: "or", L: &expr.IsNull{X: c}, R: n}
}

// levelAsRule lists levels: in SQL they are texts, without an order.
func levelAsRule(p Pred, c *expr.Column) expr.Node {
	in := &expr.In{X: c}
	for _, l := range logrec.Levels {
		if levelMatches(p, l) {
			in.List = append(in.List, text(l.String()))
		}
	}
	switch len(in.List) {
	case 0:
		return truth(false)
	case 1:
		return &expr.Binary{Op: "=", L: c, R: in.List[0]}
	case len(logrec.Levels):
		return truth(true)
	}
	return in
}

func levelMatches(p Pred, l logrec.Level) bool {
	switch p := p.(type) {
	case Is:
		return p.Text == l.String()
	case Wildcard:
		return regexp.MustCompile(wildcardRegexp(p.Parts)).MatchString(l.String())
	case Regexp:
		return regexp.MustCompile(p.Source).MatchString(l.String())
	case Range:
		lo, _ := logrec.ParseLevel(p.Lo.Text)
		hi, _ := logrec.ParseLevel(p.Hi.Text)
		return (p.Lo.Open || l > lo || l == lo && !p.Lo.Exclusive) && (p.Hi.Open || l < hi || l == hi && !p.Hi.Exclusive)
	}
	return false
}

func numberAsRule(t *Term, c *expr.Column) (expr.Node, error) {
	switch p := t.Pred.(type) {
	case Is:
		return &expr.Binary{Op: "=", L: c, R: number(p.Text)}, nil
	case Range:
		return rangeAsRule(p, c, true), nil
	}
	return nil, fmt.Errorf("%s is a number: a rule compares it, as %s:[500 TO 599] does", t.Field, t.Field)
}

// rangeAsRule compares as numbers where the query does: when both bounds are numbers, and may be.
func rangeAsRule(r Range, c *expr.Column, numbers bool) expr.Node {
	for _, b := range []Bound{r.Lo, r.Hi} {
		numbers = numbers && (b.Open || !b.Quoted && isNumber(b.Text))
	}
	bound := func(b Bound, op string) expr.Node {
		if b.Open {
			return nil
		}
		value := text(b.Text)
		if numbers {
			value = number(b.Text)
		}
		if !b.Exclusive {
			op += "="
		}
		return &expr.Binary{Op: op, L: c, R: value}
	}
	return expr.And(bound(r.Lo, ">"), bound(r.Hi, "<"))
}

func number(s string) *expr.Literal {
	v, _ := ParseNumber(s)
	return &expr.Literal{Value: v, Text: strconv.FormatFloat(v, 'f', -1, 64)}
}

func likePattern(parts []string) string {
	escape := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = escape.Replace(p)
	}
	return strings.Join(out, "%")
}

func wildcardRegexp(parts []string) string {
	out := make([]string, len(parts))
	for i, p := range parts {
		out[i] = regexp.QuoteMeta(p)
	}
	return `(?s)^` + strings.Join(out, ".*") + `$`
}

// messageRegexp looks for texts in any case that neither begin nor end inside a word.
func messageRegexp(p Pred) string {
	var parts []string
	switch p := p.(type) {
	case Regexp:
		return p.Source
	case Is:
		parts = []string{p.Text}
	case Wildcard:
		parts = p.Parts
	}
	first, _ := utf8.DecodeRuneInString(parts[0])
	last, _ := utf8.DecodeLastRuneInString(parts[len(parts)-1])
	var quoted []string
	for _, s := range parts {
		if s != "" {
			quoted = append(quoted, regexp.QuoteMeta(s))
		}
	}
	return "(?is)" + border(first, "^") + strings.Join(quoted, ".*") + border(last, "$")
}

// border is where a word ends at r, the outermost rune of what is looked for; none where r is of no word, or is missing.
func border(r rune, end string) string {
	switch {
	case r == utf8.RuneError || r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r):
		return ""
	case r < utf8.RuneSelf:
		return `\b`
	}
	return `(?:` + end + `|[^\pL\p{Nd}_])`
}
