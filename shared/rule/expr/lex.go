package expr

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF   tokenKind = iota
	tokIdent           // a name or a keyword; a `quoted` name has kind tokName
	tokName            // `quoted` name: never a keyword
	tokNumber
	tokString // value holds the text without quotes
	tokOp     // an operator or a bracket
)

type token struct {
	kind  tokenKind
	pos   int
	text  string // as written
	value string // identifiers lower-cased, strings unquoted, else as written
}

// is tells whether t is the keyword or operator w (lower case).
func (t token) is(w string) bool {
	return (t.kind == tokIdent || t.kind == tokOp) && t.value == w
}

func (t token) describe() string {
	if t.kind == tokEOF {
		return "the end"
	}
	return "“" + t.text + "”"
}

type lexer struct {
	text string
	pos  int
}

// lex cuts the whole text into tokens, the last one tokEOF.
func lex(text string) ([]token, *Error) {
	if len(text) > MaxTextBytes {
		return nil, &Error{Pos: MaxTextBytes, Len: 1, Message: "the text is longer than 4096 bytes"}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{Len: 1, Message: "the text is not valid UTF-8"}
	}
	l := lexer{text: text}
	var out []token
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		if t.kind == tokEOF {
			return out, nil
		}
	}
}

func (l *lexer) next() (token, *Error) {
	for l.pos < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.pos]) >= 0 {
		l.pos++
	}
	if l.pos == len(l.text) {
		return token{kind: tokEOF, pos: l.pos}, nil
	}
	switch c := l.text[l.pos]; {
	case isLetter(c):
		return l.ident(), nil
	case isDigit(c) || c == '.' && l.pos+1 < len(l.text) && isDigit(l.text[l.pos+1]):
		return l.number()
	case c == '\'' || c == '"' || c == '`':
		return l.quoted(c)
	default:
		return l.operator()
	}
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

func (l *lexer) take(kind tokenKind, end int) token {
	t := token{kind: kind, pos: l.pos, text: l.text[l.pos:end]}
	t.value = t.text
	l.pos = end
	return t
}

func (l *lexer) ident() token {
	end := l.pos
	for end < len(l.text) && (isLetter(l.text[end]) || isDigit(l.text[end])) {
		end++
	}
	t := l.take(tokIdent, end)
	t.value = strings.ToLower(t.text)
	return t
}

func (l *lexer) number() (token, *Error) {
	end := l.digits(l.pos)
	if end < len(l.text) && l.text[end] == '.' {
		end = l.digits(end + 1)
	}
	if end < len(l.text) && l.text[end]|0x20 == 'e' {
		exp := end + 1
		if exp < len(l.text) && (l.text[exp] == '+' || l.text[exp] == '-') {
			exp++
		}
		if e := l.digits(exp); e > exp {
			end = e
		}
	}
	t := l.take(tokNumber, end)
	if end < len(l.text) && isLetter(l.text[end]) {
		return t, errorAt(t, "a number cannot be followed by a letter")
	}
	return t, nil
}

func (l *lexer) digits(i int) int {
	for i < len(l.text) && isDigit(l.text[i]) {
		i++
	}
	return i
}

// quoted reads '…' and "…" (strings, MySQL escapes) and `…` (a name). A doubled quote stands for itself.
func (l *lexer) quoted(q byte) (token, *Error) {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == q && i+1 < len(l.text) && l.text[i+1] == q:
			b.WriteByte(q)
			i++
		case c == q:
			return l.endQuoted(q, i+1, b.String()), nil
		case c == '\\' && q != '`' && i+1 < len(l.text):
			i++
			unescape(&b, l.text[i])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, &Error{Pos: l.pos, Len: 1, Message: "this quote is never closed"}
}

func (l *lexer) endQuoted(q byte, end int, value string) token {
	kind := tokString
	if q == '`' {
		kind = tokName
	}
	t := l.take(kind, end)
	t.value = value
	if kind == tokName {
		t.value = strings.ToLower(value)
	}
	return t
}

// unescape writes what MySQL reads for a backslash and c. \% and \_ keep their backslash: LIKE needs it.
func unescape(b *strings.Builder, c byte) {
	switch c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case '0':
		b.WriteByte(0)
	case 'b':
		b.WriteByte('\b')
	case 'Z':
		b.WriteByte(26)
	case '%', '_':
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}

var operators = []string{"->>", "<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", "."}

func (l *lexer) operator() (token, *Error) {
	rest := l.text[l.pos:]
	if strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "/*") {
		return token{}, &Error{Pos: l.pos, Len: 2, Message: "comments are not part of the language"}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return l.take(tokOp, l.pos+len(op)), nil
		}
	}
	_, size := utf8.DecodeRuneInString(rest)
	t := l.take(tokOp, l.pos+size)
	return t, errorAt(t, "unexpected character %s", t.describe())
}
