package engine

import (
	"cmp"
	"maps"
	"slices"
)

// maxPending is how many pending alerts a Status lists; Standing counts them all.
const maxPending = 500

// Status is how the rules that an engine decides stand, for people. It is not part of what the engine decides.
type Status struct {
	Rules   map[string]Standing `json:"rules"`   // by id; rules all of whose groups are ok are left out
	Pending []Pending           `json:"pending"` // the newest first
}

// Standing counts a rule's groups. A rule grouped by something has none before its first line.
type Standing struct {
	OK      int `json:"ok,omitempty"`
	Pending int `json:"pending,omitempty"`
	Firing  int `json:"firing,omitempty"`
	NoData  int `json:"no_data,omitempty"`
	Warming int `json:"warming,omitempty"` // the windows are not whole yet
}

// Pending is an alert whose condition holds, but not yet for long enough. Times are ns.
type Pending struct {
	RuleID      string            `json:"rule_id"`
	Version     int               `json:"version"`
	Fingerprint string            `json:"fingerprint"`
	Labels      map[string]string `json:"labels"`
	Since       int64             `json:"since"`
	Fires       int64             `json:"fires"` // when, if it goes on
	Value       *float64          `json:"value"` // null: no data
}

// Status is a whole Survey at once.
func (e *Engine) Status() Status {
	var s Survey
	for !e.Survey(&s, 1<<30) {
	}
	return s.Status
}

// Survey is a look at every alert in pieces, so that nothing waits for the whole of it. The zero value begins one; Status is complete when Engine.Survey
// says so. Pieces are of different moments.
type Survey struct {
	Status
	rules []string // left to be looked at
	begun bool
}

// Survey looks at some more alerts, about a microsecond each: at the rules of budget alerts, and of one rule at least.
func (e *Engine) Survey(s *Survey, budget int) (done bool) {
	if !s.begun {
		s.begun, s.Status = true, Status{Rules: map[string]Standing{}, Pending: []Pending{}}
		s.rules = slices.Collect(maps.Keys(e.active))
	}
	for len(s.rules) > 0 && budget > 0 {
		key := s.rules[len(s.rules)-1]
		s.rules = s.rules[:len(s.rules)-1]
		a := e.active[key]
		if a == nil || key != a.c.ID {
			continue // gone meanwhile, or it only feeds the global engine
		}
		budget -= 1 + len(a.instances)
		var st Standing
		for _, i := range a.instances {
			e.stand(i, &st, &s.Status)
		}
		if st.OK == 0 || st.OK < len(a.instances) {
			s.Rules[key] = st
		}
	}
	if len(s.rules) > 0 {
		return false
	}
	slices.SortFunc(s.Pending, func(a, b Pending) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	s.Pending = s.Pending[:min(len(s.Pending), maxPending)]
	return true
}

func (e *Engine) stand(i *instance, s *Standing, out *Status) {
	switch {
	case i.alert.Phase == firing:
		s.Firing++
	case i.alert.Phase == pending:
		s.Pending++
		p := Pending{RuleID: i.a.c.ID, Version: i.a.c.Version, Fingerprint: i.fingerprint(), Labels: i.allLabels(), Since: i.alert.Pending * Tick, Fires: i.alert.Pending*Tick + int64(i.a.c.For)}
		if v := i.value(e.look(i)); !v.Null() {
			p.Value = &v.N
		}
		out.Pending = append(out.Pending, p)
	case e.last < i.a.full:
		s.Warming++
	case e.blank(i):
		s.NoData++
	default:
		s.OK++
	}
}

// blank tells whether the condition has no value. Readings are looked at once for all their alerts; what would take merging the buckets of a window is
// judged by its lines alone.
func (e *Engine) blank(i *instance) bool {
	r := i.r
	if r.lookedAt != e.last {
		v := &view{r: r, tick: e.last, look: true}
		r.lookedAt, r.lines = e.last, v.samples()
		r.empty = r.lines == 0
		if !slices.ContainsFunc(r.q.aggs, func(u use) bool { return u.s.kind != kindCount && u.s.kind != kindSum && u.s.kind != kindLadder }) {
			r.empty = v.raw().Null()
		}
	}
	return r.empty || i.a.c.MinSamples > 1 && r.lines < i.a.c.MinSamples
}

// look is an instance as it is now.
func (e *Engine) look(i *instance) *view {
	v := i.view(e.last, false)
	v.look = true
	return v
}
