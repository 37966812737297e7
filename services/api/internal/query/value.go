package query

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule/expr"
)

// value reads what stands behind field:, one value of field:(…), or a word of the message.
func (p *parser) value(f Field) (Node, *Error) {
	start := p.pos
	switch c := p.peek(); {
	case c == '/':
		if source, ok := p.regexp(f.Name != "request_path"); ok {
			return p.regexpTerm(value{pos: start, end: p.pos}, f, source)
		}
	case (c == '[' || c == '{') && f != Message:
		return p.between(f)
	case (c == '>' || c == '<') && f != Message:
		return p.comparison(f)
	}
	v, err := p.read("")
	if err != nil {
		return nil, err
	}
	if f == Message {
		p.hintWord(v)
	} else if err := p.fieldInside(f, v); err != nil {
		return nil, err
	}
	if v.hasStar() && strings.Join(v.parts, "") == "" {
		if f == Message {
			return All{}, nil
		}
		return p.existsTerm(v, f)
	}
	return p.plain(f, v)
}

// plain is a value, with or without stars.
func (p *parser) plain(f Field, v value) (Node, *Error) {
	var pred Pred
	var err *Error
	switch f.Kind() {
	case KindMessage:
		if !v.hasStar() && v.text() == "" {
			return All{}, nil
		}
		pred = textPred(v)
	case KindText:
		pred = p.ofText(f, v)
	case KindLevel:
		pred, err = ofLevel(v)
	case KindNumber:
		pred, err = ofNumber(f, v)
	case KindTime:
		err = v.error("a time is asked for by a range: %s:>now-15m, or %s:[2026-01-02T15:04:05Z TO now]", f, f)
	case KindID:
		pred, err = ofID(v)
	case KindAddress:
		pred, err = ofAddress(v)
	}
	if err != nil {
		return nil, err
	}
	return p.term(v, f, pred)
}

func textPred(v value) Pred {
	if v.hasStar() {
		return Wildcard{v.parts}
	}
	return Is{v.text()}
}

// ofText knows ids in any spelling, and networks.
func (p *parser) ofText(f Field, v value) Pred {
	if v.hasStar() {
		return Wildcard{v.parts}
	}
	switch {
	case f == Field{Name: "trace_id"}:
		return Is{logrec.NormalID(v.text(), 32)}
	case f == Field{Name: "span_id"}:
		return Is{logrec.NormalID(v.text(), 16)}
	case f.mayBeAddress() && !v.quoted:
		if n, err := netip.ParsePrefix(v.text()); err == nil {
			return Network{n.Masked().String()}
		}
	}
	return Is{v.text()}
}

// mayBeAddress tells whether a value such as 10.0.0.0/8 is a network to f.
func (f Field) mayBeAddress() bool { return f.Attribute || f.Name == "host" }

func ofLevel(v value) (Pred, *Error) {
	if v.hasStar() {
		return Wildcard{v.parts}, nil
	}
	name, err := levelName(v)
	return Is{name}, err
}

func levelName(v value) (string, *Error) {
	l, ok := logrec.ParseLevel(v.text())
	if !ok {
		return "", v.error("%q is not a level%s; the levels are %s", clip(v.text()), expr.DidYouMean(strings.ToLower(v.text()), logrec.LevelNames()), strings.Join(logrec.LevelNames(), " "))
	}
	return l.String(), nil
}

func ofNumber(f Field, v value) (Pred, *Error) {
	if v.hasStar() {
		return Wildcard{v.parts}, nil
	}
	if _, ok := ParseNumber(v.text()); !ok {
		return nil, v.error("%s holds numbers, and %q is none%s", f, clip(v.text()), statusClass(f, v.text()))
	}
	return Is{v.text()}, nil
}

// statusClass knows what 5xx means.
func statusClass(f Field, text string) string {
	if len(text) == 3 && text[0] >= '1' && text[0] <= '5' && strings.EqualFold(text[1:], "xx") {
		return fmt.Sprintf(" (did you mean %s:[%c00 TO %c99]?)", f, text[0], text[0])
	}
	return ""
}

// ParseNumber reads a number as queries and attributes spell it: decimal, not infinite.
func ParseNumber(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false // Go reads more: hexadecimal, Inf, underscores
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func ofID(v value) (Pred, *Error) {
	if v.hasStar() {
		return nil, v.error("an id is asked for whole")
	}
	if _, err := logrec.ParseID(v.text()); err != nil {
		return nil, v.error("%v", err)
	}
	return Is{v.text()}, nil
}

func ofAddress(v value) (Pred, *Error) {
	if !v.hasStar() {
		if n, err := netip.ParsePrefix(v.text()); err == nil {
			return Network{n.Masked().String()}, nil
		}
		if a, err := netip.ParseAddr(v.text()); err == nil && a.Zone() == "" {
			return Network{netip.PrefixFrom(a, a.BitLen()).String()}, nil
		}
	}
	return nil, v.error("%q is no IP address or network: ip:10.1.2.3, ip:10.0.0.0/8, ip:2001:db8::/32", clip(strings.Join(v.parts, "*")))
}

func (p *parser) regexpTerm(v value, f Field, source string) (Node, *Error) {
	switch f.Kind() {
	case KindTime, KindID, KindAddress:
		return nil, v.error("%s takes no regular expression", f)
	}
	if p.regexps++; p.regexps > MaxRegexps {
		return nil, v.error("the query has more than %d regular expressions", MaxRegexps)
	}
	if err := checkRegexp(source); err != nil {
		return nil, v.error("%v", err)
	}
	return p.term(v, f, Regexp{source})
}

// checkRegexp bounds what a regular expression may cost before anything compiles it.
func checkRegexp(source string) error {
	if len(source) > maxRegexpBytes {
		return fmt.Errorf("the regular expression has %d bytes, at most %d are read", len(source), maxRegexpBytes)
	}
	re, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		var at *syntax.Error
		if errors.As(err, &at) {
			return fmt.Errorf("the regular expression cannot be read (RE2 syntax): %s: %s", at.Code, clip(at.Expr))
		}
		return fmt.Errorf("the regular expression cannot be read: %w", err)
	}
	if steps(re) > maxRegexpSteps {
		return fmt.Errorf("the regular expression is too large: its repeats, written out, have more than %d steps", maxRegexpSteps)
	}
	return nil
}

