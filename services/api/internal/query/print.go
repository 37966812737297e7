package query

import (
	"net/netip"
	"strings"
	"unicode"
)

// Print is the canonical text of a filter: Parse gives the same filter again.
func Print(n Node) string {
	var p printer
	p.or(n)
	return p.String()
}

type printer struct{ strings.Builder }

func (p *printer) or(n Node) {
	or, ok := n.(*Or)
	if !ok {
		p.and(n)
		return
	}
	for i, x := range or.Of {
		if i > 0 {
			p.WriteString(" OR ")
		}
		p.and(x)
	}
}

func (p *printer) and(n Node) {
	and, ok := n.(*And)
	if !ok {
		p.unary(n)
		return
	}
	for i, x := range and.Of {
		if i > 0 {
			p.WriteByte(' ')
		}
		p.unary(x)
	}
}

func (p *printer) unary(n Node) {
	switch n := n.(type) {
	case *Not:
		p.WriteString("NOT ")
		p.unary(n.X)
	case *Term:
		p.term(n)
	case All:
		p.WriteByte('*')
	default:
		p.WriteByte('(')
		p.or(n)
		p.WriteByte(')')
	}
}

func (p *printer) term(t *Term) {
	if _, ok := t.Pred.(Exists); ok {
		p.WriteString(existsName + ":")
		p.name(t.Field)
		return
	}
	if t.Field != Message {
		p.name(t.Field)
		p.WriteByte(':')
	}
	switch pred := t.Pred.(type) {
	case Is:
		p.text(t.Field, pred.Text)
	case Wildcard:
		for i, part := range pred.Parts {
			if i > 0 {
				p.WriteByte('*')
			}
			if part != "" {
				p.text(t.Field, part)
			}
		}
	case Regexp:
		p.regexp(pred.Source)
	case Range:
		p.between(pred)
	case Network:
		p.WriteString(pred.CIDR)
	}
}

func (p *printer) name(f Field) {
	name := f.String()
	if isPlain(name) && 'a' <= name[0]|0x20 && name[0]|0x20 <= 'z' {
		p.WriteString(name)
		return
	}
	p.quote(name)
}

// text writes a value, in quotes where it would be read as something else without.
func (p *printer) text(f Field, s string) {
	if !isPlain(s) || f.mayBeAddress() && isNetwork(s) {
		p.quote(s)
		return
	}
	p.WriteString(s)
}

func isNetwork(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// isPlain tells whether s is read as it is without quotes, wherever it stands.
func isPlain(s string) bool {
	if s == "" || strings.ContainsRune("-!><[{/", rune(s[0])) || s == "AND" || s == "OR" || s == "NOT" || s == "TO" {
		return false
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.-/@%+#$,;", r) {
			return false
		}
	}
	return true
}

func (p *printer) quote(s string) {
	p.WriteByte('"')
	p.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
	p.WriteByte('"')
}

func (p *printer) regexp(source string) {
	p.WriteByte('/')
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '\\' && i+1 < len(source):
			p.WriteByte(c)
			i++
			p.WriteByte(source[i])
		case c == '/':
			p.WriteString(`\/`)
		default:
			p.WriteByte(c)
		}
	}
	p.WriteByte('/')
}

func (p *printer) between(r Range) {
	switch {
	case r.Hi.Open:
		p.comparison('>', r.Lo)
	case r.Lo.Open:
		p.comparison('<', r.Hi)
	default:
		p.WriteByte("[{"[index(r.Lo.Exclusive)])
		p.bound(r.Lo)
		p.WriteString(" TO ")
		p.bound(r.Hi)
		p.WriteByte("]}"[index(r.Hi.Exclusive)])
	}
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *printer) comparison(op byte, b Bound) {
	p.WriteByte(op)
	if !b.Exclusive {
		p.WriteByte('=')
	}
	p.bound(b)
}

func (p *printer) bound(b Bound) {
	if !b.Quoted && (isPlain(b.Text) || isNumber(b.Text)) { // a number may begin with a sign
		p.WriteString(b.Text)
		return
	}
	p.quote(b.Text)
}

func isNumber(s string) bool {
	_, ok := ParseNumber(s)
	return ok
}
