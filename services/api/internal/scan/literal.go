package scan

import (
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Literals of regular expressions, as Cox's "Regular Expression Matching with a Trigram Index" (2012) finds them, kept simpler: of what
// must match one behind the other the best is taken, of alternatives all.

const maxNeedles = 8 // one search of the column each

// analyse finds what every text that matches must contain.
func (e *expression) analyse(re *syntax.Regexp) {
	e.whole = certainWords(re)
	lits := required(re)
	if lits == nil || len(lits) > maxNeedles {
		return
	}
	for _, l := range lits {
		e.required = append(e.required, newNeedle(l.text, l.folded))
	}
	e.literal = len(lits) == 1 && re.Op == syntax.OpLiteral && len(lits[0].text) == len(string(re.Rune))
}

// literal is a text that a match contains, in any case when folded.
type literal struct {
	text   string
	folded bool
}

// required are texts one of which every match contains; nil when nothing is known.
func required(re *syntax.Regexp) []literal {
	switch re.Op {
	case syntax.OpLiteral:
		if l := literalOf(re); l.text != "" {
			return []literal{l}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best []literal
		for _, sub := range re.Sub {
			if l := required(sub); worth(l) > worth(best) {
				best = l
			}
		}
		return best
	case syntax.OpAlternate:
		var all []literal
		for _, sub := range re.Sub {
			l := required(sub)
			if l == nil {
				return nil
			}
			all = append(all, l...)
		}
		return all
	}
	return nil
}

// literalOf is the longest piece of a literal that our search finds wherever RE2 does. Folded, those are pieces of ASCII without the
// letters that other signs are equal to (the Kelvin sign, the long s).
func literalOf(re *syntax.Regexp) literal {
	if re.Flags&syntax.FoldCase == 0 {
		return literal{string(re.Rune), false}
	}
	return literal{longestSafe(re.Rune), true}
}

func longestSafe(runes []rune) string {
	var best, cur []rune
	for _, r := range runes {
		if !safeToFold(r) {
			cur = nil
			continue
		}
		if cur = append(cur, r); len(cur) > len(best) {
			best = slices.Clone(cur)
		}
	}
	return string(best)
}

func safeToFold(r rune) bool {
	for f := unicode.SimpleFold(r); ; f = unicode.SimpleFold(f) {
		if f >= utf8.RuneSelf {
			return false
		}
		if f == r {
			return true
		}
	}
}

// worth of a set of literals is its shortest: that one is found most often.
func worth(l []literal) int {
	if l == nil {
		return 0
	}
	shortest := len(l[0].text)
	for _, x := range l {
		shortest = min(shortest, len(x.text))
	}
	return 64*shortest - len(l)
}

// certainWords are words that stand whole in every text that matches.
func certainWords(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		return wordsOf(re, false, false)
	case syntax.OpCapture, syntax.OpPlus:
		return certainWords(re.Sub[0])
	case syntax.OpConcat:
		var out []string
		for i, sub := range re.Sub {
			if sub.Op != syntax.OpLiteral {
				out = append(out, certainWords(sub)...)
				continue
			}
			left := i > 0 && re.Sub[i-1].Op == syntax.OpBeginText
			right := i+1 < len(re.Sub) && re.Sub[i+1].Op == syntax.OpEndText
			out = append(out, wordsOf(sub, left, right)...)
		}
		return out
	}
	return nil
}

// wordsOf leaves out, of folded literals, words with letters that other signs are equal to: the filter lower-cases, and does not fold.
func wordsOf(re *syntax.Regexp, left, right bool) []string {
	out := wholeWords(string(re.Rune), left, right)
	if re.Flags&syntax.FoldCase == 0 {
		return out
	}
	return slices.DeleteFunc(out, func(w string) bool {
		return slices.ContainsFunc([]rune(w), func(r rune) bool { return !safeToFold(r) })
	})
}
