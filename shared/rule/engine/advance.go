package engine

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Advance takes a watermark: every later record has an eval_time above it. It closes the ticks up to it and returns what they decide, in
// order, and the closed cells that the global engine needs.
func (e *Engine) Advance(watermark int64) ([]Event, []Partial) {
	if watermark > e.wm {
		e.wm = watermark
	}
	target := e.wm / Tick
	e.fresh = false
	for {
		t, ok := e.due()
		if !ok || t > target {
			break
		}
		e.tick(max(t, e.last+1))
	}
	e.last = max(e.last, target)
	return e.take()
}

func (e *Engine) take() ([]Event, []Partial) {
	events, partials := e.events, e.partials
	e.events, e.partials = nil, nil
	return events, partials
}

// due is the next tick with anything to do.
func (e *Engine) due() (tick int64, ok bool) {
	at := func(t int64) {
		if !ok || t < tick {
			tick, ok = t, true
		}
	}
	if len(e.ticks) > 0 {
		at(e.ticks[0])
	}
	for len(e.wakes) > 0 && e.wakes[0].over() {
		heap.Pop(&e.wakes)
	}
	if len(e.wakes) > 0 {
		at(e.wakes[0].tick)
	}
	if len(e.future) > 0 {
		at(e.future[0].tick)
	}
	return tick, ok
}

// tick closes one tick.
func (e *Engine) tick(t int64) {
	e.last = t
	first := len(e.events)
	e.inputs(t)
	for len(e.ticks) > 0 && e.ticks[0] <= t {
		heap.Pop(&e.ticks)
	}
	for _, r := range e.open[t] {
		e.closeCell(r.s, r.g, t)
	}
	e.cells -= len(e.open[t])
	delete(e.open, t)
	for len(e.wakes) > 0 && e.wakes[0].tick <= t {
		e.awake(heap.Pop(&e.wakes).(wake))
	}
	for _, r := range e.dirty {
		if !r.gone {
			e.visit(r, t)
		}
	}
	e.dirty = e.dirty[:0]
	e.commands(t)
	sortEvents(e.events[first:])
}

// closeCell moves a cell into the rings, or out to the global engine.
func (e *Engine) closeCell(s *series, g *group, t int64) {
	c, ok := g.close(t)
	if !ok {
		return
	}
	if s.by.global && !e.place.Global {
		e.partials = append(e.partials, Partial{Tick: t, Series: s.key, Labels: g.labels, cell: c, kind: s.kind})
		s.forget(g)
		return
	}
	g.last = t
	if g.gen != s.gen {
		g.gen = s.gen
		for _, a := range s.users {
			if a.joins(g.labels) && t > a.warm*(a.c.Bucket()/Tick) {
				e.instance(a, g.key, g.labels, t)
			} else if t <= a.warm*(a.c.Bucket()/Tick) {
				g.gen = -1 // not yet: ask again
			}
		}
	}
	for k, w := range s.windows {
		if w.refs == 0 {
			continue
		}
		r := s.ring(g, k)
		r.expire(t)
		r.add(t, &c)
	}
	for _, r := range g.readings {
		e.mark(r)
	}
}

// awake marks what a wake is for.
func (e *Engine) awake(w wake) {
	switch {
	case w.over():
	case w.r != nil:
		w.r.wake = 0
		e.mark(w.r)
	default:
		w.i.wake = 0
		w.i.r.due = append(w.i.r.due, w.i)
		e.mark(w.i.r)
	}
}

// evaluate takes an instance to a closed tick, at which its reading has a value.
func (e *Engine) evaluate(i *instance, t int64, v *view, value expr.Value) {
	c := i.a.c
	if len(c.Groups) > 0 && t >= i.stale() {
		e.giveUp(i, t)
		return
	}
	switch {
	case t < i.a.full:
		v = i.view(t, false)
		value = i.value(v)
	case c.MinSamples > 1 && v.samples() < c.MinSamples:
		value = expr.Value{}
	}
	if t >= i.a.full || c.Monotone && !value.Null() { // while the windows fill, only what more records cannot undo
		e.step(i, t, v, value)
	}
	if next := i.next(t); next != 0 {
		e.wakeAt(i, next)
	}
	e.settle(i)
}

func (e *Engine) step(i *instance, t int64, v *view, value expr.Value) {
	a := &i.alert
	switch a.observe(i.a.c, t, value) {
	case fire:
		reason := ReasonCondition
		if a.NoData {
			reason = ReasonNoData
		}
		a.quiet(e.quietFor(i, t))
		e.emit(i, Firing, reason, t, v)
	case confirm:
		e.emit(i, Confirmed, ReasonCondition, t, v)
	case renew:
		e.emit(i, Firing, ReasonRenotify, t, v)
	case resolve:
		e.end(i, a.False, t, ReasonCondition)
	}
}

// end resolves a firing alert.
func (e *Engine) end(i *instance, ends, t int64, reason string) {
	e.emit(i, Resolved, reason, t, nil)
	last := &e.events[len(e.events)-1]
	last.Ends = max(ends, i.alert.Starts) * Tick
	i.alert.reset()
}

// giveUp forgets a group that has been silent for long.
func (e *Engine) giveUp(i *instance, t int64) {
	if i.alert.Phase == firing {
		e.end(i, t, t, ReasonStale)
	}
	e.ended(i, t)
	e.remove(i)
}

func sortEvents(events []Event) {
	slices.SortStableFunc(events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(a.Tick, b.Tick), compareIDs(a.Rule.ID, b.Rule.ID), strings.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Seq, b.Seq))
	})
}
