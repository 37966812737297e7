// Package query is what a search asks for: its filters, order and place to go on, read from text. It knows no HTTP and no SQL.
package query

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// Query is a search for log records. Zero values do not filter.
type Query struct {
	Services   []string // any of them
	LevelMask  uint8    // bit 1<<level; 0 = all
	TraceID    string
	UserID     string
	Search     string // the message contains this text, in any case
	Start, End int64  // of timestamp, ns: Start included, End not
	Oldest     bool   // oldest first; else newest first
	Limit      int
	Offset     int
	After      *Key // go on behind this record, in the query's order
	Count      bool // count all matches, not only those of the page
}

// Key orders records: by time, ties by where they came from.
type Key struct {
	Time int64 // ns
	ID   logrec.ID
}

// Compare orders keys oldest first.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Time, o.Time), cmp.Compare(k.ID.Stream, o.ID.Stream), cmp.Compare(k.ID.Partition, o.ID.Partition),
		cmp.Compare(k.ID.Offset, o.ID.Offset), cmp.Compare(k.ID.Row, o.ID.Row))
}

// Tokens are the filter tokens that every match's block must contain: ids, and the words of Search that are whole words of any
// message containing it: those with something other than a letter or digit on both sides within Search.
func (q *Query) Tokens() []string {
	var out []string
	if q.TraceID != "" {
		out = append(out, "trace_id="+q.TraceID)
	}
	if q.UserID != "" {
		out = append(out, "user_id="+q.UserID)
	}
	return append(out, innerWords(q.Search)...)
}

func innerWords(s string) []string {
	first := strings.IndexFunc(s, isBorder)
	last := strings.LastIndexFunc(s, isBorder)
	if first < 0 || first == last {
		return nil
	}
	var out []string
	block.EachToken(s[first:last], func(t string) {
		if len(t) < block.MaxTokenBytes { // a longer word is cut in the filter, and so is not found whole
			out = append(out, strings.Clone(t))
		}
	})
	return out
}

// isBorder tells whether r ends a token.
func isBorder(r rune) bool {
	return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// Matcher says whether a message contains Search, in any case.
type Matcher struct {
	want  string // lower case
	ascii bool
}

// NewMatcher prepares a search text; an empty one matches everything.
func NewMatcher(search string) Matcher {
	m := Matcher{want: strings.ToLower(search), ascii: true}
	for i := range len(search) {
		m.ascii = m.ascii && search[i] < utf8.RuneSelf
	}
	return m
}

// Match tells whether message contains the text.
func (m Matcher) Match(message string) bool {
	if m.want == "" {
		return true
	}
	if !m.ascii {
		return strings.Contains(strings.ToLower(message), m.want)
	}
	return containsFold(message, m.want)
}

// containsFold finds want (lower-case ASCII) in s: by its first byte in either case, then by comparing.
func containsFold(s, want string) bool {
	lo := want[0]
	up := lo
	if 'a' <= lo && lo <= 'z' {
		up -= 'a' - 'A'
	}
	for i := 0; i+len(want) <= len(s); i++ {
		n := indexEither(s[i:len(s)-len(want)+1], lo, up)
		if n < 0 {
			return false
		}
		if i += n; foldEqual(s[i:i+len(want)], want) {
			return true
		}
	}
	return false
}

func indexEither(s string, a, b byte) int {
	i := strings.IndexByte(s, a)
	if a == b {
		return i
	}
	if i >= 0 {
		s = s[:i]
	}
	if j := strings.IndexByte(s, b); j >= 0 {
		return j
	}
	return i
}

func foldEqual(s, want string) bool {
	for i := range len(want) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != want[i] {
			return false
		}
	}
	return true
}
