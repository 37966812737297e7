// Package standing says how a rule stands, from what evaluators have written: a word for people, and what is behind it.
package standing

import (
	"fmt"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

// States of a rule, the gravest first; a rule is in the first that is true of it.
const (
	Disabled = "disabled"
	Error    = "error"    // it is not evaluated
	Firing   = "firing"   // some group does
	Blind    = "blind"    // it has not seen all lines: its silence means nothing
	Pending  = "pending"  // some group's condition holds, but not yet for long enough
	Overflow = "overflow" // more groups than it may have: some share one
	Warming  = "warming"  // its windows are not whole yet
	NoData   = "no_data"  // no group has a value
	OK       = "ok"
)

// newFor is how long after a change evaluators may not have told of a rule: two seconds until it is in force, two until they write.
const newFor = 5 * time.Second

// Facts are what one look at MySQL gives.
type Facts struct {
	View    blind.View
	Sources map[string]engine.Status // by the names of outboxes: p0, p1, …, g
	Firing  map[int64]int            // alerts that fire, by rule
}

// Standing of a rule.
type Standing struct {
	State    string          `json:"state"`
	Groups   engine.Standing `json:"groups"`   // how many alerts of it are not ok
	Problems []Problem       `json:"problems"` // why it is blind, in error or over its limit
}

// Problem is something wrong with a rule's evaluation.
type Problem struct {
	Kind   string     `json:"kind"`
	Since  *time.Time `json:"since"` // null: nobody knows
	Detail string     `json:"detail"`
}

// Of is how a rule stands. changed is when it was last changed, by the clock of f.View.Now.
func (f *Facts) Of(c *rule.Compiled, id int64, changed time.Time) Standing {
	s := Standing{State: Disabled, Problems: []Problem{}}
	if !c.Enabled {
		return s
	}
	problems := f.View.Of(c)
	for _, p := range problems {
		out := Problem{Kind: p.Kind, Detail: p.Detail}
		if p.Since > 0 {
			t := time.Unix(0, p.Since).UTC()
			out.Since = &t
		}
		s.Problems = append(s.Problems, out)
	}
	quiet := f.sum(c, &s.Groups)
	s.Groups.Firing = f.Firing[id]
	trouble := blind.State(problems)
	switch {
	case trouble == blind.Error:
		s.State = Error
	case s.Groups.Firing > 0:
		s.State = Firing
	case trouble == Blind:
		s.State = Blind
	case s.Groups.Pending > 0:
		s.State = Pending
	case trouble == Overflow:
		s.State = Overflow
	case s.Groups.Warming > 0 || f.View.Now-changed.UnixNano() < int64(newFor):
		s.State = Warming
	case quiet:
		s.State = NoData
	default:
		s.State = OK
	}
	return s
}

// sum adds up what the sources that decide a rule say of it, and tells whether none of them has a group that is ok.
func (f *Facts) sum(c *rule.Compiled, g *engine.Standing) (quiet bool) {
	quiet = true
	for _, source := range f.deciders(c) {
		st, told := f.Sources[source].Rules[c.ID]
		quiet = quiet && told && st.OK == 0
		g.OK += st.OK
		g.Pending += st.Pending
		g.NoData += st.NoData
		g.Warming += st.Warming
	}
	return quiet
}

// deciders are the sources that decide a rule.
func (f *Facts) deciders(c *rule.Compiled) []string {
	switch {
	case c.Pinned && f.View.Partitions > 0: // there are none before the first processor has run
		return []string{fmt.Sprintf("p%d", contract.Home(c.Pin, f.View.Partitions))}
	case !c.Local:
		return []string{"g"}
	}
	out := make([]string, f.View.Partitions)
	for p := range out {
		out[p] = fmt.Sprintf("p%d", p)
	}
	return out
}
