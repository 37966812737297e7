package engine

import (
	"container/heap"
	"encoding/hex"
	"slices"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// instance is a rule's alert for one group.
type instance struct {
	a        *active
	r        *reading
	evidence *group // nil: none
	alert    alert
	born     int64 // tick
	wake     int64 // tick; 0 = none
	seen     int64 // tick of the last evaluation
	print    [16]byte
	slot     int32 // in r.watched
	shelf    shelf // of r
	gone     bool
}

// fingerprint names the alert.
func (i *instance) fingerprint() string { return hex.EncodeToString(i.print[:]) }

// instance finds or makes a rule's instance for a group.
func (e *Engine) instance(a *active, key string, labels []string, tick int64) *instance {
	if i := a.instances[key]; i != nil {
		return i
	}
	r := e.reading(a.q, key, labels)
	i := &instance{a: a, r: r, born: tick}
	i.print = rule.FingerprintBytes(a.c.ID, i.groupLabels())
	i.alert.Seq = max(e.seqs[i.print], tick*Tick/1e9) // above what any earlier instance of this fingerprint can have reached
	delete(e.seqs, i.print)
	a.instances[key] = i
	i.collect()
	r.alerts++
	r.put(i, watched)
	if tick < a.full {
		e.wakeAt(i, a.full)
	}
	return i
}

// collect finds the group of the instance's evidence.
func (i *instance) collect() {
	i.evidence = nil
	if u := i.a.evidence; u.s != nil {
		i.evidence = u.s.find(i.r.key, i.r.labels)
		i.evidence.refs++
		u.s.ring(i.evidence, u.window)
	}
}

func (e *Engine) remove(i *instance) {
	i.r.take(i)
	i.r.base().gen, i.r.base().met = -1, -1 // if a record comes, the rule has an alert again
	if i.evidence != nil {
		i.a.evidence.s.release(i.evidence)
	}
	if i.r.alerts--; i.r.alerts == 0 {
		e.close(i.r)
	}
	if i.alert.Seq >= e.last*Tick/1e9 { // else the next instance begins above it anyway
		e.seqs[i.print] = i.alert.Seq
	}
	delete(i.a.instances, i.r.key)
	i.gone = true
}

func (e *Engine) wakeAt(i *instance, tick int64) {
	if i.wake != 0 && i.wake <= tick && i.wake > e.last {
		return
	}
	i.wake = tick
	heap.Push(&e.wakes, wake{tick: tick, i: i})
}

// groupLabels are the labels of the group that group_by makes.
func (i *instance) groupLabels() map[string]string {
	out := map[string]string{}
	for k, c := range i.a.by.cols {
		if slices.ContainsFunc(i.a.c.Groups, func(g *expr.Column) bool { return g.String() == c.String() }) {
			out[c.Label()] = i.r.labels[k]
		}
	}
	return out
}

func (i *instance) view(tick int64, early bool) *view {
	v := &view{r: i.r, tick: tick, early: early}
	if tick < i.a.full {
		v.warm = i.a.warm
	}
	return v
}

// value is the condition's value; NULL is no data, or too little of it.
func (i *instance) value(v *view) expr.Value {
	if i.a.c.MinSamples > 1 && v.samples() < i.a.c.MinSamples {
		return expr.Value{}
	}
	return v.raw()
}

// next is the next tick at which an instance changes although its value does not: when a time is up, its windows are whole, or its group is stale.
func (i *instance) next(tick int64) int64 {
	next := int64(0)
	at := func(t int64) {
		if t > tick && (next == 0 || t < next) {
			next = t
		}
	}
	if tick < i.a.full {
		at(i.a.full)
	}
	i.alert.times(i.a.c, at)
	if len(i.a.c.Groups) > 0 {
		at(i.stale())
	}
	return next
}

// stale is when the instance's group is given up.
func (i *instance) stale() int64 {
	return max(i.r.base().last, i.born) + int64(i.a.c.GroupRetention)/Tick
}
