package engine

import (
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// AlertState is an alert as the last closed tick left it. Times are ns.
type AlertState struct {
	Rule        *rule.Compiled
	Fingerprint string
	Labels      map[string]string
	Firing      bool       // else pending: the condition holds, but not yet for long enough
	Pending     int64      // since when the condition holds, or held when it fired
	Starts      int64      // since when it fires, 0 while pending
	Value, Peak expr.Value // of the last closed tick; the furthest past the threshold
	Approximate bool       // Value is an estimate
}

// States are the alerts that are pending or firing, in the order of rules and groups, for tests of rules. Subscribers follow the events.
func (e *Engine) States() (out []AlertState) {
	for _, a := range e.sortedRules() {
		if e.active[a.c.ID] != a {
			continue // it only feeds the global engine
		}
		for _, i := range sortedInstances(a) {
			if i.alert.Phase != inactive {
				out = append(out, e.state(i))
			}
		}
	}
	return out
}

func (e *Engine) state(i *instance) AlertState {
	v := e.look(i)
	s := AlertState{Rule: i.a.c, Fingerprint: i.fingerprint(), Labels: i.allLabels(), Firing: i.alert.Phase == firing, Pending: i.alert.Pending * Tick, Value: i.value(v), Peak: i.alert.Peak.value()}
	s.Approximate = v.approximate
	if s.Firing {
		s.Starts = i.alert.Starts * Tick
	}
	return s
}
