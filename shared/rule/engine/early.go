package engine

import (
	"slices"
)

// Early returns the alerts that the last Fold makes certain before their tick is closed: rules that more records of the same window can
// only confirm. It looks at the open ticks, in order, up to the one of the fold's newest record.
func (e *Engine) Early() []Event {
	newest := e.newest
	if len(e.future) > 0 {
		newest = min(newest, e.future[0].tick-1) // from there on another version decides
	}
	for _, g := range e.touched {
		for _, r := range g.readings {
			if r.q.grows {
				e.certain(r, newest)
			}
		}
	}
	e.touched = e.touched[:0]
	events, _ := e.take()
	sortEvents(events)
	return events
}

// certain fires what holds already, at the first open tick at which it does.
func (e *Engine) certain(r *reading, newest int64) {
	for _, t := range r.openTicks() {
		if t > newest {
			return
		}
		v := &view{r: r, tick: t, early: true}
		up, _ := r.reached(v.raw())
		e.looked = slices.Concat(r.watched, up) // copied: they move when they fire
		for _, i := range e.looked {
			if i.a.c.Monotone && i.a.c.Local && i.a.c.For == 0 && i.alert.Phase == inactive && !i.alert.Muted {
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
	a.Value, a.Peak, a.NoData = value, value, false
	a.Quiet = e.quietFor(i, t)
	e.emit(i, Firing, ReasonCondition, t, v)
	e.wakeAt(i, t)
	e.settle(i)
}

// openTicks are the ticks with open cells of what the condition counts, in order.
func (r *reading) openTicks() []int64 {
	var out []int64
	for _, g := range r.groups[:len(r.q.aggs)] {
		for j := range g.open {
			out = append(out, g.open[j].tick)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
