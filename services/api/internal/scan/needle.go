package scan

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// needle finds a text in longer ones. Folded, letters match in any case: runes are equal when fold makes them so; the text is then folded itself.
type needle struct {
	text   string
	folded bool
	ascii  bool
	rare   int  // index of its byte that is rarest in logs
	lo, up byte // that byte in both cases; the same when it has none or case counts
}

func newNeedle(text string, folded bool) needle {
	n := needle{text: text, folded: folded, ascii: true}
	if folded {
		n.text = strings.Map(fold, text)
	}
	for i := range len(n.text) {
		n.ascii = n.ascii && n.text[i] < utf8.RuneSelf
		if rarity(n.text[i], folded) < rarity(n.text[n.rare], folded) {
			n.rare = i
		}
	}
	if n.text != "" {
		n.pick(n.rare)
	}
	return n
}

// pick makes the byte at i the one that is searched for.
func (n *needle) pick(i int) {
	n.rare, n.lo, n.up = i, n.text[i], n.text[i]
	if n.folded && 'a' <= n.lo && n.lo <= 'z' {
		n.up -= 'a' - 'A'
	}
}

// What is searched is sampled: sampleEvery n-th byte of the first sampled ones, when there is much of it.
const (
	sampleFrom  = 64 << 10
	sampled     = 32 << 10
	sampleEvery = 7
)

// tuned is the needle with the byte that is rarest in a sample of s, which knows better than logs in general: q is rare, but for queues and requests.
func (n *needle) tuned(s []byte) needle {
	out := *n
	if len(s) < sampleFrom || !n.ascii {
		return out
	}
	var seen [256]uint16
	for i := 0; i < sampled; i += sampleEvery {
		seen[s[i]]++
	}
	often := func(i int) int {
		c := n.text[i]
		if n.folded && 'a' <= c && c <= 'z' {
			return int(seen[c]) + int(seen[c-('a'-'A')])
		}
		return int(seen[c])
	}
	best := n.rare
	for i := range len(n.text) {
		if often(i) < often(best) {
			best = i
		}
	}
	out.pick(best)
	return out
}

// fold makes letters' cases equal. A letter outside of ASCII never becomes one inside: the Kelvin sign is no k.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if l := unicode.ToLower(r); l >= utf8.RuneSelf {
		return l
	}
	return r
}

// common are the bytes of log lines, the most common first.
const common = " e0123456789atoinrscdlpuhfmgbv.-:=/_ykw,\"()[]jxqz{}'<>"

var rank = func() (t [256]uint8) {
	for i := range len(common) {
		t[common[i]] = uint8(255 - i)
	}
	return t
}()

// rarity is how common a byte is, the least for the rarest. A letter in either case costs two searches.
func rarity(c byte, folded bool) int {
	v := 2 * int(rank[c])
	if folded && 'a' <= c && c <= 'z' {
		v += 60
	}
	return v
}

// window is how far the search for one case of a letter runs ahead of that for the other: what stays in the fastest cache.
const window = 16 << 10

// index is where the text stands in s first, from at on; -1 = nowhere. Of folded needles only those in ASCII. A search for the rarest byte
// beats bytes.Index, which begins with the first one.
func (n *needle) index(s []byte, at int) int {
	last := len(s) - len(n.text) // the last place where it can begin
	for at <= last {
		end := min(at+window, last+1)
		if i := n.indexWithin(s, at, end); i >= 0 {
			return i
		}
		at = end
	}
	return -1
}

// indexWithin finds a match that begins in [at, end): by its rarest byte, in either case.
func (n *needle) indexWithin(s []byte, at, end int) int {
	part := s[at+n.rare : end+n.rare]
	lo, up := bytes.IndexByte(part, n.lo), -1
	if n.up != n.lo {
		up = bytes.IndexByte(part, n.up)
	}
	for lo >= 0 || up >= 0 {
		i, isLo := lo, up < 0 || lo >= 0 && lo < up
		if !isLo {
			i = up
		}
		if n.equal(s[at+i:]) {
			return at + i
		}
		if isLo {
			lo = next(part, i+1, n.lo)
		} else {
			up = next(part, i+1, n.up)
		}
	}
	return -1
}

func next(s []byte, at int, c byte) int {
	if i := bytes.IndexByte(s[at:], c); i >= 0 {
		return at + i
	}
	return -1
}

// equal tells whether s begins with the text, in any case; s has at least its length.
func (n *needle) equal(s []byte) bool {
	if !n.folded {
		return string(s[:len(n.text)]) == n.text
	}
	for i := range len(n.text) {
		c := s[i]
		if n.folded && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != n.text[i] {
			return false
		}
	}
	return true
}

// find is the first place of the text in s from at on, and where it ends there; any needle.
func (n *needle) find(s []byte, at int) (begin, end int) {
	if !n.folded || n.ascii {
		i := n.index(s, at)
		return i, i + len(n.text)
	}
	for ; at < len(s); at++ {
		if s[at]&0xc0 == 0x80 { // inside of a rune
			continue
		}
		if end, ok := n.foldedPrefix(s, at); ok {
			return at, end
		}
	}
	return -1, -1
}

// foldedPrefix compares rune by rune from at on.
func (n *needle) foldedPrefix(s []byte, at int) (end int, ok bool) {
	for _, want := range n.text {
		r, size := utf8.DecodeRune(s[at:])
		if size == 0 || fold(r) != want {
			return 0, false
		}
		at += size
	}
	return at, true
}

// isWord tells whether a rune is part of a word, as the token filter cuts words.
func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// wordBefore and wordAfter tell whether a word goes on at the border i of s.
func wordBefore(s []byte, i int) bool {
	if i == 0 {
		return false
	}
	if c := s[i-1]; c < utf8.RuneSelf {
		return wordByte[c]
	}
	r, _ := utf8.DecodeLastRune(s[:i])
	return isWord(r)
}

func wordAfter(s []byte, i int) bool {
	if i == len(s) {
		return false
	}
	if c := s[i]; c < utf8.RuneSelf {
		return wordByte[c]
	}
	r, _ := utf8.DecodeRune(s[i:])
	return isWord(r)
}

var wordByte = func() (t [utf8.RuneSelf]bool) {
	for c := range t {
		t[c] = isWord(rune(c))
	}
	return t
}()
