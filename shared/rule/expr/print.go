package expr

import (
	"fmt"
	"strconv"
	"strings"
)

// Binding strengths, loosest first, as Parse has them.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindCompare
	bindSum
	bindProduct
	bindUnary
	bindPrimary
)

// Print is the canonical text of an expression: Parse(Print(n)) prints the same. Equal texts mean equal expressions, which is how
// predicates and accumulators of different rules are found to be one.
func Print(n Node) string {
	var p printer
	p.node(n, bindOr)
	return p.String()
}

type printer struct{ strings.Builder }

func binding(n Node) int {
	switch n := n.(type) {
	case *Binary:
		return binaryBinding[n.Op]
	case *Unary:
		if n.Op == "not" {
			return bindNot
		}
		return bindUnary
	case *IsNull, *In, *Between:
		return bindCompare
	case *Literal:
		if strings.HasPrefix(n.Text, "-") {
			return bindUnary
		}
	}
	return bindPrimary
}

var binaryBinding = map[string]int{
	"or": bindOr, "and": bindAnd, "+": bindSum, "-": bindSum, "*": bindProduct, "/": bindProduct, "%": bindProduct, "div": bindProduct, "mod": bindProduct,
	"=": bindCompare, "<>": bindCompare, "<": bindCompare, "<=": bindCompare, ">": bindCompare, ">=": bindCompare, "like": bindCompare, "regexp": bindCompare,
}

// node prints n, in brackets when it binds looser than the place it stands in.
func (p *printer) node(n Node, place int) {
	if binding(n) < place {
		p.WriteByte('(')
		p.bare(n)
		p.WriteByte(')')
		return
	}
	p.bare(n)
}

func (p *printer) bare(n Node) {
	switch n := n.(type) {
	case *Literal:
		p.WriteString(printLiteral(n))
	case *Column:
		p.WriteString(n.String())
	case *Unary:
		p.unary(n)
	case *Binary:
		at := binding(n)
		p.node(n.L, at)
		p.WriteString(" " + strings.ToUpper(n.Op) + " ")
		p.node(n.R, at+1)
	case *IsNull:
		p.node(n.X, bindCompare)
		p.WriteString(" IS" + not(n.Not) + " NULL")
	case *In:
		p.node(n.X, bindCompare)
		p.WriteString(not(n.Not) + " IN (")
		p.list(n.List)
		p.WriteByte(')')
	case *Between:
		p.node(n.X, bindCompare)
		p.WriteString(not(n.Not) + " BETWEEN ")
		p.node(n.Lo, bindSum)
		p.WriteString(" AND ")
		p.node(n.Hi, bindSum)
	case *Case:
		p.caseOf(n)
	case *Call:
		p.WriteString(strings.ToUpper(n.Name) + "(")
		p.list(n.Args)
		p.WriteByte(')')
	case *Aggregate:
		p.aggregate(n)
	}
}

func not(yes bool) string {
	if yes {
		return " NOT"
	}
	return ""
}

func (p *printer) unary(n *Unary) {
	if n.Op == "not" {
		p.WriteString("NOT ")
		p.node(n.X, bindNot)
		return
	}
	p.WriteByte('-')
	p.node(n.X, bindPrimary) // never two minus signs in a row: they would begin a comment
}

func (p *printer) list(ns []Node) {
	for i, n := range ns {
		if i > 0 {
			p.WriteString(", ")
		}
		p.node(n, bindOr)
	}
}

func (p *printer) caseOf(n *Case) {
	p.WriteString("CASE")
	if n.X != nil {
		p.WriteByte(' ')
		p.node(n.X, bindOr)
	}
	for _, w := range n.Whens {
		p.WriteString(" WHEN ")
		p.node(w.Cond, bindOr)
		p.WriteString(" THEN ")
		p.node(w.Then, bindOr)
	}
	if n.Else != nil {
		p.WriteString(" ELSE ")
		p.node(n.Else, bindOr)
	}
	p.WriteString(" END")
}

func (p *printer) aggregate(n *Aggregate) {
	switch {
	case n.X == nil:
		p.WriteString("COUNT(*)")
	case n.Name == "percentile":
		p.WriteString("APPROX_PERCENTILE(")
		p.node(n.X, bindOr)
		p.WriteString(", " + strconv.FormatFloat(n.Quantile, 'g', -1, 64) + ")")
	default:
		p.WriteString(strings.ToUpper(n.Name) + "(")
		if n.Distinct {
			p.WriteString("DISTINCT ")
		}
		p.node(n.X, bindOr)
		p.WriteByte(')')
	}
	if n.Where != nil {
		p.WriteString(" FILTER (WHERE ")
		p.node(n.Where, bindOr)
		p.WriteByte(')')
	}
}

func printLiteral(l *Literal) string {
	switch v := l.Value.(type) {
	case nil:
		return "NULL"
	case bool:
		return strings.ToUpper(strconv.FormatBool(v))
	case string:
		return quote(v)
	}
	if l.Text != "" {
		return l.Text
	}
	return fmt.Sprint(l.Value)
}

func quote(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

// String is the column as it is written in an expression.
func (c *Column) String() string {
	if c.Name == attributesColumn {
		return attributesColumn + "[" + quote(c.Attribute) + "]"
	}
	return c.Name
}
