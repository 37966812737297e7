package expr

import (
	"strconv"
	"strings"
)

// Parse reads one expression: a condition (with aggregates) or a filter (without); CheckCondition and CheckFilter tell them apart. The error is an *Error.
//
// Precedence, loosest first, as in MySQL: OR, AND, NOT, comparison (= <> < <= > >= IS IN BETWEEN LIKE REGEXP), + -, * / % DIV, unary -.
func Parse(text string) (Node, error) {
	tokens, lexErr := lex(text)
	if lexErr != nil {
		return nil, lexErr
	}
	p := &parser{tokens: tokens}
	if p.peek().kind == tokEOF {
		return nil, errorAt(p.peek(), "the text is empty")
	}
	n, err := p.expression()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokEOF {
		return nil, errorAt(t, "expected an operator or the end, not %s", t.describe())
	}
	return n, nil
}

type parser struct {
	tokens []token
	at     int
	depth  int
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokEOF {
		p.at++
	}
	return t
}

// accept takes the next token when it is w.
func (p *parser) accept(w string) bool {
	if p.peek().is(w) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(w string) *Error {
	if t := p.peek(); !p.accept(w) {
		return errorAt(t, "expected %s, not %s", strings.ToUpper(w), t.describe())
	}
	return nil
}

// nested guards the recursion of f.
func (p *parser) nested(f func() (Node, *Error)) (Node, *Error) {
	if p.depth++; p.depth > MaxDepth {
		return nil, errorAt(p.peek(), "nested deeper than %d levels", MaxDepth)
	}
	defer func() { p.depth-- }()
	return f()
}

func (p *parser) expression() (Node, error) {
	n, err := p.or()
	if err != nil {
		return nil, err // never a typed nil: err is an *Error
	}
	return n, nil
}

func (p *parser) or() (Node, *Error) {
	return p.nested(func() (Node, *Error) { return p.leftAssociative(p.and, "or") })
}

func (p *parser) and() (Node, *Error) { return p.leftAssociative(p.not, "and") }

func (p *parser) leftAssociative(operand func() (Node, *Error), ops ...string) (Node, *Error) {
	left, err := operand()
	for err == nil {
		t, ok := p.acceptAny(ops)
		if !ok {
			return left, nil
		}
		var right Node
		if right, err = operand(); err == nil {
			left = &Binary{pos: pos(t.pos), Op: t.value, L: left, R: right}
		}
	}
	return nil, err
}

func (p *parser) acceptAny(ops []string) (token, bool) {
	t := p.peek()
	for _, op := range ops {
		if p.accept(op) {
			return t, true
		}
	}
	return t, false
}

func (p *parser) not() (Node, *Error) {
	t := p.peek()
	if !p.accept("not") {
		return p.comparison()
	}
	x, err := p.nested(p.not)
	if err != nil {
		return nil, err
	}
	return &Unary{pos: pos(t.pos), Op: "not", X: x}, nil
}

var comparisons = []string{"=", "<>", "!=", "<=", ">=", "<", ">"}

func (p *parser) comparison() (Node, *Error) {
	left, err := p.sum()
	for err == nil {
		t := p.peek()
		switch {
		case isAny(t, comparisons):
			left, err = p.compare(left)
		case t.is("is"):
			left, err = p.isNull(left)
		case t.is("in"), t.is("between"), t.is("like"), t.is("regexp"), t.is("rlike"):
			left, err = p.predicate(left, false)
		case t.is("not"):
			p.next()
			left, err = p.predicate(left, true)
		default:
			return left, nil
		}
	}
	return nil, err
}

func isAny(t token, words []string) bool {
	for _, w := range words {
		if t.is(w) {
			return true
		}
	}
	return false
}

func (p *parser) compare(left Node) (Node, *Error) {
	t := p.next()
	right, err := p.sum()
	if err != nil {
		return nil, err
	}
	op := t.value
	if op == "!=" {
		op = "<>"
	}
	return &Binary{pos: pos(t.pos), Op: op, L: left, R: right}, nil
}

func (p *parser) isNull(x Node) (Node, *Error) {
	t := p.next()
	not := p.accept("not")
	if err := p.expect("null"); err != nil {
		return nil, err
	}
	return &IsNull{pos: pos(t.pos), X: x, Not: not}, nil
}

// predicate reads IN, BETWEEN, LIKE or REGEXP after x [NOT].
func (p *parser) predicate(x Node, not bool) (Node, *Error) {
	t := p.next()
	switch t.value {
	case "in":
		return p.in(t, x, not)
	case "between":
		return p.between(t, x, not)
	case "like", "regexp", "rlike":
		return p.match(t, x, not)
	}
	return nil, errorAt(t, "expected IN, BETWEEN, LIKE or REGEXP after NOT, not %s", t.describe())
}

func (p *parser) in(t token, x Node, not bool) (Node, *Error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	list, err := p.list(MaxListItems)
	if err != nil {
		return nil, err
	}
	return &In{pos: pos(t.pos), X: x, List: list, Not: not}, nil
}

// list reads a, b, … ) with at least one item.
func (p *parser) list(most int) ([]Node, *Error) {
	var out []Node
	for {
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if out = append(out, n); len(out) > most {
			return nil, errorAt(p.peek(), "more than %d items", most)
		}
		if p.accept(")") {
			return out, nil
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
	}
}

func (p *parser) between(t token, x Node, not bool) (Node, *Error) {
	lo, err := p.sum()
	if err != nil {
		return nil, err
	}
	if err := p.expect("and"); err != nil {
		return nil, err
	}
	hi, err := p.sum()
	if err != nil {
		return nil, err
	}
	return &Between{pos: pos(t.pos), X: x, Lo: lo, Hi: hi, Not: not}, nil
}

func (p *parser) match(t token, x Node, not bool) (Node, *Error) {
	pattern, err := p.sum()
	if err != nil {
		return nil, err
	}
	op := t.value
	if op == "rlike" {
		op = "regexp"
	}
	var n Node = &Binary{pos: pos(t.pos), Op: op, L: x, R: pattern}
	if not {
		n = &Unary{pos: pos(t.pos), Op: "not", X: n}
	}
	return n, nil
}

func (p *parser) sum() (Node, *Error) { return p.leftAssociative(p.product, "+", "-") }

func (p *parser) product() (Node, *Error) {
	return p.leftAssociative(p.unary, "*", "/", "%", "div", "mod")
}

func (p *parser) unary() (Node, *Error) {
	t := p.peek()
	switch {
	case p.accept("-"):
		x, err := p.nested(p.unary)
		if err != nil {
			return nil, err
		}
		if lit, ok := x.(*Literal); ok && lit.Text != "" && lit.Text[0] != '-' {
			return &Literal{pos: pos(t.pos), Value: -lit.Value.(float64), Text: "-" + lit.Text}, nil
		}
		return &Unary{pos: pos(t.pos), Op: "-", X: x}, nil
	case p.accept("+"):
		return p.nested(p.unary)
	}
	return p.primary()
}

func (p *parser) primary() (Node, *Error) {
	t := p.next()
	switch {
	case t.kind == tokNumber:
		return number(t)
	case t.kind == tokString:
		return &Literal{pos: pos(t.pos), Value: t.value}, nil
	case t.is("("):
		n, err := p.or()
		if err != nil {
			return nil, err
		}
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		return n, nil
	case t.is("case"):
		return p.caseOf(t)
	case t.kind == tokIdent && p.peek().is("(") && !reserved[t.value]:
		return p.call(t)
	case t.kind == tokIdent || t.kind == tokName:
		return p.name(t)
	}
	return nil, errorAt(t, "expected a value, a column or a function, not %s", t.describe())
}

func number(t token) (Node, *Error) {
	v, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		return nil, errorAt(t, "the number %s is out of range", t.text)
	}
	return &Literal{pos: pos(t.pos), Value: v, Text: t.text}, nil
}
