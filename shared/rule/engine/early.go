package engine

import "slices"

// Early returns the alerts that the last Fold makes certain before their tick is closed: rules that more records of the same window can
// only confirm. It looks at the open ticks, in order, up to the one of the fold's newest record.
func (e *Engine) Early() []Event {
	newest := e.newest
	if len(e.future) > 0 {
		newest = min(newest, e.future[0].tick-1) // from there on another version decides
	}
	for _, g := range e.touched {
		for _, i := range g.watchers {
			c := i.a.c
			if c.Monotone && c.Local && c.For == 0 && i.alert.Phase == inactive && !i.alert.Muted {
				e.certain(i, newest)
			}
		}
	}
	e.touched = e.touched[:0]
	events, _ := e.take()
	sortEvents(events)
	return events
}

// certain fires the instance at the first open tick at which its condition holds already.
func (e *Engine) certain(i *instance, newest int64) {
	for _, t := range i.openTicks() {
		if t > newest {
			break
		}
		v := i.view(t, true)
		value := v.value()
		if holds, known := i.alert.holds(i.a.c, value); value.Null() || !holds || !known {
			continue
		}
		a := &i.alert
		a.Phase, a.Pending, a.Starts, a.Final, a.False, a.LastTrue = firing, t, t, 0, 0, t
		a.Value, a.Peak, a.NoData = value, value, false
		a.Quiet = e.quietFor(i, t)
		e.emit(i, Firing, ReasonCondition, t, v)
		e.wakeAt(i, t)
		return
	}
}

// openTicks are the ticks in which the instance has open cells, in order.
func (i *instance) openTicks() []int64 {
	var out []int64
	for k := range i.a.aggs {
		for j := range i.groups[k].open {
			out = append(out, i.groups[k].open[j].tick)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
