package query

import (
	"strings"
	"unicode/utf8"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Parsed is a query that was read.
type Parsed struct {
	Filter Node
	Hints  []Hint
}

// Parse reads a query; docs/query-language.md is the language. An empty text matches everything. The error is an *Error.
//
// Precedence, loosest first: OR, AND (or nothing between two terms), NOT or -.
func Parse(text string) (Parsed, error) {
	p := &parser{scanner: scanner{text: text}}
	n, err := p.query()
	if err != nil {
		return Parsed{}, err // never a typed nil
	}
	return Parsed{n, p.hints}, nil
}

type parser struct {
	scanner
	depth, clauses, regexps int
	hints                   []Hint
}

func (p *parser) query() (Node, *Error) {
	if len(p.text) > MaxTextBytes {
		return nil, errorAt(MaxTextBytes, len(p.text)-MaxTextBytes, "the query has %d bytes, at most %d are read", len(p.text), MaxTextBytes)
	}
	if bad := invalid(p.text); bad >= 0 {
		return nil, errorAt(bad, 1, "the query is not UTF-8")
	}
	if p.skipBlanks(); p.pos == len(p.text) {
		return All{}, nil
	}
	n, err := p.or(nil)
	if err == nil && p.peek() == ')' {
		err = errorAt(p.pos, 1, `this bracket closes nothing (to search for it, put the text into quotes)`)
	}
	return n, err
}

func invalid(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}

func (p *parser) hint(pos int, message string) {
	if len(p.hints) < maxHints {
		p.hints = append(p.hints, Hint{pos, message})
	}
}

// nested guards the recursion of f.
func (p *parser) nested(f func() (Node, *Error)) (Node, *Error) {
	if p.depth++; p.depth > MaxDepth {
		return nil, errorAt(p.pos, min(1, len(p.text)-p.pos), "nested deeper than %d levels", MaxDepth)
	}
	defer func() { p.depth-- }()
	return f()
}

// or, and, unary and primary take the field that a group is about, nil outside of field:(…).
func (p *parser) or(field *Field) (Node, *Error) {
	var of []Node
	for {
		n, err := p.and(field)
		if err != nil {
			return nil, err
		}
		of = append(of, n)
		if p.skipBlanks(); !p.keyword("OR") {
			return AnyOf(of...), nil
		}
	}
}

func (p *parser) and(field *Field) (Node, *Error) {
	var of []Node
	for {
		n, err := p.unary(field)
		if err != nil {
			return nil, err
		}
		of = append(of, n)
		p.skipBlanks()
		if p.keyword("AND") {
			continue
		}
		if p.pos == len(p.text) || p.peek() == ')' || p.atKeyword("OR") {
			return AllOf(of...), nil
		}
	}
}

func (p *parser) unary(field *Field) (Node, *Error) {
	p.skipBlanks()
	not := p.keyword("NOT")
	if c := p.peek(); !not && (c == '-' || c == '!') && (p.at(p.pos+1) == '(' || !p.endsAt(p.pos+1)) {
		p.pos++
		not = true
	}
	if !not {
		return p.primary(field)
	}
	n, err := p.nested(func() (Node, *Error) { return p.unary(field) })
	if err != nil {
		return nil, err
	}
	return &Not{n}, nil
}

func (p *parser) primary(field *Field) (Node, *Error) {
	p.skipBlanks()
	switch {
	case p.pos == len(p.text):
		return nil, errorAt(p.pos, 0, "something to search for is missing at the end")
	case p.peek() == '(':
		return p.group(field)
	case p.peek() == ')':
		return nil, errorAt(p.pos, 1, "something to search for is missing before this bracket")
	}
	for _, w := range []string{"AND", "OR", "&&", "||"} {
		if p.atKeyword(w) {
			return nil, errorAt(p.pos, len(w), "%s", operatorAlone(w))
		}
	}
	if field != nil {
		return p.value(*field)
	}
	return p.fieldOrText()
}

func operatorAlone(w string) string {
	switch w {
	case "&&":
		return `&& is no operator (did you mean AND? to search for it, write "&&")`
	case "||":
		return `|| is no operator (did you mean OR? to search for it, write "||")`
	}
	return w + ` joins two terms, and one is missing (to search for the word, write "` + w + `")`
}

func (p *parser) group(field *Field) (Node, *Error) {
	open := p.pos
	p.pos++
	n, err := p.nested(func() (Node, *Error) { return p.or(field) })
	if err != nil {
		return nil, err
	}
	if p.peek() != ')' {
		return nil, errorAt(open, 1, "this bracket is never closed")
	}
	p.pos++
	return n, nil
}

// fieldOrText reads field:… or a word or phrase of the message.
func (p *parser) fieldOrText() (Node, *Error) {
	start := p.pos
	if p.peek() != '/' {
		name, err := p.read(":")
		if err != nil {
			return nil, err
		}
		if p.peek() == ':' && p.namesField(name) {
			p.pos++
			return p.ofField(name)
		}
		p.pos = start
	}
	return p.value(Message)
}

// namesField tells whether the text before a colon is a field's name: a::b, http://x and 12:30 are texts, ip:::1 is none.
func (p *parser) namesField(name value) bool {
	rest := p.text[p.pos+1:]
	path := strings.HasPrefix(rest, ":") && !strings.HasPrefix(rest, "::")
	if name.hasStar() || name.text() == "" || path || strings.HasPrefix(rest, "//") {
		return false
	}
	c := name.text()[0]
	return name.quoted || c == '_' || c == '@' || c >= utf8.RuneSelf || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func (p *parser) ofField(name value) (Node, *Error) {
	if name.text() == existsName && !name.quoted {
		return p.exists()
	}
	f, err := fieldOf(name.text(), name.pos, name.end-name.pos)
	if err != nil {
		return nil, err
	}
	if f.Attribute && f.Name == name.text() {
		if near := expr.Nearest(f.Name, Columns()); near != "" && len(f.Name) > 3 {
			p.hint(name.pos, clip(f.Name)+" is searched as an attribute (did you mean "+near+"?)")
		}
	}
	if p.peek() == '(' {
		return p.group(&f)
	}
	if p.endsAt(p.pos) {
		text := p.text[name.pos:p.pos]
		return nil, errorAt(p.pos, 0, `nothing stands after %s (to search for the text, write "%s")`, clip(text), clip(strings.Trim(text, `"`)))
	}
	return p.value(f)
}

func (p *parser) exists() (Node, *Error) {
	v, err := p.read("")
	if err != nil {
		return nil, err
	}
	if v.hasStar() || v.text() == "" {
		return nil, errorAt(p.pos, 0, "a field's name stands after _exists_: such as _exists_:trace_id")
	}
	f, err := fieldOf(v.text(), v.pos, v.end-v.pos)
	if err != nil {
		return nil, err
	}
	return p.existsTerm(v, f)
}

func (p *parser) existsTerm(v value, f Field) (Node, *Error) {
	if f.Kind() == KindAddress {
		return nil, v.error("%s is no field of its own: it is asked for addresses, ip:10.0.0.0/8", f)
	}
	return p.term(v, f, Exists{})
}

// term counts the clauses.
func (p *parser) term(v value, f Field, pred Pred) (Node, *Error) {
	if p.clauses++; p.clauses > MaxClauses {
		return nil, v.error("the query has more than %d terms", MaxClauses)
	}
	return &Term{f, pred}, nil
}
