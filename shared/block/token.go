package block

import (
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

// EachToken calls f with each token of a text: the maximal runs of letters, digits and '_', lower-cased, cut to MaxTokenBytes.
// The token is only good during the call.
func EachToken(s string, f func(token string)) {
	var t tokenizer
	t.each(s, func(b []byte) { f(text(b)) })
}

// tokenizer cuts texts into tokens. Reuse one a goroutine.
type tokenizer struct{ buf []byte }

// lowered maps ASCII to lower case; 0 for what is between tokens, 1 for bytes of multi-byte runes.
var lowered = func() (t [256]byte) {
	for c := range 256 {
		switch b := byte(c); {
		case b >= utf8.RuneSelf:
			t[c] = 1
		case 'A' <= b && b <= 'Z':
			t[c] = b + 'a' - 'A'
		case 'a' <= b && b <= 'z', '0' <= b && b <= '9', b == '_':
			t[c] = b
		}
	}
	return t
}()

// each calls f with a token where it stands when it is lower-case ASCII already, as most are, else with a lowered copy.
func (t *tokenizer) each(s string, f func([]byte)) {
	for i := 0; i < len(s); {
		c := lowered[s[i]]
		if c == 0 {
			i++
			continue
		}
		start := i
		for c > 1 && c == s[i] {
			if i++; i == len(s) {
				c = 0
				break
			}
			c = lowered[s[i]]
		}
		if c != 0 {
			i = t.copied(s, start, i, f)
		} else {
			f(cut(unsafe.Slice(unsafe.StringData(s[start:i]), i-start)))
		}
	}
}

// copied goes on with a token that begins at start and is lower-case ASCII up to i; it returns the place behind the token. A rune that is no part
// of a word ends it.
func (t *tokenizer) copied(s string, start, i int, f func([]byte)) int {
	t.buf = append(t.buf[:0], s[start:i]...)
	for i < len(s) {
		c := lowered[s[i]]
		if c == 0 {
			break
		}
		size := 1
		if c == 1 {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				i += size
				break
			}
			t.buf = utf8.AppendRune(t.buf, unicode.ToLower(r))
		} else {
			t.buf = append(t.buf, c)
		}
		i += size
	}
	t.flush(f)
	return i
}

func (t *tokenizer) flush(f func([]byte)) {
	if len(t.buf) > 0 {
		f(cut(t.buf))
		t.buf = t.buf[:0]
	}
}

func cut(b []byte) []byte { return b[:min(len(b), MaxTokenBytes)] }

// appendLower appends s as EachToken would lower it, without cutting it into tokens.
func appendLower(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
		i += size
	}
	return dst
}

func hashToken(b []byte) uint64 { return xxhash.Sum64(b) }