// steps is about how many instructions re becomes.
func steps(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += steps(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return min(n, 1<<30)
}

// fieldInside refuses field:(a OR level:error): the group is about one field.
func (p *parser) fieldInside(f Field, v value) *Error {
	name, _, found := strings.Cut(v.text(), ":")
	if _, column := columns[name]; found && column && !v.quoted {
		return v.error(`%s is inside of a value of %s (to search for the text, write "%s")`, clip(name)+":", f, clip(v.text()))
	}
	return nil
}

// hintWord knows words that were probably meant otherwise.
func (p *parser) hintWord(v value) {
	if v.quoted || v.hasStar() {
		return
	}
	switch w := v.text(); w {
	case "and", "or", "not":
		p.hint(v.pos, w+" is searched as a word (did you mean "+strings.ToUpper(w)+"?)")
	default:
		name, rest, found := strings.Cut(w, "=")
		if _, column := columns[name]; found && column {
			p.hint(v.pos, clip(w)+" is searched as a text (did you mean "+name+":"+clip(strings.TrimLeft(rest, "="))+"?)")
		}
	}
}

// between reads [a TO b], with { and } where the bound itself is out.
func (p *parser) between(f Field) (Node, *Error) {
	start := p.pos
	var r Range
	var err *Error
	r.Lo.Exclusive = p.peek() == '{'
	p.pos++
	if err = p.bound(f, &r.Lo, start); err != nil {
		return nil, err
	}
	if !p.keyword("TO") {
		return nil, errorAt(p.pos, min(1, len(p.text)-p.pos), `expected TO: a range is written %s:[a TO b] (a value that begins with a bracket stands in quotes)`, f)
	}
	if err = p.bound(f, &r.Hi, start); err != nil {
		return nil, err
	}
	if c := p.peek(); c != ']' && c != '}' {
		return nil, errorAt(start, 1, "this range is never closed: %s:[a TO b]", f)
	}
	r.Hi.Exclusive = p.peek() == '}'
	p.pos++
	return p.rangeTerm(value{pos: start, end: p.pos}, f, r)
}

func (p *parser) bound(f Field, b *Bound, start int) *Error {
	p.skipBlanks()
	v, err := p.read("]}")
	if err != nil {
		return err
	}
	if v.end == v.pos {
		return errorAt(start, 1, "a bound is missing: a range is written %s:[a TO b], * for no bound", f)
	}
	if err := setBound(b, f, v); err != nil {
		return err
	}
	p.skipBlanks()
	return nil
}

// comparison reads >x, >=x, <x, <=x.
func (p *parser) comparison(f Field) (Node, *Error) {
	start := p.pos
	r := Range{Lo: Bound{Open: true}, Hi: Bound{Open: true}}
	end := &r.Lo
	if p.peek() == '<' {
		end = &r.Hi
	}
	p.pos++
	*end = Bound{Exclusive: p.peek() != '='}
	if !end.Exclusive {
		p.pos++
	}
	if p.endsAt(p.pos) {
		return nil, errorAt(p.pos, 0, "a value is missing behind %s", p.text[start:p.pos])
	}
	v, err := p.read("")
	if err != nil {
		return nil, err
	}
	if err := setBound(end, f, v); err != nil {
		return nil, err
	}
	return p.rangeTerm(value{pos: start, end: p.pos}, f, r)
}

func setBound(b *Bound, f Field, v value) *Error {
	if v.hasStar() {
		if strings.Join(v.parts, "") != "" {
			return v.error("a bound has no stars in it (in quotes they are ordinary signs)")
		}
		*b = Bound{Open: true}
		return nil
	}
	b.Text, b.Quoted = v.text(), v.quoted && f.Attribute && isNumber(v.text())
	var err *Error
	switch f.Kind() {
	case KindLevel:
		b.Text, err = levelName(v)
	case KindNumber:
		if _, ok := ParseNumber(b.Text); !ok {
			err = v.error("%s holds numbers, and %q is none", f, clip(b.Text))
		}
	case KindTime:
		if _, wrong := ParseTime(b.Text, time.Unix(0, 0)); wrong != nil {
			err = v.error("%v", wrong)
		}
	}
	return err
}

func (p *parser) rangeTerm(v value, f Field, r Range) (Node, *Error) {
	switch f.Kind() {
	case KindMessage:
		return nil, v.error("messages have no order: search for words")
	case KindID:
		return nil, v.error("an id is asked for whole")
	case KindAddress:
		return nil, v.error("a network is written ip:10.0.0.0/8")
	}
	if r.Lo.Open && r.Hi.Open {
		return p.existsTerm(v, f)
	}
	return p.term(v, f, r)
}
