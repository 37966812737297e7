package expr

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// CheckFilter checks an expression that chooses records: no aggregates, and a truth value. The error is an *Error.
func CheckFilter(n Node) error {
	c := checker{columns: true}
	_, err := c.expect(n, Number, "a filter is true or false")
	return c.result(err)
}

// CheckCondition checks an expression over a set of records: at least one aggregate, none inside another, columns outside of
// aggregates only when records are grouped by them, and a number as the result. The error is an *Error.
func CheckCondition(n Node, groupBy []*Column) error {
	c := checker{groupBy: groupBy, aggregates: true}
	_, err := c.expect(n, Number, "a condition's value is compared with a threshold")
	if err == nil && !c.aggregated {
		err = at(n, 1, "a condition needs an aggregate, such as COUNT(*) or AVG(response_time_ms)")
	}
	return c.result(err)
}

type checker struct {
	groupBy    []*Column
	columns    bool // bare columns may stand here
	aggregates bool // aggregates may stand here
	aggregated bool // one was seen
}

func (c *checker) result(err *Error) error {
	if err != nil {
		return err
	}
	return nil
}

func at(n Node, length int, format string, args ...any) *Error {
	return &Error{Pos: n.Position(), Len: length, Message: fmt.Sprintf(format, args...)}
}

// expect checks that n can be used as want.
func (c *checker) expect(n Node, want Type, because string) (Type, *Error) {
	got, err := c.typeOf(n)
	if err == nil && !fits(got, want) {
		err = at(n, len(Print(n)), "%s is %s, but must be %s: %s", clip(Print(n)), got, want, because)
	}
	return got, err
}

func fits(got, want Type) bool { return got == want || got == Free || want == Free }

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

func (c *checker) typeOf(n Node) (Type, *Error) {
	switch n := n.(type) {
	case *Literal:
		return literalType(n), nil
	case *Column:
		return c.column(n)
	case *Unary:
		_, err := c.expect(n.X, Number, strings.ToUpper(n.Op)+" needs one")
		return Number, err
	case *Binary:
		return Number, c.binary(n)
	case *IsNull:
		_, err := c.typeOf(n.X)
		return Number, err
	case *In:
		return Number, c.comparable(append([]Node{n.X}, n.List...)...)
	case *Between:
		return Number, c.comparable(n.X, n.Lo, n.Hi)
	case *Case:
		return c.caseOf(n)
	case *Call:
		return c.call(n)
	case *Aggregate:
		return Number, c.aggregate(n)
	}
	return Free, at(n, 1, "this cannot stand in an expression")
}

func literalType(n *Literal) Type {
	switch n.Value.(type) {
	case nil:
		return Free
	case string:
		return Text
	}
	return Number
}

func (c *checker) column(n *Column) (Type, *Error) {
	grouped := slices.ContainsFunc(c.groupBy, func(g *Column) bool { return g.String() == n.String() })
	if !c.columns && !grouped {
		return Free, at(n, len(n.String()), "%s is a column of single records: put it into an aggregate, or group by it", n)
	}
	if n.Name == attributesColumn {
		return Free, nil
	}
	if !c.columns {
		return Text, nil // the group's label
	}
	return columns[n.Name], nil
}

func (c *checker) binary(n *Binary) *Error {
	switch n.Op {
	case "=", "<>", "<", "<=", ">", ">=":
		if col, ok := n.L.(*Column); ok && col.Name == "level" && n.Op != "=" && n.Op != "<>" {
			return at(n, len(n.Op), "levels are texts and have no order here: write level IN ('error', 'fatal')")
		}
		return c.comparable(n.L, n.R)
	case "like", "regexp":
		return c.match(n)
	}
	for _, x := range []Node{n.L, n.R} {
		if _, err := c.expect(x, Number, strings.ToUpper(n.Op)+" needs one"); err != nil {
			return err
		}
	}
	return nil
}

