package expr

import (
	"fmt"
	"strconv"
	"strings"
)

// Words says in plain English what an expression is, for people who check what they wrote. It never leaves anything out: what has no words is
// quoted as it is written.
func Words(n Node) string {
	switch n := n.(type) {
	case *Aggregate:
		return aggregateWords(n)
	case *Binary:
		return binaryWords(n, false)
	case *Unary:
		return unaryWords(n)
	case *IsNull:
		return Words(n.X) + map[bool]string{true: " is present", false: " is absent"}[n.Not]
	case *In:
		return Words(n.X) + map[bool]string{true: " is none of ", false: " is one of "}[n.Not] + list(n.List, "or")
	case *Between:
		return fmt.Sprintf("%s is%s between %s and %s", Words(n.X), strings.ToLower(not(n.Not)), Words(n.Lo), Words(n.Hi))
	case *Literal:
		return literalWords(n)
	case *Column:
		if n.Name == attributesColumn {
			return "attribute " + n.Attribute
		}
		return n.Name
	case *Case:
		return caseWords(n)
	case *Call:
		return callWords(n)
	}
	return Print(n)
}

// list joins with commas, and a word before the last.
func list(ns []Node, word string) string {
	parts := make([]string, len(ns))
	for i, n := range ns {
		parts[i] = Words(n)
	}
	if last := len(parts) - 1; last > 0 {
		return strings.Join(parts[:last], ", ") + " " + word + " " + parts[last]
	}
	return strings.Join(parts, ", ")
}

