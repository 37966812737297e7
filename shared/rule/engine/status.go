package engine

import (
	"cmp"
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

// Status looks at every alert: some microseconds each, so not at every step.
func (e *Engine) Status() Status {
	out := Status{Rules: map[string]Standing{}, Pending: []Pending{}}
	for key, a := range e.active {
		if key != a.c.ID {
			continue // it only feeds the global engine
		}
		var s Standing
		for _, i := range a.instances {
			e.stand(i, &s, &out)
		}
		if s.OK == 0 || s.OK < len(a.instances) {
			out.Rules[key] = s
		}
	}
	slices.SortFunc(out.Pending, func(a, b Pending) int {
		return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	out.Pending = out.Pending[:min(len(out.Pending), maxPending)]
	return out
}

func (e *Engine) stand(i *instance, s *Standing, out *Status) {
	switch {
	case i.alert.Phase == firing:
		s.Firing++
	case i.alert.Phase == pending:
		s.Pending++
		p := Pending{RuleID: i.a.c.ID, Version: i.a.c.Version, Fingerprint: i.fingerprint, Labels: i.allLabels(), Since: i.alert.Pending * Tick, Fires: i.alert.Pending*Tick + int64(i.a.c.For)}
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

// blank tells whether the condition has no value. What would take merging the buckets of a window is judged by its lines alone.
func (e *Engine) blank(i *instance) bool {
	v := e.look(i)
	for _, u := range i.a.aggs {
		if k := u.s.kind; k != kindCount && k != kindSum {
			return v.samples() < i.a.c.MinSamples
		}
	}
	return i.value(v).Null()
}

// look is an instance as it is now.
func (e *Engine) look(i *instance) *view {
	v := i.view(e.last, false)
	v.look = true
	return v
}
