package engine

import (
	"container/heap"
	"slices"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// Place says which engine this is.
type Place struct {
	Global     bool  // the one that decides rules over all partitions, from Partials
	All        bool  // decides everything by itself, whatever the partition: a backtest
	Partition  int32 // else: of a partition
	Partitions int32
}

// decides tells whether a rule is decided here; feeds, whether its cells are collected here.
func (p Place) decides(c *rule.Compiled) bool {
	switch {
	case p.All:
		return true
	case p.Global:
		return !c.Local
	case c.Pinned:
		return contract.Home(c.Pin, p.Partitions) == p.Partition
	}
	return c.Local
}

func (p Place) feeds(c *rule.Compiled) bool { return p.decides(c) || !p.Global && !c.Local }

// Engine is the state machine. Not safe for concurrent use.
type Engine struct {
	place  Place
	set    *expr.Set
	series map[string]*series
	order  []*series // in the order they were made
	active map[string]*active

	questions map[string]*question
	watchAll  bool    // tests: no alert is idle
	future    []input // known, not yet in force; by tick
	seqs      map[[16]byte]int64
	quiets    []*silence

	last   int64 // the newest closed tick
	wm     int64 // ns
	folded int64 // the newest tick that a record was folded into
	open   map[int64][]openRef
	cells  int      // in open
	ticks  tickHeap // of open
	wakes  wakeHeap

	gen      uint64 // of the last Fold
	touched  []openRef
	newest   int64 // tick of the newest record of the last Fold
	scratch  []cell
	climber  climber
	dirty    []*reading
	looked   []*instance
	seen     view // of the reading that is being looked at
	partials []Partial
	events   []Event
	failed   map[string]error // rules that could not be compiled
	watch    func(Reading)    // nil: nobody

	fresh     bool // nothing seen: what took effect before the beginning does so at once
	overflows int64
}

// openRef is a group of a series.
type openRef struct {
	s *series
	g *group
}

// New makes an engine that has seen nothing. last is where it begins, ns of event time: ticks up to it are closed.
func New(place Place, beginning int64) *Engine {
	return &Engine{place: place, set: expr.NewSet(), series: map[string]*series{}, active: map[string]*active{}, questions: map[string]*question{}, seqs: map[[16]byte]int64{},
		open: map[int64][]openRef{}, failed: map[string]error{}, last: beginning / Tick, wm: beginning, fresh: true}
}

// Watermark is the newest watermark taken, ns.
func (e *Engine) Watermark() int64 { return e.wm }

// LastTick is the newest closed tick, ns.
func (e *Engine) LastTick() int64 { return e.last * Tick }

// Overflows is how many cells went to an overflow group.
func (e *Engine) Overflows() int64 { return e.overflows }

// Overflowing are the rules decided here that have had more groups than they may, and the event time (ns) of the newest record that went
// into the shared group.
func (e *Engine) Overflowing() map[string]int64 {
	out := map[string]int64{}
	for key, a := range e.active {
		if key != a.c.ID || len(a.c.Groups) == 0 {
			continue
		}
		labels := slices.Repeat([]string{Overflow}, len(a.by.cols))
		if a.c.Pinned {
			labels[0] = a.c.Pin
		}
		if g := a.samples.s.groups[groupKey(labels)]; g != nil && g.last > 0 {
			out[a.c.ID] = g.last * Tick
		}
	}
	return out
}

// Failed are the rules that could not be compiled, which are not evaluated.
func (e *Engine) Failed() map[string]error { return e.failed }

// Rules is the number of rules in force that are decided here.
func (e *Engine) Rules() int {
	n := 0
	for key, a := range e.active {
		if key == a.c.ID { // else it only feeds the global engine
			n++
		}
	}
	return n
}

// Series is the number of distinct aggregates collected.
func (e *Engine) Series() int { return len(e.order) }

func (e *Engine) openAt(tick int64, s *series, g *group) {
	refs, ok := e.open[tick]
	if !ok {
		heap.Push(&e.ticks, tick)
	}
	e.open[tick] = append(refs, openRef{s, g})
	e.cells++
}

// OpenCells is how many cells of ticks that are not closed yet there are: what records far apart in time cost.
func (e *Engine) OpenCells() int { return e.cells }

// Partial is a closed cell of a series that the global engine needs.
type Partial struct {
	Tick   int64
	Series string
	Labels []string
	cell   cell
	kind   kind
}

// Merge takes partials in. They belong to ticks above the last closed one; unknown series are of rules that are gone, or of before ladders.
func (e *Engine) Merge(ps []Partial) {
	if slices.ContainsFunc(ps, func(p Partial) bool {
		return (p.kind == kindCount || p.kind == kindEvidence) && e.series[p.Series] == nil
	}) {
		ps = e.takeOverPartials(ps)
	}
	e.gen++
	for i := range ps {
		p := &ps[i]
		s := e.series[p.Series]
		if s == nil || s.kind != p.kind || p.Tick <= e.last || !s.wants(p.Labels) {
			continue
		}
		e.folded = max(e.folded, p.Tick)
		e.keep(s, groupKey(p.Labels), p.Labels, p.Tick, &p.cell)
	}
}

// tickHeap is a min-heap.
type tickHeap []int64

func (h tickHeap) Len() int           { return len(h) }
func (h tickHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h tickHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *tickHeap) Push(x any)        { *h = append(*h, x.(int64)) }
func (h *tickHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// wake is a tick at which a reading, or one instance, is to be evaluated although nothing came for it.
type wake struct {
	tick int64
	r    *reading
	i    *instance // if r is nil
}

// over tells whether it is not needed any more.
func (w wake) over() bool {
	if w.r != nil {
		return w.r.gone || w.r.wake != w.tick
	}
	return w.i.gone || w.i.wake != w.tick
}

type wakeHeap []wake

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].tick < h[j].tick }
func (h wakeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *wakeHeap) Push(x any)        { *h = append(*h, x.(wake)) }
func (h *wakeHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = wake{}
	*h = old[:len(old)-1]
	return x
}

// sortedRules are the rules in force, by id.
func (e *Engine) sortedRules() []*active {
	out := make([]*active, 0, len(e.active))
	for _, a := range e.active {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *active) int { return compareIDs(a.c.ID, b.c.ID) })
	return out
}
