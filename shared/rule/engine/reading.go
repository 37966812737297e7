package engine

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// question is what rules ask that differ in threshold, timing or texts only: one condition over the same records, grouped one way, through one
// window. Its value in a group is worked out once for all of them.
type question struct {
	key      string
	c        *rule.Compiled // of one of the rules: its condition is everyone's
	by       *grouping
	aggs     []use // by c.Aggregates
	samples  use
	readings map[string]*reading // by group
	refs     int                 // rules
	grows    bool                // one of the rules may fire before its tick is closed
}

// ask finds or makes the question of a rule whose series are linked.
func (e *Engine) ask(a *active) *question {
	key := expr.Print(a.c.Cond) + "|" + seriesKey(kindCount, a.c.Where, nil, a.by) + "|" + rule.Duration(a.c.TimeWindow).String()
	q := e.questions[key]
	if q == nil {
		q = &question{key: key, c: a.c, by: a.by, aggs: a.aggs, samples: a.samples, readings: map[string]*reading{}}
		e.questions[key] = q
	}
	q.refs++
	q.grows = q.grows || a.sudden()
	return q
}

func (e *Engine) unask(q *question) {
	if q.refs--; q.refs == 0 {
		delete(e.questions, q.key)
	}
}

// reading is a question's value in one group, and the alerts that depend on it. Most alerts do not fire and are far from it: they are kept by
// threshold, and looked at only when the value has come to theirs.
type reading struct {
	q      *question
	key    string
	labels []string
	sees   []sight // of q.aggs, then of q.samples

	alerts  int
	watched []*instance // to be looked at whenever the value may have changed
	rising  []ranked    // idle, > or >=, the least threshold first
	falling []ranked    // idle, < or <=, the greatest threshold first
	due     []*instance // whose time is up

	wake  int64 // tick at which the oldest bucket leaves; 0 = none
	dirty int64 // tick for which it is in Engine.dirty
	gone  bool

	lookedAt int64 // tick of the last look for people, and what was seen
	lines    int64
	empty    bool // no value
}

// ranked is an instance and its threshold, beside it: the first threshold of a shelf is all that most visits look at.
type ranked struct {
	at float64
	i  *instance
}

// sight is a group and its ring of a window.
type sight struct {
	g *group
	r *ring
}

// shelf is where a reading keeps an instance.
type shelf uint8

const (
	asleep shelf = iota // on none: only its time matters
	watched
	rising
	falling
)

// reading finds or makes a question's reading in a group.
func (e *Engine) reading(q *question, key string, labels []string) *reading {
	if r := q.readings[key]; r != nil {
		return r
	}
	r := &reading{q: q, sees: make([]sight, 0, len(q.aggs)+1)}
	for _, u := range append(q.aggs[:len(q.aggs):len(q.aggs)], q.samples) {
		g := u.s.find(key, labels)
		g.refs++
		r.sees = append(r.sees, sight{g, u.s.ring(g, u.window)})
	}
	base := r.base()
	r.key, r.labels = base.key, base.labels // not copies: there are many readings
	base.readings = append(base.readings, r)
	q.readings[key] = r
	return r
}

// base is the group of all records of the filter. What any aggregate counts is in it, so nothing changes without it.
func (r *reading) base() *group { return r.sees[len(r.sees)-1].g }

// close lets go of a reading that no alert depends on. Its groups are forgotten once they are closed.
func (e *Engine) close(r *reading) {
	base := r.base()
	base.readings = slices.DeleteFunc(base.readings, func(x *reading) bool { return x == r })
	for k, u := range append(r.q.aggs[:len(r.q.aggs):len(r.q.aggs)], r.q.samples) {
		u.s.release(r.sees[k].g)
	}
	delete(r.q.readings, r.key)
	r.gone = true
}

// shelfOf is where an instance belongs at the last closed tick. Idle is one that neither fires nor waits: its next move can only be that its
// condition comes to hold. While its windows fill, nothing moves it but what more records cannot undo.
func (e *Engine) shelfOf(i *instance) shelf {
	c := i.a.c
	switch {
	case e.watchAll || i.alert.Phase != inactive || i.alert.Muted:
		return watched
	case e.last < i.a.full && !c.Monotone:
		return asleep
	case e.last >= i.a.full && c.NoData == rule.NoDataFiring:
		return watched
	case c.Operator == ">" || c.Operator == ">=":
		return rising
	case c.Operator == "<" || c.Operator == "<=":
		return falling
	}
	return watched
}

// settle puts an instance where it belongs.
func (e *Engine) settle(i *instance) {
	if want := e.shelfOf(i); i.shelf != want {
		i.r.take(i)
		i.r.put(i, want)
	}
}

func (r *reading) put(i *instance, to shelf) {
	i.shelf = to
	switch to {
	case watched:
		i.slot = int32(len(r.watched))
		r.watched = append(r.watched, i)
	case rising:
		r.rising = slices.Insert(r.rising, place(r.rising, i, 1), ranked{i.a.c.Threshold, i})
	case falling:
		r.falling = slices.Insert(r.falling, place(r.falling, i, -1), ranked{i.a.c.Threshold, i})
	}
}

// take takes an instance off its shelf.
func (r *reading) take(i *instance) {
	switch i.shelf {
	case watched:
		last := len(r.watched) - 1
		r.watched[i.slot] = r.watched[last]
		r.watched[i.slot].slot = i.slot
		r.watched[last] = nil
		r.watched = r.watched[:last]
	case rising:
		k := place(r.rising, i, 1)
		r.rising = slices.Delete(r.rising, k, k+1)
	case falling:
		k := place(r.falling, i, -1)
		r.falling = slices.Delete(r.falling, k, k+1)
	}
	i.shelf = asleep
}

