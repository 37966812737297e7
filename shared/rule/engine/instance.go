package engine

import (
	"container/heap"
	"slices"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// instance is a rule's alert for one group.
type instance struct {
	a           *active
	key         string
	labels      []string // by a.by.cols
	fingerprint string
	groups      []*group // by a.uses()
	alert       alert
	born        int64 // tick
	wake        int64 // tick; 0 = none
	dirty       int64 // tick for which it is in Engine.dirty
	gone        bool
}

// instance finds or makes a rule's instance for a group.
func (e *Engine) instance(a *active, key string, labels []string, tick int64) *instance {
	if i := a.instances[key]; i != nil {
		return i
	}
	i := &instance{a: a, key: key, labels: slices.Clone(labels), born: tick}
	i.fingerprint = rule.Fingerprint(a.c.ID, i.groupLabels())
	i.alert.Seq = max(e.seqs[i.fingerprint], tick*Tick/1e9) // above what any earlier instance of this fingerprint can have reached
	delete(e.seqs, i.fingerprint)
	a.instances[key] = i
	e.attach(i)
	if tick < a.full {
		e.wakeAt(i, a.full)
	}
	return i
}

// attach hangs an instance into the groups that it looks at.
func (e *Engine) attach(i *instance) {
	i.groups = i.groups[:0]
	for _, u := range i.a.uses() {
		g := u.s.find(i.key, i.labels)
		i.groups = append(i.groups, g)
		if n := len(g.watchers); n == 0 || g.watchers[n-1] != i { // two uses may be of one series
			g.watchers = append(g.watchers, i)
		}
		u.s.ring(g, u.window)
	}
}

// detach takes an instance out of its groups; groups that nobody watches are forgotten once they are closed.
func (e *Engine) detach(i *instance) {
	for k, u := range i.a.uses() {
		g := i.groups[k]
		g.watchers = slices.DeleteFunc(g.watchers, func(w *instance) bool { return w == i })
		g.gen = -1
		if len(g.watchers) == 0 && len(g.open) == 0 {
			u.s.forget(g)
		}
	}
}

func (e *Engine) remove(i *instance) {
	e.detach(i)
	if i.alert.Seq >= e.last*Tick/1e9 { // else the next instance begins above it anyway
		e.seqs[i.fingerprint] = i.alert.Seq
	}
	delete(i.a.instances, i.key)
	i.gone = true
}

func (e *Engine) wakeAt(i *instance, tick int64) {
	if i.wake != 0 && i.wake <= tick && i.wake > e.last {
		return
	}
	i.wake = tick
	heap.Push(&e.wakes, wake{tick, i})
}

// groupLabels are the labels of the group that group_by makes.
func (i *instance) groupLabels() map[string]string {
	out := map[string]string{}
	for k, c := range i.a.by.cols {
		if slices.ContainsFunc(i.a.c.Groups, func(g *expr.Column) bool { return g.String() == c.String() }) {
			out[c.Label()] = i.labels[k]
		}
	}
	return out
}

// view is an instance at a tick, as the Env of its rule's condition.
type view struct {
	i           *instance
	tick        int64
	warm        int64 // oldest bucket that counts
	early       bool  // open cells count in
	look        bool  // nothing may change
	approximate bool
}

func (i *instance) view(tick int64, early bool) *view {
	v := &view{i: i, tick: tick, early: early}
	if tick < i.a.full {
		v.warm = i.a.warm
	}
	return v
}

func (v *view) cell(k int, u use) cell {
	g := v.i.groups[k]
	r := u.s.ring(g, u.window)
	var open []openCell
	switch {
	case v.early:
		open = g.open
	case !v.look:
		r.expire(v.tick)
	}
	return r.window(v.tick, v.warm, open)
}

// Column is the group's label.
func (v *view) Column(c *expr.Column) expr.Value {
	for k, g := range v.i.a.by.cols {
		if g.String() == c.String() {
			return expr.TextOf(v.i.labels[k])
		}
	}
	return expr.Value{}
}

// Aggregate is the window's value of an aggregate of the condition.
func (v *view) Aggregate(a *expr.Aggregate) expr.Value {
	k := slices.Index(v.i.a.c.Aggregates, a)
	if k < 0 {
		return expr.Value{}
	}
	u := v.i.a.aggs[k]
	c := v.cell(k, u)
	switch {
	case u.s.kind == kindCount:
		return expr.NumberOf(float64(c.N))
	case u.s.kind == kindDistinct:
		n, approximate := c.Set.count()
		v.approximate = v.approximate || approximate
		return expr.NumberOf(n)
	case c.N == 0:
		return expr.Value{} // SUM, AVG, MIN, MAX and percentiles of nothing are NULL
	case u.s.kind == kindSketch:
		q, err := c.Sketch.GetValueAtQuantile(a.Quantile)
		v.approximate = true
		if err != nil {
			return expr.Value{}
		}
		return expr.NumberOf(q)
	case a.Name == "avg":
		return expr.NumberOf(c.Sum.float() / float64(c.N))
	case a.Name == "sum":
		return expr.NumberOf(c.Sum.float())
	}
	return expr.NumberOf(c.F)
}

func (v *view) samples() int64 {
	c := v.cell(len(v.i.a.aggs), v.i.a.samples)
	return c.N
}

// value is the condition's value; NULL is no data.
func (v *view) value() expr.Value {
	c := v.i.a.c
	if c.MinSamples > 1 && v.samples() < c.MinSamples {
		return expr.Value{}
	}
	return c.Value(v)
}

// next is the next tick at which an instance changes without records: when a bucket leaves, a time is up, or its group is stale.
func (i *instance) next(tick int64) int64 {
	next := int64(0)
	at := func(t int64) {
		if t > tick && (next == 0 || t < next) {
			next = t
		}
	}
	for k, u := range i.a.aggs {
		if t, ok := u.s.ring(i.groups[k], u.window).next(); ok {
			at(t)
		}
	}
	if t, ok := i.a.samples.s.ring(i.groups[len(i.a.aggs)], i.a.samples.window).next(); ok {
		at(t)
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
	return max(i.groups[len(i.a.aggs)].last, i.born) + int64(i.a.c.GroupRetention)/Tick
}
