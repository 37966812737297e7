package engine

import (
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Versions 1 and 2 of snapshots, and version 1 of partials, know no ladders: what is a rung now was a series of its own, counts apart from evidence.

// plainUses are the rungs that rules look at, by the key of the series that they were.
func (e *Engine) plainUses() map[string]use {
	out := map[string]use{}
	note := func(a *active, k kind, parts []expr.Node, u use) {
		if u.s != nil && u.s.kind == kindLadder {
			out[seriesKey(k, a.all(parts), nil, a.by)] = u
		}
	}
	linked := slices.Collect(maps.Values(e.active))
	for _, in := range e.future {
		if in.linked != nil {
			linked = append(linked, in.linked)
		}
	}
	for _, a := range linked {
		for i, g := range a.c.Aggregates {
			k, parts, _ := shape(g)
			note(a, k, parts, a.aggs[i])
		}
		note(a, kindEvidence, []expr.Node{a.c.Matching}, a.evidence)
	}
	return out
}

// steps are the counts and the evidence that plain series had of one ladder's cell.
type steps struct {
	counts map[float64]int64 // records that reach the rung
	marks  map[RecordID]float64
}

func (s *steps) add(u use, c *cell) {
	if !u.marks {
		s.counts[u.rung] += c.N
		return
	}
	for _, id := range c.Evidence {
		if at, ok := s.marks[id]; !ok || at < u.rung {
			s.marks[id] = u.rung
		}
	}
}

// cell is the ladder's.
func (s *steps) cell() cell {
	l := &ladder{}
	rungs := slices.Sorted(maps.Keys(s.counts))
	for i, rung := range rungs {
		n := s.counts[rung]
		if i+1 < len(rungs) {
			n -= s.counts[rungs[i+1]]
		}
		l.rungs, l.n = append(l.rungs, rung), append(l.n, n)
	}
	for id, rung := range s.marks {
		l.marks = append(l.marks, mark{id, rung})
	}
	slices.SortFunc(l.marks, func(x, y mark) int { return compareRecords(x.RecordID, y.RecordID) })
	c := cell{Ladder: l}
	for _, n := range l.n {
		c.N += n
	}
	return c
}

// stepsBy are steps by tick or bucket.
type stepsBy map[int64]*steps

func (m stepsBy) add(k int64, u use, c *cell) {
	if m[k] == nil {
		m[k] = &steps{counts: map[float64]int64{}, marks: map[RecordID]float64{}}
	}
	m[k].add(u, c)
}

// takeOver takes over what plain series, read from a snapshot of before, had of ladders.
func (e *Engine) takeOver(old map[*series]use) {
	groups := map[*series]map[string][]string{} // of each ladder: keys and labels
	for plain, u := range old {
		if groups[u.s] == nil {
			groups[u.s] = map[string][]string{}
		}
		for key, g := range plain.groups {
			groups[u.s][key] = g.labels
		}
	}
	for s, keys := range groups {
		for key, labels := range keys {
			e.takeOverGroup(old, s, s.find(key, labels))
		}
	}
}

// takeOverGroup fills a ladder's group from those of the plain series.
func (e *Engine) takeOverGroup(old map[*series]use, s *series, into *group) {
	open, closed := stepsBy{}, make([]stepsBy, len(s.windows))
	for plain, u := range old {
		g := plain.groups[into.key]
		if u.s != s || g == nil {
			continue
		}
		into.last = max(into.last, g.last)
		for i := range g.open {
			open.add(g.open[i].tick, u, &g.open[i].cell)
		}
		for k, w := range s.windows {
			if closed[k] == nil {
				closed[k] = stepsBy{}
			}
			if r := plain.ringOf(g, w.size, w.count); r != nil {
				r.addTo(closed[k], u)
			}
		}
	}
	for _, tick := range slices.Sorted(maps.Keys(open)) {
		c, _ := into.at(tick)
		*c = open[tick].cell()
		e.openAt(tick, s, into)
	}
	for k, buckets := range closed {
		r := s.ring(into, k)
		for _, at := range slices.Sorted(maps.Keys(buckets)) {
			c := buckets[at].cell()
			r.cells = append(r.cells, cellSlot{at, &c})
			r.sumUp(&c, 1)
		}
	}
}

// ringOf is a group's ring for a window, nil for none.
func (s *series) ringOf(g *group, size, count int64) *ring {
	for k, w := range s.windows {
		if w.size == size && w.count == count && k < len(g.rings) {
			return g.rings[k]
		}
	}
	return nil
}

func (r *ring) addTo(buckets stepsBy, u use) {
	for i := range r.sums {
		buckets.add(r.sums[i].at, u, &cell{N: r.sums[i].n})
	}
	for i := range r.cells {
		buckets.add(r.cells[i].at, u, r.cells[i].cell)
	}
}

// takeOverPartials turns partials of before into those of the ladders.
func (e *Engine) takeOverPartials(ps []Partial) []Partial {
	type place struct {
		s   *series
		key string
	}
	uses, all, labels := e.plainUses(), map[place]stepsBy{}, map[place][]string{}
	out := make([]Partial, 0, len(ps))
	for i := range ps {
		p := &ps[i]
		u, plain := uses[p.Series]
		if !plain || e.series[p.Series] != nil {
			out = append(out, *p)
			continue
		}
		at := place{u.s, groupKey(p.Labels)}
		if all[at] == nil {
			all[at], labels[at] = stepsBy{}, p.Labels
		}
		all[at].add(p.Tick, u, &p.cell)
	}
	for at, ticks := range all {
		for tick, s := range ticks {
			out = append(out, Partial{Tick: tick, Series: at.s.key, Labels: labels[at], cell: s.cell(), kind: kindLadder})
		}
	}
	return out
}