func literalWords(n *Literal) string {
	switch v := n.Value.(type) {
	case nil:
		return "no value"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return Print(n)
}

// comparisonWords are the comparisons, and what they are with NOT before them.
var comparisonWords = map[string][2]string{
	"=": {"is", "is not"}, "<>": {"is not", "is"}, "<": {"is below", "is not below"}, "<=": {"is at most", "is not at most"}, ">": {"is above", "is not above"}, ">=": {"is at least", "is not at least"},
	"regexp": {"matches the regular expression", "does not match the regular expression"},
}

var operatorWords = map[string]string{"+": "plus", "-": "minus", "*": "times", "/": "divided by", "%": "modulo", "mod": "modulo", "div": "divided, without remainder, by", "and": "and", "or": "or"}

func binaryWords(n *Binary, negated bool) string {
	if n.Op == "like" {
		return likeWords(n, negated)
	}
	if words, ok := comparisonWords[n.Op]; ok {
		return bracketed(n.L, n.Op) + " " + words[map[bool]int{true: 1}[negated]] + " " + bracketed(n.R, n.Op)
	}
	if top, bottom, ok := Percentage(n); ok {
		return Words(top) + ", as a percentage of " + Words(bottom)
	}
	return bracketed(n.L, n.Op) + " " + operatorWords[n.Op] + " " + bracketed(n.R, n.Op)
}

// Percentage is x and y of x * 100 / y, the commonest of conditions.
func Percentage(n Node) (x, y Node, ok bool) {
	d, isBinary := n.(*Binary)
	if !isBinary || d.Op != "/" {
		return nil, nil, false
	}
	p, isProduct := d.L.(*Binary)
	if !isProduct || p.Op != "*" {
		return nil, nil, false
	}
	for _, pair := range [][2]Node{{p.L, p.R}, {p.R, p.L}} {
		if l, isLiteral := pair[1].(*Literal); isLiteral && l.Value == 100.0 {
			return pair[0], d.R, true
		}
	}
	return nil, nil, false
}

// likeWords says what the common patterns mean.
func likeWords(n *Binary, negated bool) string {
	pattern, ok := n.R.(*Literal)
	text, isText := "", false
	if ok {
		text, isText = pattern.Value.(string)
	}
	verb, what := "match", "the pattern "+Words(n.R)+" (% is any text, _ any character)"
	if parts, plain := cutLike(text); isText && plain {
		quoted := func(s string) string { return Print(&Literal{Value: s}) }
		switch {
		case len(parts) == 1:
			return bracketed(n.L, n.Op) + map[bool]string{true: " is not ", false: " is "}[negated] + quoted(parts[0])
		case len(parts) == 2 && parts[1] == "":
			verb, what = "begin", "with "+quoted(parts[0])
		case len(parts) == 2 && parts[0] == "":
			verb, what = "end", "with "+quoted(parts[1])
		case len(parts) == 3 && parts[0] == "" && parts[2] == "":
			verb, what = "contain", quoted(parts[1])
		}
	}
	if negated {
		return bracketed(n.L, n.Op) + " does not " + verb + " " + what
	}
	if verb == "match" {
		verb = "matche"
	}
	return bracketed(n.L, n.Op) + " " + verb + "s " + what
}

func unaryWords(n *Unary) string {
	if n.Op != "not" {
		return "minus " + bracketed(n.X, "*")
	}
	if b, ok := n.X.(*Binary); ok && (b.Op == "like" || comparisonWords[b.Op][0] != "") {
		return binaryWords(b, true)
	}
	return "not (" + Words(n.X) + ")"
}

// bracketed puts what is itself a chain of words into brackets, where reading it within an operator would go wrong without.
func bracketed(n Node, within string) string {
	words, brackets := Words(n), false
	switch x := n.(type) {
	case *Binary:
		switch binding(x) {
		case bindCompare:
			brackets = binaryBinding[within] != bindAnd && within != "or"
		case bindOr, bindAnd:
			brackets = x.Op != within
		default: // arithmetic
			brackets = binaryBinding[within] != bindCompare && (x.Op != within || within != "+" && within != "*")
		}
	case *Aggregate:
		brackets = strings.Contains(words, " where ") && binaryBinding[within] != bindCompare
	case *Case, *Call:
		brackets = strings.Contains(words, ", ")
	}
	if brackets {
		return "(" + words + ")"
	}
	return words
}

func caseWords(n *Case) string {
	var arms []string
	for _, w := range n.Whens {
		cond := Words(w.Cond)
		if n.X != nil {
			cond = Words(n.X) + " is " + cond
		}
		arms = append(arms, Words(w.Then)+" if "+cond)
	}
	last := "no value"
	if n.Else != nil {
		last = Words(n.Else)
	}
	return strings.Join(arms, ", ") + ", otherwise " + last
}

func callWords(n *Call) string {
	switch n.Name {
	case "coalesce", "ifnull":
		return list(n.Args, "or, without that,")
	case "nullif":
		return Words(n.Args[0]) + ", unless that is " + Words(n.Args[1])
	case "if":
		return fmt.Sprintf("%s if %s, otherwise %s", Words(n.Args[1]), Words(n.Args[0]), Words(n.Args[2]))
	case "abs":
		return "the absolute value of " + Words(n.Args[0])
	case "greatest":
		return "the greatest of " + list(n.Args, "and")
	case "least":
		return "the least of " + list(n.Args, "and")
	}
	return Print(n)
}

func aggregateWords(a *Aggregate) string {
	where, of := a.Where, ""
	if p, ok := Conditional(a); ok {
		where = And(where, p)
	} else if a.X != nil {
		if of = Words(a.X); strings.Contains(of, ",") {
			of = "(" + of + ")"
		}
	}
	condition := ""
	if where != nil {
		condition = " where " + Words(where)
	}
	switch {
	case a.Name == "count" && a.Distinct:
		return "the number of different values of " + of + condition
	case a.Name == "count" && of == "":
		return "the number of lines" + condition
	case a.Name == "count":
		return "the number of lines that have " + of + condition
	case a.Name == "percentile":
		return fmt.Sprintf("the %s percentile of %s%s", ordinal(a.Quantile*100), of, condition)
	}
	return map[string]string{"sum": "the sum of ", "avg": "the average of ", "min": "the smallest ", "max": "the largest "}[a.Name] + of + condition
}

// ordinal is 95th, 99.9th, 1st.
func ordinal(v float64) string {
	s := strconv.FormatFloat(v, 'g', 6, 64)
	suffix := "th"
	if n := len(s); !strings.Contains(s, ".") && (n < 2 || s[n-2] != '1') {
		suffix = map[byte]string{'1': "st", '2': "nd", '3': "rd"}[s[n-1]]
		if suffix == "" {
			suffix = "th"
		}
	}
	return s + suffix
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
