package engine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// active is a rule version in force, or (linked only) one that feeds the global engine.
type active struct {
	c         *rule.Compiled
	by        *grouping
	aggs      []use // by c.Aggregates
	samples   use   // all records of the filter: groups are born here
	evidence  use   // s nil: none
	q         *question
	since     int64 // tick: when its windows began
	warm      int64 // bucket: the first that counts
	full      int64 // tick: from here on its windows are whole
	instances map[string]*instance
}

// use is a series seen through a window.
type use struct {
	s      *series
	window int
	rung   float64 // of a ladder
	marks  bool    // the rung's evidence is wanted, not its count
}

// compareIDs orders numeric ids as numbers.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// link takes the series that a rule needs, making new ones. It does not put the rule in force.
func (e *Engine) link(c *rule.Compiled) *active {
	a := &active{c: c, by: e.groupingOf(c), instances: map[string]*instance{}}
	for _, g := range c.Aggregates {
		k, parts, x := shape(g)
		a.aggs = append(a.aggs, e.useOf(a, k, parts, x))
	}
	a.samples = e.use(a, kindCount, c.Where, nil)
	if !c.Absence {
		a.evidence = e.useOf(a, kindEvidence, []expr.Node{c.Matching}, nil)
	}
	a.q = e.ask(a)
	return a
}

// shape is what series an aggregate needs: of what, and of which of the filter's records: those that are all of parts, nil standing for true.
func shape(g *expr.Aggregate) (k kind, parts []expr.Node, x expr.Node) {
	parts = []expr.Node{g.Where}
	if p, ok := expr.Conditional(g); ok {
		return kindCount, append(parts, p), nil
	}
	switch {
	case g.X == nil:
		return kindCount, parts, nil
	case g.Distinct:
		return kindDistinct, parts, g.X
	case g.Name == "count":
		return kindCount, append(parts, &expr.IsNull{X: g.X, Not: true}), nil
	case g.Name == "min":
		return kindMin, parts, g.X
	case g.Name == "max":
		return kindMax, parts, g.X
	case g.Name == "percentile":
		return kindSketch, parts, g.X
	}
	return kindSum, parts, g.X
}

// useOf is a use of the records of the filter that are all of parts besides. What is counted because a number passes a constant goes on a ladder.
func (e *Engine) useOf(a *active, k kind, parts []expr.Node, x expr.Node) use {
	if k == kindCount || k == kindEvidence {
		if r, rest, ok := rungOf(parts); ok {
			return e.rungUse(a, r, expr.And(a.c.Where, rest), k)
		}
	}
	return e.use(a, k, a.all(parts), x)
}

// all is the predicate of the filter's records that are all of parts besides.
func (a *active) all(parts []expr.Node) expr.Node {
	return expr.And(append([]expr.Node{a.c.Where}, parts...)...)
}

// rungUse is a use of a rung, of its counts or of its evidence.
func (e *Engine) rungUse(a *active, r expr.Rung, pred expr.Node, k kind) use {
	var x expr.Node = r.Column
	if r.Down {
		x = &expr.Unary{Op: "-", X: x}
	}
	u := e.use(a, kindLadder, pred, x)
	u.rung, u.marks = r.At, k == kindEvidence
	u.s.hold(u, 1)
	return u
}

func (e *Engine) groupingOf(c *rule.Compiled) *grouping {
	cols := slices.Clone(c.Groups)
	service := &expr.Column{Name: "service"}
	if c.Pinned && !slices.ContainsFunc(cols, func(g *expr.Column) bool { return g.Name == "service" }) {
		cols = append(cols, service)
	}
	rank := func(g *expr.Column) string {
		if g.Name == "service" {
			return ""
		}
		return g.String()
	}
	slices.SortFunc(cols, func(a, b *expr.Column) int { return strings.Compare(rank(a), rank(b)) })
	by := &grouping{cols: cols, global: !c.Local && !e.place.All}
	names := make([]string, len(cols))
	for i, g := range cols {
		names[i] = g.String()
	}
	by.key = strings.Join(names, ",")
	return by
}

func (e *Engine) use(a *active, k kind, pred, x expr.Node) use {
	key := seriesKey(k, pred, x, a.by)
	s := e.series[key]
	if s == nil {
		s = &series{key: key, kind: k, pred: e.set.Predicate(pred), by: a.by, groups: map[string]*group{}, services: map[string]int{}, pins: map[string]int{}}
		if negated, ok := x.(*expr.Unary); ok && k == kindLadder {
			s.down, x = true, negated.X
		}
		if x != nil {
			s.measure = expr.NewMeasure(x)
		}
		e.series[key] = s
		e.order = append(e.order, s)
	}
	if a.c.Pinned {
		s.pins[a.c.Pin]++
	} else {
		s.all++
	}
	size := a.c.Bucket() / Tick
	w := s.window(size, int64(a.c.TimeWindow)/Tick/size)
	s.windows[w].refs++
	return use{s: s, window: w}
}

// seriesKey names a series for ever: it is what snapshots and partials know it by.
func seriesKey(k kind, pred, x expr.Node, by *grouping) string {
	text := func(n expr.Node) string {
		if n == nil {
			return ""
		}
		return expr.Print(n)
	}
	return string('0'+rune(k)) + "|" + by.key + "|" + text(x) + "|" + text(pred)
}

func (a *active) uses() []use {
	out := append(slices.Clone(a.aggs), a.samples)
	if a.evidence.s != nil {
		out = append(out, a.evidence)
	}
	return out
}

// unlink lets go of a rule's series; those that nobody needs are forgotten.
func (e *Engine) unlink(a *active) {
	e.unask(a.q)
	for _, u := range a.uses() {
		if a.c.Pinned {
			if u.s.pins[a.c.Pin]--; u.s.pins[a.c.Pin] == 0 {
				delete(u.s.pins, a.c.Pin)
			}
		} else {
			u.s.all--
		}
		u.s.windows[u.window].refs--
		u.s.hold(u, -1)
		if u.s.all == 0 && len(u.s.pins) == 0 {
			delete(e.series, u.s.key)
			e.order = slices.DeleteFunc(e.order, func(s *series) bool { return s == u.s })
		}
	}
}

// start puts a linked rule in force from a tick on, with new windows.
func (e *Engine) start(a *active, tick int64) {
	size := a.c.Bucket() / Tick
	a.since = tick
	a.warm = (tick + size - 1) / size
	a.full = a.warm*size + int64(a.c.TimeWindow)/Tick
	e.enter(a)
}

// enter puts a rule whose windows are set in force.
func (e *Engine) enter(a *active) {
	e.active[a.c.ID] = a
	a.samples.s.users = append(a.samples.s.users, a)
	a.samples.s.gen++
	if len(a.c.Groups) == 0 {
		var labels []string
		if a.c.Pinned {
			labels = []string{a.c.Pin}
		}
		e.instance(a, groupKey(labels), labels, a.since)
	}
}

// leave takes a rule out of force. Its instances are gone; what was to be said of them has been said.
func (e *Engine) leave(a *active) {
	for _, i := range a.instances {
		e.remove(i)
	}
	delete(e.active, a.c.ID)
	s := a.samples.s
	s.users = slices.DeleteFunc(s.users, func(u *active) bool { return u == a })
	s.gen++
	e.unlink(a)
}

// joins tells whether a rule has an alert for a group.
func (a *active) joins(labels []string) bool {
	return !a.c.Pinned || len(labels) > 0 && labels[0] == a.c.Pin
}
