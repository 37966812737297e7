package engine

import "github.com/logmill/logmill/shared/rule/expr"

// Reading is what the condition of a rule came to in one group when a tick was closed. It holds until the next one of that group.
type Reading struct {
	expr.Value       // NULL: no data, or fewer lines than the rule wants
	Tick       int64 // ns
	of         *instance
}

// Key is the fingerprint's bytes: cheap, for maps.
func (r Reading) Key() [16]byte { return r.of.print }

// Fingerprint names the alert that the group has, or would have.
func (r Reading) Fingerprint() string { return r.of.fingerprint() }

// Labels are those of that alert.
func (r Reading) Labels() map[string]string { return r.of.allLabels() }

// Watch has f hear of each value of each rule that is decided here, in the order of ticks, whenever it may have changed, once the rule's windows are
// whole. It is for pictures; what the engine decides does not depend on it. f may not call the engine.
func (e *Engine) Watch(f func(Reading)) { e.watch = f }

// told tells of a reading's value at a closed tick.
func (e *Engine) told(r *reading, v *view, value expr.Value, t int64) {
	if e.watch == nil {
		return
	}
	for _, a := range e.active {
		i := a.instances[r.key]
		if a.q != r.q || i == nil || t < a.full {
			continue
		}
		seen := value
		if a.c.MinSamples > 1 && v.samples() < a.c.MinSamples {
			seen = expr.Value{}
		}
		e.watch(Reading{Value: seen, Tick: t * Tick, of: i})
	}
}

// ended tells that a group is given up: it has no value any more.
func (e *Engine) ended(i *instance, t int64) {
	if e.watch != nil {
		e.watch(Reading{Tick: t * Tick, of: i})
	}
}