// place is where an instance stands, or would, on a sorted shelf. Rules of one threshold stand in the order of their ids.
func place(list []ranked, i *instance, sign int) int {
	k, _ := slices.BinarySearchFunc(list, i, func(r ranked, i *instance) int {
		return cmp.Or(sign*cmp.Compare(r.at, i.a.c.Threshold), compareIDs(r.i.a.c.ID, i.a.c.ID))
	})
	return k
}

// reached appends the idle instances whose threshold a value has come to.
func (r *reading) reached(v expr.Value, out []*instance) []*instance {
	if v.Null() {
		return out
	}
	for k := 0; k < len(r.rising) && r.rising[k].at <= v.N; k++ {
		out = append(out, r.rising[k].i)
	}
	for k := 0; k < len(r.falling) && r.falling[k].at >= v.N; k++ {
		out = append(out, r.falling[k].i)
	}
	return out
}

// visit takes a reading's alerts to a closed tick.
func (e *Engine) visit(r *reading, t int64) {
	v := &e.seen
	*v = view{r: r, tick: t}
	value := v.raw()
	e.told(r, v, value, t)
	e.looked = r.reached(value, append(append(e.looked[:0], r.watched...), r.due...)) // copied: they move while they are looked at
	r.due = r.due[:0]
	for _, i := range e.looked {
		if !i.gone && i.seen != t {
			i.seen = t
			e.evaluate(i, t, v, value)
		}
	}
	if !r.gone {
		e.wakeNext(r)
	}
}

// wakeNext wakes a reading when the oldest bucket leaves its windows.
func (e *Engine) wakeNext(r *reading) {
	next := int64(0)
	for _, s := range r.sees {
		if t, ok := s.r.next(); ok && t > e.last && (next == 0 || t < next) {
			next = t
		}
	}
	if next != 0 && (r.wake <= e.last || next < r.wake) {
		r.wake = next
		heap.Push(&e.wakes, wake{tick: next, r: r})
	}
}

func (e *Engine) mark(r *reading) {
	if r.dirty != e.last {
		r.dirty = e.last
		e.dirty = append(e.dirty, r)
	}
}

// view is a reading at a tick, as the Env of its condition.
type view struct {
	r           *reading
	tick        int64
	warm        int64 // oldest bucket that counts
	early       bool  // open cells count in
	look        bool  // nothing may change
	approximate bool
}

// raw is the condition's value; NULL is no data.
func (v *view) raw() expr.Value { return v.r.q.c.Value(v) }

func (v *view) cell(g *group, r *ring) cell {
	open, _ := v.open(g, r)
	return r.window(v.tick, v.warm, open)
}

// open are the cells of a group that count in though they are open, and the fold that they are of. A ring whose closed cells alone count lets go
// of what the window has left.
func (v *view) open(g *group, r *ring) (open []openCell, fold uint64) {
	switch {
	case v.early:
		return g.open, g.touched
	case !v.look:
		r.expire(v.tick)
	}
	return nil, 0
}

// reach is how many records reach each rung of the ladder that the condition's k-th aggregate looks at.
func (v *view) reach(k int) *reach {
	s := v.r.sees[k]
	open, fold := v.open(s.g, s.r)
	return s.r.reach(v.tick, v.warm, open, fold)
}

// evidence are the records that a use of evidence has in a group.
func (v *view) evidence(u use, g *group) []RecordID {
	r := u.s.ring(g, u.window)
	if u.s.kind == kindLadder {
		open, _ := v.open(g, r)
		return r.rungEvidence(v.tick, v.warm, open, u.rung)
	}
	c := v.cell(g, r)
	return thin(c.Evidence)
}

// Column is the group's label.
func (v *view) Column(c *expr.Column) expr.Value {
	for k, g := range v.r.q.by.cols {
		if g.String() == c.String() {
			return expr.TextOf(v.r.labels[k])
		}
	}
	return expr.Value{}
}

// Aggregate is the window's value of an aggregate of the condition.
func (v *view) Aggregate(a *expr.Aggregate) expr.Value {
	k := slices.Index(v.r.q.c.Aggregates, a)
	if k < 0 {
		return expr.Value{}
	}
	return v.aggregate(k)
}

// aggregate is the window's value of the condition's k-th aggregate.
func (v *view) aggregate(k int) expr.Value {
	a, s := v.r.q.c.Aggregates[k], v.r.q.aggs[k].s
	if s.kind == kindLadder {
		return expr.NumberOf(float64(v.reach(k).at(v.r.q.aggs[k].rung)))
	}
	if s.kind == kindDistinct {
		open, _ := v.open(v.r.sees[k].g, v.r.sees[k].r)
		n, approximate := v.r.sees[k].r.distinct(v.tick, v.warm, open)
		v.approximate = v.approximate || approximate
		return expr.NumberOf(n)
	}
	c := v.cell(v.r.sees[k].g, v.r.sees[k].r)
	switch {
	case s.kind == kindCount:
		return expr.NumberOf(float64(c.N))
	case c.N == 0:
		return expr.Value{} // SUM, AVG, MIN, MAX and percentiles of nothing are NULL
	case s.kind == kindSketch:
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
	base := v.r.sees[len(v.r.sees)-1]
	c := v.cell(base.g, base.r)
	return c.N
}
