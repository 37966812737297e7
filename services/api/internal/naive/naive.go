// Package naive answers queries the simplest way: line by line, field by field. Tests compare the engine with it; nothing else uses it.
package naive

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/logrec"
)

// Match tells whether a record, stored under id, is one that the filter asks for.
func Match(n query.Node, r *logrec.Record, id logrec.ID, now time.Time) bool {
	switch n := n.(type) {
	case *query.And:
		for _, x := range n.Of {
			if !Match(x, r, id, now) {
				return false
			}
		}
		return true
	case *query.Or:
		for _, x := range n.Of {
			if Match(x, r, id, now) {
				return true
			}
		}
		return false
	case *query.Not:
		return !Match(n.X, r, id, now)
	case *query.Term:
		return term(n, r, id, now)
	}
	return true // query.All
}

func term(t *query.Term, r *logrec.Record, id logrec.ID, now time.Time) bool {
	switch t.Field.Kind() {
	case query.KindMessage:
		return message(t.Pred, r.Message)
	case query.KindAddress:
		return address(t.Pred.(query.Network), r)
	case query.KindID:
		_, exists := t.Pred.(query.Exists)
		return exists || t.Pred == query.Is{Text: id.String()}
	case query.KindTime:
		return moment(t.Field.Name, t.Pred, r, now)
	case query.KindLevel:
		return level(t.Pred, r.Level)
	case query.KindNumber:
		return number(t.Field.Name, t.Pred, r)
	}
	v, ok := text(t.Field, r)
	return ok && value(t, v)
}

// text is a field's text, false without one.
func text(f query.Field, r *logrec.Record) (string, bool) {
	if f.Attribute {
		for _, a := range r.Attributes {
			if a.Key == f.Name {
				return a.Value, true
			}
		}
		return "", false
	}
	v := map[string]string{"service": r.Service, "trace_id": r.TraceID, "span_id": r.SpanID, "user_id": r.UserID, "request_method": r.RequestMethod,
		"request_path": r.RequestPath, "team": r.Team, "env": r.Env, "host": r.Host}[f.Name]
	return v, v != "" || f.Name == "service"
}

func value(t *query.Term, v string) bool {
	switch p := t.Pred.(type) {
	case query.Is:
		return v == p.Text
	case query.Wildcard:
		return glob(p.Parts, v)
	case query.Regexp:
		return regexp.MustCompile(p.Source).MatchString(v)
	case query.Network:
		return inNetwork(p, v)
	case query.Range:
		lo, loOK := query.ParseNumber(p.Lo.Text)
		hi, hiOK := query.ParseNumber(p.Hi.Text)
		if t.Field.Attribute && (p.Lo.Open || loOK && !p.Lo.Quoted) && (p.Hi.Open || hiOK && !p.Hi.Quoted) {
			x, ok := query.ParseNumber(v)
			return ok && within(p, compare(x, lo), compare(x, hi))
		}
		return within(p, strings.Compare(v, p.Lo.Text), strings.Compare(v, p.Hi.Text))
	}
	return true // query.Exists
}

// glob is a regular expression.
func glob(parts []string, v string) bool {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(quoted, ".*") + `$`).MatchString(v)
}

// within takes how a value compares with both bounds.
func within(r query.Range, lo, hi int) bool {
	return (r.Lo.Open || lo > 0 || lo == 0 && !r.Lo.Exclusive) && (r.Hi.Open || hi < 0 || hi == 0 && !r.Hi.Exclusive)
}