// comparable checks that all of ns can be compared with the first.
func (c *checker) comparable(ns ...Node) *Error {
	first, err := c.typeOf(ns[0])
	if err != nil {
		return err
	}
	for _, n := range ns[1:] {
		if _, err := c.expect(n, first, fmt.Sprintf("it is compared with %s", clip(Print(ns[0])))); err != nil {
			return err
		}
		if err := checkLevel(ns[0], n); err != nil {
			return err
		}
	}
	return nil
}

// checkLevel finds texts that are no level: such a comparison could never be true.
func checkLevel(x, n Node) *Error {
	col, isColumn := x.(*Column)
	lit, isLiteral := n.(*Literal)
	if !isColumn || !isLiteral || col.Name != "level" {
		return nil
	}
	s, ok := lit.Value.(string)
	if !ok || slices.Contains(logrec.LevelNames(), s) {
		return nil
	}
	if l, known := logrec.ParseLevel(s); known {
		return at(n, len(s)+2, "no stored record has level '%s' (did you mean '%s'?)", s, l)
	}
	return at(n, len(s)+2, "'%s' is not a level%s; the levels are %s", s, DidYouMean(s, logrec.LevelNames()), strings.Join(logrec.LevelNames(), ", "))
}

func (c *checker) match(n *Binary) *Error {
	if _, err := c.expect(n.L, Text, strings.ToUpper(n.Op)+" looks into texts"); err != nil {
		return err
	}
	lit, ok := n.R.(*Literal)
	pattern, isText := "", false
	if ok {
		pattern, isText = lit.Value.(string)
	}
	if !isText {
		return at(n.R, len(Print(n.R)), "the pattern of %s must be a text in quotes", strings.ToUpper(n.Op))
	}
	if n.Op == "regexp" {
		if _, err := regexp.Compile(pattern); err != nil {
			return at(n.R, len(pattern)+2, "the regular expression (RE2) cannot be read: %v", err)
		}
	}
	return nil
}

func (c *checker) caseOf(n *Case) (Type, *Error) {
	result := Free
	values := make([]Node, 0, len(n.Whens)+1)
	for _, w := range n.Whens {
		var err *Error
		if n.X != nil {
			err = c.comparable(n.X, w.Cond)
		} else {
			_, err = c.expect(w.Cond, Number, "WHEN is true or false")
		}
		if err != nil {
			return Free, err
		}
		values = append(values, w.Then)
	}
	if n.Else != nil {
		values = append(values, n.Else)
	}
	return c.unify(result, values, "the other branches of CASE are")
}

// unify finds the type that all of ns have in common.
func (c *checker) unify(result Type, ns []Node, because string) (Type, *Error) {
	for _, v := range ns {
		t, err := c.expect(v, result, because)
		if err != nil {
			return Free, err
		}
		if result == Free {
			result = t
		}
	}
	return result, nil
}

func (c *checker) call(n *Call) (Type, *Error) {
	f := scalars[n.Name]
	var free []Node
	for i, a := range n.Args {
		want := f.args[min(i, len(f.args)-1)]
		if _, err := c.expect(a, want, strings.ToUpper(n.Name)+" needs one"); err != nil {
			return Free, err
		}
		if want == Free {
			free = append(free, a)
		}
	}
	if f.result != Free {
		return f.result, nil
	}
	return c.unify(Free, free, "the other arguments of "+strings.ToUpper(n.Name)+" are")
}

func (c *checker) aggregate(n *Aggregate) *Error {
	if !c.aggregates {
		if c.aggregated {
			return at(n, len(n.Name), "an aggregate cannot stand inside another")
		}
		return at(n, len(n.Name), "a filter looks at single records and cannot aggregate")
	}
	c.aggregated = true
	in := checker{columns: true, aggregated: true}
	if n.Where != nil {
		if _, err := in.expect(n.Where, Number, "FILTER is true or false"); err != nil {
			return err
		}
	}
	switch {
	case n.X == nil:
		return nil
	case n.Name == "count":
		_, err := in.typeOf(n.X)
		return err
	}
	_, err := in.expect(n.X, Number, strings.ToUpper(n.Name)+" needs one")
	return err
}
