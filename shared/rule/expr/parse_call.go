package expr

import (
	"strings"
)

// reserved words are never names of functions or columns unless `quoted`.
var reserved = map[string]bool{
	"and": true, "or": true, "not": true, "is": true, "in": true, "between": true, "like": true, "regexp": true, "rlike": true,
	"case": true, "when": true, "then": true, "else": true, "end": true, "div": true, "distinct": true, "filter": true, "where": true,
	"select": true, "from": true, "union": true,
}

// name reads TRUE, FALSE, NULL, a column, attributes['k'], attributes->>'k' or attributes.k.
func (p *parser) name(t token) (Node, *Error) {
	if p.peek().is("(") {
		return nil, errorAt(t, "%s is not a function", t.text)
	}
	if t.kind == tokIdent {
		switch t.value {
		case "true", "false":
			return &Literal{pos: pos(t.pos), Value: t.value == "true"}, nil
		case "null":
			return &Literal{pos: pos(t.pos)}, nil
		}
		if reserved[t.value] {
			return nil, errorAt(t, "%s cannot stand here", strings.ToUpper(t.text))
		}
	}
	if t.value == attributesColumn || t.value == "labels" {
		return p.attribute(t)
	}
	if _, ok := columns[t.value]; !ok {
		return nil, unknownColumn(t)
	}
	return &Column{pos: pos(t.pos), Name: t.value}, nil
}

const attributesColumn = "attributes"

func (p *parser) attribute(t token) (Node, *Error) {
	c := &Column{pos: pos(t.pos), Name: attributesColumn}
	switch {
	case p.accept("["):
		key := p.next()
		if key.kind != tokString {
			return nil, errorAt(key, "expected the attribute's name in quotes, not %s", key.describe())
		}
		c.Attribute = key.value
		return checkKey(c, key, p.expect("]"))
	case p.accept("->>"):
		key := p.next()
		if key.kind != tokString {
			return nil, errorAt(key, "expected the attribute's name in quotes, not %s", key.describe())
		}
		c.Attribute = strings.TrimPrefix(key.value, "$.")
		return checkKey(c, key, nil)
	case p.accept("."):
		key := p.next()
		if key.kind != tokIdent && key.kind != tokName {
			return nil, errorAt(key, "expected an attribute's name, not %s", key.describe())
		}
		c.Attribute = strings.Trim(key.text, "`")
		return checkKey(c, key, nil)
	}
	return nil, errorAt(t, "say which attribute: attributes['name']")
}

func checkKey(c *Column, key token, err *Error) (Node, *Error) {
	if err == nil && c.Attribute == "" {
		err = errorAt(key, "an attribute's name cannot be empty")
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (p *parser) caseOf(t token) (Node, *Error) {
	c := &Case{pos: pos(t.pos)}
	var err *Error
	if !p.peek().is("when") {
		if c.X, err = p.or(); err != nil {
			return nil, err
		}
	}
	for p.accept("when") {
		var w When
		if w, err = p.when(); err != nil {
			return nil, err
		}
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == 0 {
		return nil, errorAt(p.peek(), "expected WHEN, not %s", p.peek().describe())
	}
	if p.accept("else") {
		if c.Else, err = p.or(); err != nil {
			return nil, err
		}
	}
	if err = p.expect("end"); err != nil {
		return nil, err
	}
	return c, nil
}

func (p *parser) when() (w When, err *Error) {
	if w.Cond, err = p.or(); err != nil {
		return w, err
	}
	if err = p.expect("then"); err != nil {
		return w, err
	}
	w.Then, err = p.or()
	return w, err
}

func (p *parser) call(t token) (Node, *Error) {
	p.next() // (
	if t.value == "count" && p.accept("*") {
		if err := p.expect(")"); err != nil {
			return nil, err
		}
		return p.filter(&Aggregate{pos: pos(t.pos), Name: "count"})
	}
	distinct := p.accept("distinct")
	var args []Node
	if !p.accept(")") {
		var err *Error
		if args, err = p.list(maxArgs); err != nil {
			return nil, err
		}
	}
	return p.callOf(t, args, distinct)
}

func (p *parser) callOf(t token, args []Node, distinct bool) (Node, *Error) {
	if agg, ok, err := aggregateOf(t, args); ok || err != nil {
		if err != nil {
			return nil, err
		}
		if agg.Distinct = distinct; distinct && agg.Name == "percentile" {
			return nil, errorAt(t, "DISTINCT has no meaning in a percentile")
		}
		return p.filter(agg)
	}
	if distinct {
		return nil, errorAt(t, "DISTINCT belongs into an aggregate such as COUNT")
	}
	f, ok := scalars[t.value]
	if !ok {
		return nil, errorAt(t, "unknown function %s%s%s", t.text, refusal(t.value), DidYouMean(t.value, functionNames()))
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, errorAt(t, "%s takes %s", strings.ToUpper(t.text), f.arity())
	}
	return &Call{pos: pos(t.pos), Name: t.value, Args: args}, nil
}

// filter reads an optional FILTER (WHERE …) after an aggregate.
func (p *parser) filter(a *Aggregate) (Node, *Error) {
	if !p.accept("filter") {
		return a, nil
	}
	for _, w := range []string{"(", "where"} {
		if err := p.expect(w); err != nil {
			return nil, err
		}
	}
	where, err := p.or()
	if err != nil {
		return nil, err
	}
	a.Where = where
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	return a, nil
}
