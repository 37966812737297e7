package logrec

import (
	"bytes"
	"errors"
	"fmt"
)

// Emit takes one record of a body, in order: line is its place (NDJSON: the 1-based line it begins at; array: the 1-based element),
// and either rec is valid or err says why it is rejected. rec is only good during the call. Returning false ends the parse.
type Emit func(line int, rec *Record, err error) bool

// ErrBody is a body that ended before its last record was known.
var ErrBody = errors.New("the body is damaged")

// ParseBody parses a whole body: one object, an array of objects, or objects one after the other (NDJSON; an object may span
// lines). Every record goes through Validate. A bad record is rejected alone. The error (ErrBody) means that the rest could not
// be read: a damaged array has no place to go on from.
func (p *Parser) ParseBody(body []byte, emit Emit) error {
	i := space(body, 0)
	if i < len(body) && body[i] == '[' {
		return p.array(body, i, emit)
	}
	p.lines(body, emit)
	return nil
}

func (p *Parser) array(s []byte, i int, emit Emit) error {
	i = space(s, i+1)
	if i < len(s) && s[i] == ']' {
		return after(s, i+1)
	}
	for n := 1; ; n++ {
		next, more, err := p.element(s, i, n, emit)
		if err != nil || !more {
			return err
		}
		i = space(s, next)
		switch {
		case i < len(s) && s[i] == ']':
			return after(s, i+1)
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		default:
			return fmt.Errorf("%w: element %d is not followed by a comma or a bracket", ErrBody, n)
		}
	}
}

func after(s []byte, i int) error {
	if i = space(s, i); i != len(s) {
		return fmt.Errorf("%w: text after the array, at byte %d", ErrBody, i+1)
	}
	return nil
}

func (p *Parser) element(s []byte, i, n int, emit Emit) (next int, more bool, err error) {
	if i < len(s) && s[i] == '{' {
		next, err = p.one(s, i)
	} else if next, err = p.skip(s, i, 1); err == nil {
		return next, emit(n, nil, &SyntaxError{0, "expected an object"}), nil
	}
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return next, false, fmt.Errorf("%w: element %d, %w", ErrBody, n, err)
	}
	return next, p.hand(n, err, emit), nil
}

// one parses the object at s[i] into p.record and validates it.
func (p *Parser) one(s []byte, i int) (next int, err error) {
	p.record.reset()
	next, err = p.object(s, i, &p.record)
	if err != nil {
		return next, err
	}
	if next-i > MaxRecordBytes {
		return next, tooLong(next - i)
	}
	return next, Validate(&p.record)
}

func tooLong(n int) error {
	return &FieldError{"record", fmt.Sprintf("%d bytes, at most %d are accepted", n, MaxRecordBytes)}
}

func (p *Parser) hand(line int, err error, emit Emit) bool {
	if err != nil {
		return emit(line, nil, err)
	}
	return emit(line, &p.record, nil)
}

// lines reads objects one after the other. After an error it goes on at the next line.
func (p *Parser) lines(s []byte, emit Emit) {
	line, counted := 1, 0
	for i := space(s, 0); i < len(s); {
		line += bytes.Count(s[counted:i], newline)
		counted = i
		next, err := p.line(s, i, line)
		if !p.hand(line, err, emit) {
			return
		}
		i = space(s, next)
	}
}

var newline = []byte{'\n'}

// line reads the object at s[i], in line number; after a syntax error next is where the broken object ends.
func (p *Parser) line(s []byte, i, number int) (next int, err error) {
	if s[i] != '{' {
		return lineEnd(s, i), &SyntaxError{0, "expected an object"}
	}
	next, err = p.one(s, i)
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		next = resync(s, i, syntax.Offset)
		if lineEnd(s, i)-i > MaxRecordBytes {
			return next, tooLong(next - i)
		}
		reason := syntax.Reason
		if n := bytes.Count(s[i:min(syntax.Offset, len(s))], newline); n > 0 {
			reason = fmt.Sprintf("%s (line %d)", reason, number+n)
		}
		return next, &SyntaxError{syntax.Offset - i, reason}
	}
	return next, err
}

// resync is where to read on behind the broken object at s[i], whose error is at bad: behind its last bracket, or at the next line that begins a
// record. Its inner lines must not pass for records, and one broken line must not swallow those behind it.
func resync(s []byte, i, bad int) int {
	sameLine := bad <= lineEnd(s, i)
	indent := column(s, i)
	depth, inText, last := 0, false, byte(0)
	start, blank := i-indent, false // of the line; only blanks so far
	for k := i; k < len(s); k++ {
		c := s[k]
		switch {
		case c == '\n':
			inText = false // no string of JSON goes on there
			start, blank = k+1, true
			continue
		case inText:
			if c == '\\' && k+1 < len(s) && s[k+1] != '\n' {
				k++
			}
			inText = c != '"'
			continue
		case c == ' ' || c == '\t' || c == '\r':
			continue
		case c == '"':
			inText = true
		case c == '{' && blank && k-start <= indent && (sameLine || k == bad || last != ',' && last != ':' && last != '['):
			return k
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return lineEnd(s, k)
			}
		}
		last, blank = c, false
	}
	return len(s)
}

// column is how far s[i] is from the beginning of its line.
func column(s []byte, i int) int { return i - 1 - bytes.LastIndexByte(s[:i], '\n') }

func lineEnd(s []byte, i int) int {
	if n := bytes.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(s)
}
