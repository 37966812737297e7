package scan

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
)

func unsafeBytes(s string) []byte  { return unsafe.Slice(unsafe.StringData(s), len(s)) }
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// matcher is a predicate on one text.
type matcher interface {
	match(s []byte) bool
}

// searcher is a matcher whose texts all contain one of a few needles: a column is searched for them as one long text, and only where
// one is found is the text asked. exact says that there need be no asking.
type searcher interface {
	matcher
	needles() []needle
	exact() bool
}

// phrase is query.Is and query.Wildcard of a message: parts in this order, in any case; at its ends no word goes on, unless open.
type phrase struct {
	parts               []needle
	leftOpen, rightOpen bool
	leftWord, rightWord bool // the text's own end is part of a word: only then is there a border to ask for
}

func newPhrase(pred query.Pred) *phrase {
	p := &phrase{}
	var parts []string
	switch pred := pred.(type) {
	case query.Is:
		parts = []string{pred.Text}
	case query.Wildcard:
		parts = pred.Parts
		p.leftOpen, p.rightOpen = parts[0] == "", parts[len(parts)-1] == ""
	}
	for _, s := range parts {
		if s != "" {
			p.parts = append(p.parts, newNeedle(s, true))
		}
	}
	first, last := p.parts[0].text, p.parts[len(p.parts)-1].text
	r, _ := utf8.DecodeRuneInString(first)
	p.leftWord = !p.leftOpen && isWord(r)
	r, _ = utf8.DecodeLastRuneInString(last)
	p.rightWord = !p.rightOpen && isWord(r)
	return p
}

func (p *phrase) match(s []byte) bool {
	at := 0
	for i := range p.parts {
		for {
			begin, end := p.parts[i].find(s, at)
			if begin < 0 {
				return false
			}
			left := i == 0 && p.leftWord && wordBefore(s, begin)
			right := i == len(p.parts)-1 && p.rightWord && wordAfter(s, end)
			if !left && !right {
				at = end
				break
			}
			at = begin + 1
		}
	}
	return true
}

// needles is the longest part.
func (p *phrase) needles() []needle {
	best := p.parts[0]
	for _, n := range p.parts[1:] {
		if len(n.text) > len(best.text) {
			best = n
		}
	}
	if !best.ascii {
		return nil
	}
	return []needle{best}
}

func (p *phrase) exact() bool { return len(p.parts) == 1 && !p.leftWord && !p.rightWord }

// words are those that stand whole in every text that matches: the filter has them.
func (p *phrase) words() (out []string) {
	for i := range p.parts {
		left := i == 0 && !p.leftOpen
		right := i == len(p.parts)-1 && !p.rightOpen
		out = append(out, wholeWords(p.parts[i].text, left, right)...)
	}
	return out
}

// wholeWords are the words of s; the first and last only when something else than a word is known to be around s, or when s ends in it.
func wholeWords(s string, left, right bool) (out []string) {
	if !left {
		i := strings.IndexFunc(s, func(r rune) bool { return !isWord(r) })
		if i < 0 {
			return nil
		}
		s = s[i:]
	}
	if !right {
		i := strings.LastIndexFunc(s, func(r rune) bool { return !isWord(r) })
		if i < 0 {
			return nil
		}
		s = s[:i+1]
	}
	block.EachToken(s, func(t string) {
		if len(t) < block.MaxTokenBytes { // a longer one is cut in the filter
			out = append(out, strings.Clone(t))
		}
	})
	return out
}

// wildcard is query.Wildcard of another field: the whole value, letters' case counts.
type wildcard struct{ parts []string }

func (w wildcard) match(b []byte) bool {
	s := unsafeString(b)
	first, last := w.parts[0], w.parts[len(w.parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range w.parts[1 : len(w.parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}

// expression is query.Regexp.
type expression struct {
	re       *regexp.Regexp
	required []needle // one of them is in every text that matches; nil: unknown
	literal  bool     // the expression is the needle, no more
	whole    []string // words that stand whole in every text that matches
}

func newExpression(source string) (*expression, error) {
	re, err := regexp.Compile(source)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, err
	}
	e := &expression{re: re}
	e.analyse(tree.Simplify())
	return e, nil
}

func (e *expression) match(s []byte) bool { return e.re.Match(s) }
func (e *expression) needles() []needle   { return e.required }
func (e *expression) exact() bool         { return e.literal }

// newSet is one value, or any of several.
func newSet(values []string) matcher {
	if len(values) == 1 && values[0] != "" {
		return equal(values[0])
	}
	set := is{}
	for _, v := range values {
		set[v] = struct{}{}
	}
	return set
}

// equal is query.Is of another field than the message.
type equal string

func (e equal) match(s []byte) bool { return string(e) == unsafeString(s) }
func (e equal) needles() []needle   { return []needle{newNeedle(string(e), false)} }
func (e equal) exact() bool         { return false }

// is is a set of values.
type is map[string]struct{}

func (m is) match(s []byte) bool {
	_, ok := m[unsafeString(s)]
	return ok
}

// span is a query.Range of texts, by their bytes.
type span struct{ lo, hi query.Bound }

func (r span) match(b []byte) bool {
	s := unsafeString(b)
	return (r.lo.Open || s > r.lo.Text || s == r.lo.Text && !r.lo.Exclusive) && (r.hi.Open || s < r.hi.Text || s == r.hi.Text && !r.hi.Exclusive)
}
