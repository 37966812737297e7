package expr

import (
	"fmt"
	"strings"
)

// Words says in plain English what an expression is, for people who check what they wrote.
func Words(n Node) string {
	switch n := n.(type) {
	case *Aggregate:
		return aggregateWords(n)
	case *Binary:
		return binaryWords(n)
	case *Unary:
		if n.Op == "not" {
			return "not (" + Words(n.X) + ")"
		}
		return "minus " + bracketed(n.X)
	case *IsNull:
		if n.Not {
			return Words(n.X) + " is present"
		}
		return Words(n.X) + " is absent"
	case *In:
		return fmt.Sprintf("%s is%s one of %s", Words(n.X), strings.ToLower(not(n.Not)), wordList(n.List))
	case *Between:
		return fmt.Sprintf("%s is%s between %s and %s", Words(n.X), strings.ToLower(not(n.Not)), Words(n.Lo), Words(n.Hi))
	case *Literal:
		if n.Value == nil {
			return "nothing"
		}
	}
	return Print(n)
}

func wordList(ns []Node) string {
	parts := make([]string, len(ns))
	for i, n := range ns {
		parts[i] = Words(n)
	}
	return strings.Join(parts, ", ")
}

var operatorWords = map[string]string{
	"=": "is", "<>": "is not", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least", "like": "matches", "regexp": "matches the regular expression",
	"+": "plus", "-": "minus", "*": "times", "/": "divided by", "%": "modulo", "mod": "modulo", "div": "divided, without remainder, by", "and": "and", "or": "or",
}

func binaryWords(n *Binary) string {
	return bracketed(n.L) + " " + operatorWords[n.Op] + " " + bracketed(n.R)
}

// bracketed puts what is itself a chain of words into brackets where reading would go wrong without.
func bracketed(n Node) string {
	if b, ok := n.(*Binary); ok && (b.Op == "or" || binding(b) == bindSum) {
		return "(" + Words(n) + ")"
	}
	return Words(n)
}

func aggregateWords(a *Aggregate) string {
	where := And(a.Where)
	x := a.X
	if p, ok := Conditional(a); ok {
		where, x = And(where, p), nil
	}
	condition := ""
	if where != nil {
		condition = " where " + Words(where)
	}
	switch {
	case a.Name == "count" && a.Distinct:
		return "the number of different values of " + Words(a.X) + condition
	case a.Name == "count" && x == nil:
		return "the number of lines" + condition
	case a.Name == "count":
		return "the number of lines that have " + Words(x) + condition
	case a.Name == "percentile":
		return fmt.Sprintf("the %gth percentile of %s%s", a.Quantile*100, Words(x), condition)
	}
	return map[string]string{"sum": "the sum of ", "avg": "the average of ", "min": "the smallest ", "max": "the largest "}[a.Name] + Words(x) + condition
}

// Conditional is the predicate p of COUNT(CASE WHEN p THEN constant END), the form in which SQL counts some of the records.
func Conditional(a *Aggregate) (p Node, ok bool) {
	c, isCase := a.X.(*Case)
	if !isCase || a.Name != "count" || a.Distinct || c.X != nil || c.Else != nil || len(c.Whens) != 1 {
		return nil, false
	}
	l, isLiteral := c.Whens[0].Then.(*Literal)
	if !isLiteral || l.Value == nil {
		return nil, false
	}
	return c.Whens[0].Cond, true
}
