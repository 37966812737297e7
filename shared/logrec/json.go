package logrec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// SyntaxError is JSON that is none. Offset is in bytes, from the beginning of the record.
type SyntaxError struct {
	Offset int
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset+1, e.Reason) }

// Parser parses JSON into records: one object, an array of objects, or NDJSON. It is strict JSON (RFC 8259) but for invalid
// UTF-8, which Validate mends. It is not safe for concurrent use; reuse one a goroutine. Strings of a record point into the
// body or, where escapes had to be undone, into the parser's buffer, and live until the next Reset.
type Parser struct {
	buf    []byte // unescaped strings
	name   []byte // a dotted name under construction
	setter Setter
	beside []int  // where objects of attributes begin
	record Record // of ParseBody
}

// Reset forgets the buffers of earlier bodies.
func (p *Parser) Reset() { p.buf = p.buf[:0] }

// ParseObject parses one JSON object into rec, which it overwrites; rec.Attributes' memory is used again. The error is a *SyntaxError or a *FieldError.
func (p *Parser) ParseObject(line []byte, rec *Record) error {
	rec.reset()
	i := space(line, 0)
	if i == len(line) || line[i] != '{' {
		return &SyntaxError{i, "expected an object"}
	}
	i, err := p.object(line, i, rec)
	if err != nil {
		return err
	}
	if i = space(line, i); i != len(line) {
		return &SyntaxError{i, "unexpected text after the object"}
	}
	return nil
}

func (r *Record) reset() { *r = Record{Attributes: r.Attributes[:0]} }

// object reads the object at s[i] into rec. A *FieldError leaves the rest of the object checked, so that its end is known:
// next is right for it, and undefined for a *SyntaxError.
func (p *Parser) object(s []byte, i int, rec *Record) (next int, err error) {
	var field error
	p.setter.Begin(rec)
	p.beside = p.beside[:0]
	set := func(key string, i int) (int, error) {
		next, err := p.member(s, i, key, rec)
		if isFieldError(err) {
			if field == nil { // the first is enough: joining one error per attribute costs the square of the record's length
				field = err
			}
			err = nil
		}
		return next, err
	}
	next, err = p.members(s, i, func(key string, i int) (int, error) {
		if key == attributesKey && i < len(s) && s[i] == '{' {
			p.beside = append(p.beside, i)
			return p.skip(s, i, 1)
		}
		return set(key, i)
	})
	for _, at := range p.beside { // after the record's own members, wherever they stand: those are nearer
		if err == nil {
			p.setter.Farther(attributesKey + ".")
			_, err = p.members(s, at, set)
		}
	}
	if err == nil {
		err = field
	}
	return next, err
}

// attributesKey names an object whose members are attributes of the record, as exporters of OpenTelemetry write them.
const attributesKey = "attributes"

func isFieldError(err error) bool {
	if err == nil {
		return false
	}
	var fe *FieldError
	return errors.As(err, &fe)
}

// members walks the object at s[i]; value is called at each value and returns the place behind it.
func (p *Parser) members(s []byte, i int, value func(key string, i int) (int, error)) (next int, err error) {
	i = space(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(s) || s[i] != '"' {
			return i, &SyntaxError{i, "expected a name in quotes"}
		}
		var key string
		if key, i, err = p.str(s, i); err != nil {
			return i, err
		}
		if i = space(s, i); i >= len(s) || s[i] != ':' {
			return i, &SyntaxError{i, "expected a colon"}
		}
		if i, err = value(key, space(s, i+1)); err != nil {
			return i, err
		}
		i = space(s, i)
		switch {
		case i < len(s) && s[i] == '}':
			return i + 1, nil
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		default:
			return i, &SyntaxError{i, "expected a comma or the end of the object"}
		}
	}
}

func (p *Parser) member(s []byte, i int, key string, rec *Record) (next int, err error) {
	if i >= len(s) {
		return i, &SyntaxError{i, "expected a value"}
	}
	switch s[i] {
	case '"':
		text, next, err := p.str(s, i)
		if err != nil {
			return next, err
		}
		return next, p.setter.Set(key, Value{Kind: TextValue, Text: text})
	case 'n':
		return literal(s, i, "null") // as good as absent
	}
	next, err = p.skip(s, i, 1)
	if err != nil {
		return next, err
	}
	raw := str(s[i:next])
	if raw[0] == '{' && nests(key) {
		return next, p.nested(s, i, key, rec, raw)
	}
	return next, p.setter.Set(key, Value{Kind: RawValue, Text: raw})
}

// nests tells whether members of an object of this name may be fields ({"http":{"method":"GET"}}), as in the Elastic Common Schema.
func nests(key string) bool {
	switch key {
	case "http", "url", "service", "log", "trace", "span", "user", "host", "event", "deployment":
		return true
	}
	return false
}

// nested lets members of an object fill fields by their dotted names. The object stays an attribute, whole.
func (p *Parser) nested(s []byte, i int, key string, rec *Record, raw string) error {
	p.name = append(p.name[:0], key...)
	if err := p.dotted(s, i, rec, 0); err != nil {
		return err
	}
	return p.setter.Attribute(key, Value{Kind: RawValue, Text: raw})
}

// maxNesting is http.response.status_code.
const maxNesting = 2

func (p *Parser) dotted(s []byte, i int, rec *Record, depth int) error {
	outer := len(p.name)
	_, err := p.members(s, i, func(key string, i int) (int, error) {
		p.name = append(append(p.name[:outer], '.'), key...)
		next, err := p.skip(s, i, 1)
		if err != nil {
			return next, err
		}
		if s[i] == '{' && depth+1 < maxNesting {
			return next, p.dotted(s, i, rec, depth+1)
		}
		return next, p.fieldOnly(s, i, next, rec)
	})
	return err
}

