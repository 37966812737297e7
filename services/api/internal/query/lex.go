package query

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// value is a word as it stands in the text: bare characters, "quoted" ones and stars, without blanks between them.
type value struct {
	pos, end int
	parts    []string // between the stars; one without a star
	quoted   bool     // some of it was in quotes: never a keyword, a number or a network
}

func (v value) text() string  { return v.parts[0] }
func (v value) hasStar() bool { return len(v.parts) > 1 }

// error is a mistake at v.
func (v value) error(format string, args ...any) *Error {
	return errorAt(v.pos, v.end-v.pos, format, args...)
}

// scanner reads values from the text.
type scanner struct {
	text string
	pos  int
}

func (s *scanner) skipBlanks() {
	for s.pos < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.pos:])
		if !unicode.IsSpace(r) {
			return
		}
		s.pos += size
	}
}

// peek is the next byte, 0 at the end.
func (s *scanner) peek() byte { return s.at(s.pos) }

func (s *scanner) at(i int) byte {
	if i < len(s.text) {
		return s.text[i]
	}
	return 0
}

// endsAt tells whether a value ends at i: at a blank, a bracket or the end.
func (s *scanner) endsAt(i int) bool {
	r, _ := utf8.DecodeRuneInString(s.text[i:])
	return i >= len(s.text) || r == '(' || r == ')' || unicode.IsSpace(r)
}

// keyword takes the word w when it stands here, alone.
func (s *scanner) keyword(w string) bool {
	if !s.atKeyword(w) {
		return false
	}
	s.pos += len(w)
	return true
}

func (s *scanner) atKeyword(w string) bool {
	return strings.HasPrefix(s.text[s.pos:], w) && s.endsAt(s.pos+len(w))
}

// read reads a value up to a blank, a bracket, the end, or one of stop outside quotes. It may be empty.
func (s *scanner) read(stop string) (value, *Error) {
	v := value{pos: s.pos}
	var b strings.Builder
	for !s.endsAt(s.pos) && strings.IndexByte(stop, s.text[s.pos]) < 0 {
		switch c := s.text[s.pos]; c {
		case '"':
			if err := s.quoted(&b); err != nil {
				return v, err
			}
			v.quoted = true
		case '*':
			s.pos++
			if b.Len() > 0 || len(v.parts) == 0 { // ** is *
				v.parts = append(v.parts, b.String())
				b.Reset()
			}
		case '\\':
			s.pos += s.escape(&b)
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
	v.parts, v.end = append(v.parts, b.String()), s.pos
	return v, nil
}

// quoted reads "…"; \" and \\ stand for themselves, any other backslash for a backslash.
func (s *scanner) quoted(b *strings.Builder) *Error {
	open := s.pos
	for s.pos++; s.pos < len(s.text); s.pos++ {
		c := s.text[s.pos]
		if c == '"' {
			s.pos++
			return nil
		}
		if next := s.at(s.pos + 1); c == '\\' && (next == '"' || next == '\\') {
			c = next
			s.pos++
		}
		b.WriteByte(c)
	}
	return errorAt(open, 1, `this quote is never closed (for a quote in the text write \")`)
}

// escape reads a backslash outside quotes: before a sign that means something it takes the meaning away.
func (s *scanner) escape(b *strings.Builder) (taken int) {
	if next := s.at(s.pos + 1); next != 0 && strings.IndexByte(`\"():*/-!<>[]{}`, next) >= 0 {
		b.WriteByte(next)
		return 2
	}
	b.WriteByte('\\')
	return 1
}

// regexp reads /…/ when one stands here. The next / that is not escaped ends it, and must have a blank, a bracket or the end behind it:
// else the value only begins with a slash, as a path does. blanks says whether the expression may have blanks in it.
func (s *scanner) regexp(blanks bool) (source string, ok bool) {
	var b strings.Builder
	for i := s.pos + 1; i < len(s.text); i++ {
		c := s.text[i]
		switch {
		case c == '/':
			if i == s.pos+1 || !s.endsAt(i+1) {
				return "", false
			}
			s.pos = i + 1
			return b.String(), true
		case c == '\\' && i+1 < len(s.text):
			if i++; s.text[i] != '/' {
				b.WriteByte('\\')
			}
			c = s.text[i]
		case !blanks && (c == ' ' || c == '\t' || c == '\n'):
			return "", false
		}
		b.WriteByte(c)
	}
	return "", false
}