func compare[T int | int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func level(p query.Pred, l logrec.Level) bool {
	r, ok := p.(query.Range)
	if !ok {
		return value(&query.Term{Pred: p}, l.String())
	}
	lo, _ := logrec.ParseLevel(r.Lo.Text)
	hi, _ := logrec.ParseLevel(r.Hi.Text)
	return within(r, compare(int(l), int(lo)), compare(int(l), int(hi)))
}

func number(name string, p query.Pred, r *logrec.Record) bool {
	x, ok, digits := float64(r.ResponseStatus), r.ResponseStatus != 0, strconv.Itoa(int(r.ResponseStatus))
	switch name {
	case "response_time_ms":
		x, ok, digits = r.ResponseTimeMS, r.HasResponseTime, strconv.FormatFloat(r.ResponseTimeMS, 'f', -1, 64)
	case "pattern_id":
		x, ok, digits = float64(r.PatternID), r.PatternID != 0, strconv.FormatInt(r.PatternID, 10)
	}
	if !ok {
		return false
	}
	switch p := p.(type) {
	case query.Is:
		want, _ := query.ParseNumber(p.Text)
		return x == want
	case query.Range:
		lo, _ := query.ParseNumber(p.Lo.Text)
		hi, _ := query.ParseNumber(p.Hi.Text)
		return within(p, compare(x, lo), compare(x, hi))
	}
	return value(&query.Term{Pred: p}, digits)
}

func moment(name string, p query.Pred, r *logrec.Record, now time.Time) bool {
	v := r.Timestamp
	if name == "observed" {
		v = r.Observed
	}
	between, ok := p.(query.Range)
	if !ok {
		return true // query.Exists
	}
	lo, _ := query.ParseTime(between.Lo.Text, now)
	hi, _ := query.ParseTime(between.Hi.Text, now)
	return within(between, compare(v, lo), compare(v, hi))
}

// message looks for texts at every place, rune by rune.
func message(p query.Pred, s string) bool {
	switch p := p.(type) {
	case query.Is:
		return phrase([]rune(s), []string{p.Text})
	case query.Wildcard:
		return phrase([]rune(s), p.Parts)
	case query.Regexp:
		return regexp.MustCompile(p.Source).MatchString(s)
	}
	return true // query.Exists
}

func phrase(s []rune, parts []string) bool {
	var tails func(from int, parts []string, last bool) bool
	tails = func(from int, rest []string, first bool) bool {
		if len(rest) == 0 {
			return true
		}
		part := []rune(rest[0])
		for at := from; at+len(part) <= len(s); at++ {
			end := at + len(part)
			if !equalFold(s[at:end], part) {
				continue
			}
			if first && inside(s, at) || len(rest) == 1 && inside(s, end) {
				continue
			}
			if tails(end, rest[1:], false) {
				return true
			}
		}
		return false
	}
	return tails(0, parts, true)
}

func equalFold(a, b []rune) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

// lower keeps what is outside of ASCII there: İ is no i, and the Kelvin sign no k.
func lower(r rune) rune {
	if l := unicode.ToLower(r); r < utf8.RuneSelf || l >= utf8.RuneSelf {
		return l
	}
	return r
}

// inside tells whether the place i is inside of a word.
func inside(s []rune, i int) bool {
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	return i > 0 && i < len(s) && word(s[i-1]) && word(s[i])
}

var addresses = regexp.MustCompile(`[0-9A-Fa-f:.]+`)

func address(n query.Network, r *logrec.Record) bool {
	for _, a := range r.Attributes {
		if inNetwork(n, a.Value) {
			return true
		}
	}
	for _, at := range addresses.FindAllStringIndex(r.Message, -1) {
		s := []rune(r.Message)
		begin, end := utf8.RuneCountInString(r.Message[:at[0]]), utf8.RuneCountInString(r.Message[:at[1]])
		word := func(i int) bool {
			return i >= 0 && i < len(s) && (s[i] == '_' || unicode.IsLetter(s[i]) || unicode.IsDigit(s[i]))
		}
		if word(begin-1) || word(end) {
			continue
		}
		text := strings.TrimRight(r.Message[at[0]:at[1]], ".:")
		host := regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+):.*$`).ReplaceAllString(text, "$1")
		if inNetwork(n, text) || inNetwork(n, host) {
			return true
		}
	}
	return false
}

func inNetwork(n query.Network, v string) bool {
	a, err := netip.ParseAddr(v)
	return err == nil && netip.MustParsePrefix(n.CIDR).Contains(a.Unmap().WithZone(""))
}
