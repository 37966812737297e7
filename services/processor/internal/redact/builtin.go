package redact

import (
	"strings"
)

// builtins by name: each returns the text without its finds, and their number; the text itself when there are none.
var builtins = map[string]func(string) (string, int){"card": cards, "email": emails, "token": tokens}

// splice replaces finds, given as pairs of begin and end in order.
func splice(s, with string, finds []int) string {
	var b strings.Builder
	at := 0
	for i := 0; i < len(finds); i += 2 {
		b.WriteString(s[at:finds[i]])
		b.WriteString(with)
		at = finds[i+1]
	}
	b.WriteString(s[at:])
	return b.String()
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isWord(c byte) bool {
	return isDigit(c) || c|0x20-'a' <= 25 || c == '_'
}

// cards finds 13 to 19 digits, alone or in groups with single blanks or dashes, that begin as cards do and pass Luhn's check (ISO/IEC 7812).
func cards(s string) (string, int) {
	var finds []int
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			continue
		}
		end, digits, sum := digitsFrom(s, i)
		plain := (i == 0 || !isWord(s[i-1]) && s[i-1] != '.') && (end == len(s) || !isWord(s[end]))
		if plain && digits >= 13 && digits <= 19 && sum%10 == 0 && s[i] >= '2' && s[i] <= '6' {
			finds = append(finds, i, end)
		}
		i = end - 1
	}
	if finds == nil {
		return s, 0
	}
	return splice(s, "[card]", finds), len(finds) / 2
}

// digitsFrom is a run of digits and their separators, the number of digits, and Luhn's sum; a sum that fails when the digits are too many
// or grouped as no card's are: the first group has four, the others three or more.
func digitsFrom(s string, i int) (end, digits, sum int) {
	end = i
	var values [20]byte
	group, grouped := 0, true
	for j := i; j < len(s); j++ {
		c := s[j]
		if isDigit(c) {
			if digits < len(values) {
				values[digits] = c - '0'
			}
			digits, group, end = digits+1, group+1, j+1
			continue
		}
		if c != ' ' && c != '-' || j+1 == len(s) || !isDigit(s[j+1]) {
			break
		}
		grouped = grouped && (group == 4 || digits > 4 && group >= 3)
		group = 0
	}
	if digits > len(values) || !grouped || digits > group && group < 3 {
		return end, digits, 1
	}
	for k := range digits {
		v := int(values[digits-1-k])
		if k%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return end, digits, sum
}

// emails finds addresses as people have them (the common part of RFC 5321: a dot in the domain, letters at its end).
func emails(s string) (string, int) {
	var finds []int
	for from := 0; ; {
		i := strings.IndexByte(s[from:], '@')
		if i < 0 {
			break
		}
		at := from + i
		begin, end := at, at+1
		for begin > from && (isWord(s[begin-1]) || strings.IndexByte(".+-%", s[begin-1]) >= 0) {
			begin--
		}
		for end < len(s) && (isWord(s[end]) && s[end] != '_' || s[end] == '-' || s[end] == '.') {
			end++
		}
		for end > at && (s[end-1] == '.' || s[end-1] == '-') {
			end--
		}
		from = max(end, at+1)
		if dot := strings.LastIndexByte(s[at:max(end, at)], '.'); begin < at && dot > 1 && end-at-dot > 2 && !isDigit(s[end-1]) {
			finds = append(finds, begin, end)
		}
	}
	if finds == nil {
		return s, 0
	}
	return splice(s, "[email]", finds), len(finds) / 2
}

// marks are what secrets begin with: prefixes that their makers chose so that they can be found, and the names that they are given in logs.
var marks = []struct {
	text  string
	least int  // characters of the secret behind it
	keep  bool // the mark stays: it says what was there
}{
	{"Bearer ", 16, true}, {"bearer ", 16, true}, {"Basic ", 12, true},
	{"eyJ", 20, false}, // JWT: base64 of {"
	{"lm_", 40, false}, // our own
	{"ghp_", 30, false}, {"gho_", 30, false}, {"ghs_", 30, false}, {"github_pat_", 30, false}, {"glpat-", 20, false},
	{"AKIA", 16, false}, {"ASIA", 16, false}, {"AIza", 30, false},
	{"xoxb-", 20, false}, {"xoxp-", 20, false}, {"sk_live_", 16, false}, {"rk_live_", 16, false}, {"sk-", 32, false},
	{"password=", 1, true}, {"passwd=", 1, true}, {"pwd=", 1, true}, {"secret=", 1, true}, {"token=", 8, true}, {"api_key=", 8, true}, {"apikey=", 8, true},
	{"access_token=", 8, true}, {"refresh_token=", 8, true}, {"client_secret=", 4, true},
}

// byFirst are the marks that begin with a byte: most bytes begin none, the others few.
var byFirst = func() (t [256][]int) {
	for k, m := range marks {
		t[m.text[0]] = append(t[m.text[0]], k)
	}
	return t
}()

func isSecret(c byte) bool { return isWord(c) || strings.IndexByte("-._~+/=%:", c) >= 0 }

// tokens finds secrets by their marks.
func tokens(s string) (string, int) {
	var b strings.Builder
	n, at := 0, 0
	for i := 0; i < len(s); i++ {
		candidates := byFirst[s[i]]
		if candidates == nil || i > 0 && isWord(s[i-1]) {
			continue
		}
		begin, end := secretAt(s, i, candidates)
		if end == 0 {
			continue
		}
		b.WriteString(s[at:begin])
		b.WriteString("[token]")
		n, at, i = n+1, end, end-1
	}
	if n == 0 {
		return s, 0
	}
	b.WriteString(s[at:])
	return b.String(), n
}

// secretAt is the secret that one of the candidate marks announces at i; end 0 for none.
func secretAt(s string, i int, candidates []int) (begin, end int) {
	for _, k := range candidates {
		m := &marks[k]
		if !strings.HasPrefix(s[i:], m.text) {
			continue
		}
		begin = i + len(m.text)
		for end = begin; end < len(s) && isSecret(s[end]); end++ {
		}
		if end-begin < m.least {
			continue
		}
		if !m.keep {
			begin = i
		}
		return begin, end
	}
	return 0, 0
}
