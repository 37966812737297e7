package expr

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is what an expression gives: NULL (the zero value), a number or a text.
type Value struct {
	Type Type // Free = NULL
	N    float64
	S    string
}

// NumberOf is a number; what is not one (NaN, infinite) is NULL.
func NumberOf(n float64) Value {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return Value{}
	}
	return Value{Type: Number, N: n}
}

// TextOf is a text.
func TextOf(s string) Value { return Value{Type: Text, S: s} }

// Null tells whether v is NULL.
func (v Value) Null() bool { return v.Type == Free }

// number is v where a number is wanted: a text (of an attribute) is the number that it spells, else NULL.
func (v Value) number() Value {
	if v.Type != Text {
		return v
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(v.S), 64)
	if err != nil || strings.ContainsAny(v.S, "xXpP_") { // Go reads hexadecimal, SQL does not
		return Value{}
	}
	return NumberOf(n)
}

func truth(b bool) Value {
	if b {
		return Value{Type: Number, N: 1}
	}
	return Value{Type: Number}
}

// Env is what an expression is evaluated over: one record, or one group's aggregates.
type Env interface {
	Column(c *Column) Value
	Aggregate(a *Aggregate) Value
}

// Func is a compiled expression. It follows MySQL: three-valued logic, division by zero is NULL.
type Func func(Env) Value

// Compile makes a Func of a checked expression.
func Compile(n Node) Func {
	switch n := n.(type) {
	case *Literal:
		v := literalValue(n)
		return func(Env) Value { return v }
	case *Column:
		return func(e Env) Value { return e.Column(n) }
	case *Aggregate:
		return func(e Env) Value { return e.Aggregate(n) }
	case *Unary:
		return compileUnary(n)
	case *Binary:
		return compileBinary(n)
	case *IsNull:
		x := Compile(n.X)
		return func(e Env) Value { return truth(x(e).Null() != n.Not) }
	case *In:
		return compileIn(n)
	case *Between:
		return compileBetween(n)
	case *Case:
		return compileCase(n)
	case *Call:
		return compileCall(n)
	}
	return func(Env) Value { return Value{} }
}

func literalValue(l *Literal) Value {
	switch v := l.Value.(type) {
	case float64:
		return NumberOf(v)
	case bool:
		return truth(v)
	case string:
		return TextOf(v)
	}
	return Value{}
}

func compileUnary(n *Unary) Func {
	x := Compile(n.X)
	if n.Op == "not" {
		return func(e Env) Value { return not3(x(e).number()) }
	}
	return func(e Env) Value {
		v := x(e).number()
		v.N = -v.N
		return v
	}
}

func not3(v Value) Value {
	if v.Null() {
		return v
	}
	return truth(v.N == 0)
}

func compileBinary(n *Binary) Func {
	l, r := Compile(n.L), Compile(n.R)
	switch n.Op {
	case "and":
		return func(e Env) Value { return and3(l(e).number(), r(e).number()) }
	case "or":
		return func(e Env) Value { return not3(and3(not3(l(e).number()), not3(r(e).number()))) }
	case "like", "regexp":
		match := Matcher(n)
		return func(e Env) Value {
			v := l(e)
			if v.Null() {
				return v
			}
			return truth(match(v.S))
		}
	case "=", "<>", "<", "<=", ">", ">=":
		return func(e Env) Value { return compare(n.Op, l(e), r(e)) }
	}
	f := arithmetic[n.Op]
	return func(e Env) Value {
		a, b := l(e).number(), r(e).number()
		if a.Null() || b.Null() {
			return Value{}
		}
		return NumberOf(f(a.N, b.N))
	}
}

// and3 is SQL's AND: false wins over NULL.
func and3(a, b Value) Value {
	switch {
	case !a.Null() && a.N == 0, !b.Null() && b.N == 0:
		return truth(false)
	case a.Null() || b.Null():
		return Value{}
	}
	return truth(true)
}

var arithmetic = map[string]func(a, b float64) float64{
	"+": func(a, b float64) float64 { return a + b },
	"-": func(a, b float64) float64 { return a - b },
	"*": func(a, b float64) float64 { return a * b },
	"/": func(a, b float64) float64 {
		if b == 0 {
			return math.NaN()
		}
		return a / b
	},
	"%": modulo, "mod": modulo,
	"div": func(a, b float64) float64 {
		if b == 0 {
			return math.NaN()
		}
		return math.Trunc(a / b)
	},
}

func modulo(a, b float64) float64 { return math.Mod(a, b) } // NaN, so NULL, for b = 0

// compare is NULL when a side is. A text and a number compare as numbers.
func compare(op string, a, b Value) Value {
	if a.Type == Number || b.Type == Number {
		a, b = a.number(), b.number()
	}
	if a.Null() || b.Null() {
		return Value{}
	}
	c := strings.Compare(a.S, b.S)
	switch {
	case a.N < b.N:
		c = -1
	case a.N > b.N:
		c = 1
	}
	return truth(holds(op, c))
}