// fieldOnly sets the field that p.name stands for to the value s[i:end], or does nothing.
func (p *Parser) fieldOnly(s []byte, i, end int, rec *Record) error {
	f := FieldOf(str(p.name))
	if f == NoField || s[i] == 'n' || s[i] == '{' || s[i] == '[' {
		return nil
	}
	v := Value{Kind: RawValue, Text: str(s[i:end])}
	if s[i] == '"' {
		text, _, err := p.str(s, i)
		if err != nil {
			return err
		}
		v = Value{Kind: TextValue, Text: text}
	}
	_, err := p.setter.field(string(p.name), v, true)
	return err
}

// str is b as a string without copying it.
func str(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func space(s []byte, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// str reads the string at s[i], which is a quote.
func (p *Parser) str(s []byte, i int) (text string, next int, err error) {
	start := i + 1
	for i = plain(s, start); i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return str(s[start:i]), i + 1, nil
		case c == '\\':
			return p.unescape(s, start, i)
		case c < ' ':
			return "", i, &SyntaxError{i, "a control character in a string must be escaped"}
		}
	}
	return "", i, &SyntaxError{len(s), "the string does not end"}
}

// plain is a place in s, from i on, before which there is nothing but text: eight bytes are looked at together (Mycroft's test for a byte
// below n, and for a byte that is zero after XOR).
func plain(s []byte, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		v := binary.LittleEndian.Uint64(s[i:])
		quote, slash := v^(ones*'"'), v^(ones*'\\')
		if ((v-ones*' ')&^v|(quote-ones)&^quote|(slash-ones)&^slash)&tops != 0 {
			break
		}
	}
	return i
}

// unescape goes on with a string that has its first backslash at s[i].
func (p *Parser) unescape(s []byte, start, i int) (text string, next int, err error) {
	begin := len(p.buf)
	p.buf = append(p.buf, s[start:i]...)
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return str(p.buf[begin:len(p.buf):len(p.buf)]), i + 1, nil
		case c < ' ':
			return "", i, &SyntaxError{i, "a control character in a string must be escaped"}
		case c == '\\':
			if i, err = p.escape(s, i); err != nil {
				return "", i, err
			}
		default:
			p.buf = append(p.buf, c)
			i++
		}
	}
	return "", i, &SyntaxError{len(s), "the string does not end"}
}

// escapes are the characters that may follow a backslash and what they stand for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *Parser) escape(s []byte, i int) (next int, err error) {
	if i+1 >= len(s) {
		return i, &SyntaxError{len(s), "the string does not end"}
	}
	if c := escapes[s[i+1]]; c != 0 {
		p.buf = append(p.buf, c)
		return i + 2, nil
	}
	r, ok := hex4(s, i)
	if !ok {
		return i, &SyntaxError{i, "this is not an escape of JSON"}
	}
	i += 6
	if utf16.IsSurrogate(r) {
		low, ok := hex4(s, i)
		if r = utf16.DecodeRune(r, low); ok && r != utf8.RuneError {
			i += 6
		} // else: a lonely half becomes U+FFFD, as in encoding/json
	}
	p.buf = utf8.AppendRune(p.buf, r)
	return i, nil
}

// hex4 reads \uXXXX at s[i].
func hex4(s []byte, i int) (r rune, ok bool) {
	if i+6 > len(s) || s[i] != '\\' || s[i+1] != 'u' {
		return 0, false
	}
	for _, c := range s[i+2 : i+6] {
		switch c = lower(c); {
		case isDigit(c):
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

func literal(s []byte, i int, word string) (next int, err error) {
	if !bytes.HasPrefix(s[i:], []byte(word)) {
		return i, &SyntaxError{i, "expected a value"}
	}
	return i + len(word), nil
}

// skip checks the value at s[i] and returns the place behind it.
func (p *Parser) skip(s []byte, i, depth int) (next int, err error) {
	if i >= len(s) {
		return i, &SyntaxError{i, "expected a value"}
	}
	if depth > MaxDepth {
		return i, &SyntaxError{i, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
	}
	switch s[i] {
	case '"':
		mark := len(p.buf)
		_, next, err = p.str(s, i)
		p.buf = p.buf[:mark] // the text itself is not wanted
		return next, err
	case '{':
		return p.members(s, i, func(_ string, i int) (int, error) { return p.skip(s, i, depth+1) })
	case '[':
		return p.skipArray(s, i, depth)
	case 't':
		return literal(s, i, "true")
	case 'f':
		return literal(s, i, "false")
	case 'n':
		return literal(s, i, "null")
	}
	return number(s, i)
}

func (p *Parser) skipArray(s []byte, i, depth int) (next int, err error) {
	i = space(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1, nil
	}
	for {
		if i, err = p.skip(s, i, depth+1); err != nil {
			return i, err
		}
		i = space(s, i)
		switch {
		case i < len(s) && s[i] == ']':
			return i + 1, nil
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		default:
			return i, &SyntaxError{i, "expected a comma or the end of the array"}
		}
	}
}

// number checks a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func number(s []byte, i int) (next int, err error) {
	start := i
	if s[i] == '-' {
		i++
	}
	from := i
	i = digits(s, i)
	if i == from || s[from] == '0' && i > from+1 {
		return start, &SyntaxError{start, "expected a value"}
	}
	if i < len(s) && s[i] == '.' {
		from = i + 1
		if i = digits(s, from); i == from {
			return start, &SyntaxError{i, "expected digits after the point"}
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		from = i + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if i = digits(s, from); i == from {
			return start, &SyntaxError{i, "expected digits in the exponent"}
		}
	}
	return i, nil
}

func digits(s []byte, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}
