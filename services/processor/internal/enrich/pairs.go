package enrich

import (
	"strconv"
	"strings"
)

// pair is one key=value of a logfmt line. quoted says that the value stood in quotes, so it is text even if it looks like a number.
type pair struct {
	key, value string
	quoted     bool
}

// parsePairs reads a line that is logfmt from its first byte to its last: key=value key="a b" flag. It appends to dst and says
// whether the line is logfmt at all.
func parsePairs(dst []pair, s string) ([]pair, bool) {
	start := len(dst)
	for s = strings.TrimLeft(s, " "); s != "" && len(dst)-start < maxPairs; s = strings.TrimLeft(s, " ") {
		p, rest, ok := nextPair(s)
		if !ok {
			return dst[:start], false
		}
		dst, s = append(dst, p), rest
	}
	if len(dst)-start < logfmtMinPairs {
		return dst[:start], false
	}
	return dst, true
}

// nextPair reads key=value. A word without = ends the reading: the line is prose.
func nextPair(s string) (p pair, rest string, ok bool) {
	i := 0
	for i < len(s) && keyByte(s[i]) {
		i++
	}
	if i == 0 || i == len(s) || s[i] != '=' {
		return pair{}, s, false
	}
	p.key, s = s[:i], s[i+1:]
	if s != "" && s[0] == '"' {
		p.quoted = true
		p.value, rest, ok = quoted(s)
		p.value = unescape(p.value)
		return p, rest, ok && (rest == "" || rest[0] == ' ')
	}
	p.value, rest = s, ""
	if end := strings.IndexByte(s, ' '); end >= 0 {
		p.value, rest = s[:end], s[end:]
	}
	return p, rest, true
}

func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	if u, err := strconv.Unquote(`"` + s + `"`); err == nil {
		return u
	}
	return s
}

func keyByte(c byte) bool { return wordByte(c) || c == '/' || c == '@' }

// looksLikePairs is the cheap question: the first word has an = in it, after something that can be a key.
func looksLikePairs(s string) bool {
	for i := 0; i < len(s) && i < 40; i++ {
		if s[i] == '=' {
			return i > 0
		}
		if !keyByte(s[i]) {
			return false
		}
	}
	return false
}

// jsonScalar says whether s is a JSON number, true or false as it stands.
func jsonScalar(s string) bool {
	if s == "true" || s == "false" {
		return true
	}
	if s == "" || len(s) > 24 {
		return false
	}
	return jsonNumber(s)
}

// jsonNumber checks JSON's grammar of numbers, which is narrower than Go's: no hex, no leading zero, no bare point.
func jsonNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	n := leadingDigits(s)
	if n == 0 || n > 1 && s[0] == '0' {
		return false
	}
	s = s[n:]
	if s != "" && s[0] == '.' {
		n = leadingDigits(s[1:])
		if n == 0 {
			return false
		}
		s = s[1+n:]
	}
	if s != "" && s[0]|0x20 == 'e' {
		s = strings.TrimLeft(s[1:], "+-")
		n = leadingDigits(s)
		return n > 0 && n == len(s) && n < 4
	}
	return s == ""
}

func leadingDigits(s string) int {
	n := 0
	for n < len(s) && s[n]-'0' <= 9 {
		n++
	}
	return n
}

// cut shortens s to at most n bytes at a rune border.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