func holds(op string, c int) bool {
	switch op {
	case "=":
		return c == 0
	case "<>":
		return c != 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

func compileAll(ns []Node) []Func {
	out := make([]Func, len(ns))
	for i, n := range ns {
		out[i] = Compile(n)
	}
	return out
}

func compileIn(n *In) Func {
	x, list := Compile(n.X), compileAll(n.List)
	return func(e Env) Value {
		v, result := x(e), truth(false)
		for _, item := range list {
			eq := compare("=", v, item(e))
			if !eq.Null() && eq.N == 1 {
				result = eq
				break
			}
			if eq.Null() {
				result = eq
			}
		}
		if n.Not {
			return not3(result)
		}
		return result
	}
}

func compileBetween(n *Between) Func {
	x, lo, hi := Compile(n.X), Compile(n.Lo), Compile(n.Hi)
	return func(e Env) Value {
		v := x(e)
		in := and3(compare(">=", v, lo(e)), compare("<=", v, hi(e)))
		if n.Not {
			return not3(in)
		}
		return in
	}
}

func compileCase(n *Case) Func {
	var x Func
	if n.X != nil {
		x = Compile(n.X)
	}
	conds, thens := make([]Func, len(n.Whens)), make([]Func, len(n.Whens))
	for i, w := range n.Whens {
		conds[i], thens[i] = Compile(w.Cond), Compile(w.Then)
	}
	otherwise := func(Env) Value { return Value{} }
	if n.Else != nil {
		otherwise = Compile(n.Else)
	}
	return func(e Env) Value {
		for i, cond := range conds {
			c := cond(e)
			if x != nil {
				c = compare("=", x(e), c)
			}
			if c = c.number(); !c.Null() && c.N != 0 {
				return thens[i](e)
			}
		}
		return otherwise(e)
	}
}

func compileCall(n *Call) Func {
	args := compileAll(n.Args)
	switch n.Name {
	case "coalesce", "ifnull":
		return func(e Env) Value {
			for _, a := range args {
				if v := a(e); !v.Null() {
					return v
				}
			}
			return Value{}
		}
	case "nullif":
		return func(e Env) Value {
			v := args[0](e)
			if eq := compare("=", v, args[1](e)); !eq.Null() && eq.N == 1 {
				return Value{}
			}
			return v
		}
	case "if":
		return func(e Env) Value {
			if c := args[0](e).number(); !c.Null() && c.N != 0 {
				return args[1](e)
			}
			return args[2](e)
		}
	}
	return strict(n.Name, args)
}

// strict functions are NULL when an argument is.
func strict(name string, args []Func) Func {
	f, wantsNumbers := plain[name], scalars[name].args[0] == Number
	return func(e Env) Value {
		var buf [4]Value
		vs := buf[:0]
		for _, a := range args {
			v := a(e)
			if wantsNumbers {
				v = v.number()
			}
			if v.Null() {
				return v
			}
			vs = append(vs, v)
		}
		return f(vs)
	}
}

var plain = map[string]func([]Value) Value{
	"abs":         func(v []Value) Value { return NumberOf(math.Abs(v[0].N)) },
	"floor":       func(v []Value) Value { return NumberOf(math.Floor(v[0].N)) },
	"ceil":        func(v []Value) Value { return NumberOf(math.Ceil(v[0].N)) },
	"ceiling":     func(v []Value) Value { return NumberOf(math.Ceil(v[0].N)) },
	"mod":         func(v []Value) Value { return NumberOf(modulo(v[0].N, v[1].N)) },
	"greatest":    func(v []Value) Value { return fold(v, math.Max) },
	"least":       func(v []Value) Value { return fold(v, math.Min) },
	"lower":       func(v []Value) Value { return TextOf(strings.ToLower(v[0].S)) },
	"upper":       func(v []Value) Value { return TextOf(strings.ToUpper(v[0].S)) },
	"trim":        func(v []Value) Value { return TextOf(strings.Trim(v[0].S, " ")) },
	"length":      func(v []Value) Value { return NumberOf(float64(len(v[0].S))) },
	"char_length": func(v []Value) Value { return NumberOf(float64(utf8.RuneCountInString(v[0].S))) },
	"concat": func(v []Value) Value {
		var b strings.Builder
		for _, x := range v {
			b.WriteString(x.S)
		}
		return TextOf(b.String())
	},
}

func fold(v []Value, f func(a, b float64) float64) Value {
	out := v[0].N
	for _, x := range v[1:] {
		out = f(out, x.N)
	}
	return NumberOf(out)
}

// Matcher is the test of a checked LIKE or REGEXP.
func Matcher(n *Binary) func(string) bool {
	pattern := n.R.(*Literal).Value.(string)
	if n.Op == "regexp" {
		return regexp.MustCompile(pattern).MatchString // Check has compiled it
	}
	return like(pattern)
}
