package expr

import (
	"strings"
	"unicode/utf8"
)

// like compiles a LIKE pattern: % is any text, _ one character, \ takes the next character for itself. Letters' case counts, as in
// a binary collation. The common forms 'x', 'x%', '%x' and '%x%' become plain comparisons.
func like(pattern string) func(string) bool {
	parts, plain := cutLike(pattern)
	if plain {
		switch {
		case len(parts) == 1:
			return func(s string) bool { return s == parts[0] }
		case len(parts) == 2 && parts[1] == "":
			return func(s string) bool { return strings.HasPrefix(s, parts[0]) }
		case len(parts) == 2 && parts[0] == "":
			return func(s string) bool { return strings.HasSuffix(s, parts[1]) }
		case len(parts) == 3 && parts[0] == "" && parts[2] == "":
			return func(s string) bool { return strings.Contains(s, parts[1]) }
		}
	}
	return func(s string) bool { return matchLike(pattern, s) }
}

// cutLike cuts a pattern at its % into literal texts; plain is false when there is a _ in it.
func cutLike(pattern string) (parts []string, plain bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			b.WriteByte(pattern[i])
		case c == '_':
			return nil, false
		case c == '%':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(parts, b.String()), true
}

// matchLike is the greedy match with one point of return, the last %: linear in practice, quadratic at worst.
func matchLike(p, s string) bool {
	afterPercent, resume := -1, 0
	i, j := 0, 0
	for j < len(s) {
		size, n, any := step(p[i:])
		_, rune := utf8.DecodeRuneInString(s[j:])
		switch {
		case any:
			i += size
			afterPercent, resume = i, j
		case n == '_' && size == 1:
			i, j = i+1, j+rune
		case size > 0 && p[i+size-1] == s[j]:
			i, j = i+size, j+1
		case afterPercent >= 0:
			_, rune = utf8.DecodeRuneInString(s[resume:])
			resume += rune
			i, j = afterPercent, resume
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "%") == ""
}

// step looks at the pattern's next element: its size in bytes, its byte, and whether it is a %.
func step(p string) (size int, c byte, any bool) {
	switch {
	case p == "":
		return 0, 0, false
	case p[0] == '\\' && len(p) > 1:
		return 2, p[1], false
	}
	return 1, p[0], p[0] == '%'
}
