package rule

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Matcher is a condition on one label of an alert, as Alertmanager has them. A label that the alert does not have is the empty text.
type Matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"` // Value is an RE2 expression that the whole label must match
	IsEqual bool   `json:"isEqual"` // false: the label must not match
}

// UnmarshalJSON reads a matcher; isEqual is true unless said otherwise. Unknown fields are errors.
func (m *Matcher) UnmarshalJSON(b []byte) error {
	type plain Matcher
	p := plain{IsEqual: true}
	err := Strict(b, &p)
	*m = Matcher(p)
	return err
}

// String is the matcher as Alertmanager writes it: service=~"web.*".
func (m Matcher) String() string {
	return m.Name + map[[2]bool]string{{true, false}: "=", {false, false}: "!=", {true, true}: "=~", {false, true}: "!~"}[[2]bool{m.IsEqual, m.IsRegex}] + fmt.Sprintf("%q", m.Value)
}

// compile makes the condition on the label's value.
func (m Matcher) compile() (func(string) bool, error) {
	if !m.IsRegex {
		return func(v string) bool { return (v == m.Value) == m.IsEqual }, nil
	}
	if _, err := regexp.Compile(m.Value); err != nil { // by itself: "a)|(b" must not break out of the anchors
		return nil, err
	}
	re, err := regexp.Compile("^(?s:" + m.Value + ")$")
	if err != nil {
		return nil, err
	}
	return func(v string) bool { return re.MatchString(v) == m.IsEqual }, nil
}

// Matching compiles matchers to one condition on an alert's labels: all must match.
func Matching(ms []Matcher) (func(labels map[string]string) bool, error) {
	conds := make([]func(string) bool, len(ms))
	for i, m := range ms {
		var err error
		if conds[i], err = m.compile(); err != nil {
			return nil, fmt.Errorf("matcher %s: %w", m, err)
		}
	}
	return func(labels map[string]string) bool {
		for i, m := range ms {
			if !conds[i](labels[m.Name]) {
				return false
			}
		}
		return true
	}, nil
}

// Silence keeps the alerts that its matchers match from being told to people, from StartsAt up to EndsAt. They fire nevertheless.
type Silence struct {
	Matchers  []Matcher `json:"matchers"`
	StartsAt  time.Time `json:"starts_at"`
	EndsAt    time.Time `json:"ends_at"`
	CreatedBy string    `json:"created_by"`
	Comment   string    `json:"comment"`
}

var matcherName = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)

// Validate returns all mistakes joined, each a *FieldError.
func (s *Silence) Validate() error {
	var p []error
	add := func(bad bool, field, format string, args ...any) {
		if bad {
			p = append(p, fieldError(field, format, args...))
		}
	}
	add(strings.TrimSpace(s.CreatedBy) == "", "created_by", "is missing: say who you are")
	add(len(s.CreatedBy) > MaxNameBytes || !utf8.ValidString(s.CreatedBy), "created_by", "is longer than %d bytes or not valid UTF-8", MaxNameBytes)
	add(len(s.Comment) > MaxTextBytes || !utf8.ValidString(s.Comment), "comment", "is longer than %d bytes or not valid UTF-8", MaxTextBytes)
	add(!s.StartsAt.Before(s.EndsAt), "ends_at", "is not after starts_at")
	add(s.EndsAt.Sub(s.StartsAt) > MaxSilence, "ends_at", "a silence lasts %s at most", Duration(MaxSilence))
	return errors.Join(append(p, CheckMatchers(s.Matchers))...)
}

// CheckMatchers returns all mistakes of a silence's matchers joined, each a *FieldError. It refuses what would silence everything as well: a matcher that is true of an absent label chooses nothing by itself.
func CheckMatchers(matchers []Matcher) error {
	if n := len(matchers); n == 0 || n > MaxMatchers {
		return fieldError("matchers", "a silence has 1 to %d matchers, not %d", MaxMatchers, n)
	}
	var p []error
	chooses := false
	for i, m := range matchers {
		field := fmt.Sprintf("matchers[%d]", i)
		switch {
		case !matcherName.MatchString(m.Name) || len(m.Name) > MaxLabelBytes:
			p = append(p, fieldError(field+".name", "%q is not a label: letters, digits and _", clip(m.Name)))
		case len(m.Value) > MaxTextBytes || !utf8.ValidString(m.Value):
			p = append(p, fieldError(field+".value", "is longer than %d bytes or not valid UTF-8", MaxTextBytes))
		default:
			match, err := m.compile()
			if err != nil {
				p = append(p, fieldError(field+".value", "%q is not a regular expression (RE2): %v", clip(m.Value), regexReason(err)))
				continue
			}
			chooses = chooses || !match("")
		}
	}
	if len(p) == 0 && !chooses {
		p = append(p, fieldError("matchers", "all of them match alerts that have no such label: at least one must not match the empty text"))
	}
	return errors.Join(p...)
}

// regexReason is the parser's complaint without the expression, which is quoted already.
func regexReason(err error) string {
	s := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	if i := strings.LastIndex(s, ": `"); i >= 0 {
		return s[:i]
	}
	return s
}
