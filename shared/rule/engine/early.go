package engine

// Early returns the alerts that the last Fold makes certain before their tick is closed: rules that more records of the same window can
// only confirm. It looks at the open ticks, in order, up to the one of the fold's newest record.
func (e *Engine) Early() []Event {
	newest := e.newest
	if len(e.future) > 0 {
		newest = min(newest, e.future[0].tick-1) // from there on another version decides
	}
	for _, ref := range e.touched {
		for _, c := range ref.g.open { // of a reading's base: what its condition counts is in it
			if c.tick <= newest {
				e.meet(ref.s, ref.g, c.tick)
				e.certain(ref.g, c.tick)
			}
		}
	}
	e.touched = e.touched[:0]
	events, _ := e.take()
	sortEvents(events)
	return events
}

// sudden tells whether a rule's alerts may fire before their tick is closed.
func (a *active) sudden() bool { return a.c.Monotone && a.c.Local && a.c.For == 0 }

// meet gives a group that is new those alerts that may fire at an open tick. All others come when it is closed: of before they would know that
// there was nothing.
func (e *Engine) meet(s *series, g *group, t int64) {
	if g.gen == s.gen || g.met == s.gen {
		return
	}
	g.met = s.gen
	for _, a := range s.users {
		switch warm := t > a.warm*(a.c.Bucket()/Tick); {
		case !warm:
			g.met = -1 // not yet: ask again
		case a.sudden() && a.c.Threshold > 0 && a.joins(g.labels) && a.instances[g.key] == nil:
			i := e.instance(a, g.key, g.labels, t)
			e.wakeAt(i, t) // looked at when the tick is closed, as every new one; until then, by its threshold
			e.settle(i)
		}
	}
}

// certain fires what holds already at an open tick.
func (e *Engine) certain(g *group, t int64) {
	for _, r := range g.readings {
		if !r.q.grows || len(r.watched)+len(r.rising) == 0 || !r.counts(t) {
			continue
		}
		v := &e.seen
		*v = view{r: r, tick: t, early: true}
		e.looked = r.reached(v.raw(), append(e.looked[:0], r.watched...)) // copied: they move when they fire
		for _, i := range e.looked {
			if i.a.sudden() && i.alert.Phase == inactive && !i.alert.Muted {
				e.ahead(i, t)
			}
		}
	}
}

// ahead fires an instance at an open tick if its condition holds.
func (e *Engine) ahead(i *instance, t int64) {
	v := i.view(t, true)
	value := i.value(v)
	if holds, known := i.alert.holds(i.a.c, value); value.Null() || !holds || !known {
		return
	}
	a := &i.alert
	a.Phase, a.Pending, a.Starts, a.Final, a.False, a.LastTrue = firing, t, t, 0, 0, t
	a.Value, a.Peak, a.NoData = numberOf(value), numberOf(value), false
	a.quiet(e.quietFor(i, t))
	e.emit(i, Firing, ReasonCondition, t, v)
	e.wakeAt(i, t)
	e.settle(i)
}

// counts tells whether the condition counts any record of an open tick.
func (r *reading) counts(t int64) bool {
	for _, s := range r.sees[:len(r.q.aggs)] {
		for j := range s.g.open {
			if s.g.open[j].tick == t {
				return true
			}
		}
	}
	return false
}
