package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/rule/expr"
)

// grouping is a way to group records: by text columns, service first, then by name.
type grouping struct {
	key    string
	cols   []*expr.Column
	global bool // groups spread over partitions: the cells are exported
}

// series is one aggregate of one predicate in one grouping.
type series struct {
	key      string
	kind     kind
	pred     *expr.Predicate // nil = every record
	measure  *expr.Measure   // nil for counts and evidence
	by       *grouping
	rungUses map[float64]int // of a ladder
	rungs    []float64       // the same, ascending; nil = not sorted yet
	down     bool            // the ladder goes down: values are taken with the other sign
	marks    int             // uses that need a ladder's evidence
	windows  []*windowUse
	groups   map[string]*group
	services map[string]int // groups by their first label, where they have more than one
	users    []*active      // rules for every group of this series, as their base
	gen      int32          // one more at each change of users
	all      int            // uses that want every group
	pins     map[string]int // uses that want one service's groups
}

// windowUse is a window length that rules look at a series through.
type windowUse struct {
	size, count int64
	refs        int
}

// group is one group of a series.
type group struct {
	key      string
	labels   []string
	open     []openCell // by tick
	rings    []*ring    // by series.windows
	readings []*reading // whose base it is
	refs     int        // readings and alerts' evidence
	gen      int32      // series.gen when users were last linked
	met      int32      // and when those were that may fire early
	last     int64      // newest closed tick with records
	touched  uint64
}

// fewOpen is what a block of a live stream leaves open. Blocks of a backtest span minutes.
const fewOpen = 8

// openCell is a cell of a tick that is not closed yet.
type openCell struct {
	tick int64
	cell cell
}

func groupKey(labels []string) string { return strings.Join(labels, "\x00") }

// find returns a group, making it when it is new.
func (s *series) find(key string, labels []string) *group {
	if g := s.groups[key]; g != nil {
		return g
	}
	g := &group{key: key, labels: slices.Clone(labels), gen: -1, met: -1}
	s.groups[key] = g
	if len(labels) > 1 {
		s.services[labels[0]]++
	}
	return g
}

// release lets go of a group; forget drops one that nobody needs, once it has no open cells.
func (s *series) release(g *group) {
	g.refs--
	s.forget(g)
}

func (s *series) forget(g *group) {
	if s.groups[g.key] != g || g.refs > 0 || len(g.open) > 0 {
		return
	}
	delete(s.groups, g.key)
	if len(g.labels) > 1 {
		if s.services[g.labels[0]]--; s.services[g.labels[0]] == 0 {
			delete(s.services, g.labels[0])
		}
	}
}

// room tells whether the series takes another group of these labels. A pin's own groups are counted apart: others cannot crowd them out.
func (s *series) room(labels []string) bool {
	switch {
	case len(labels) == 0:
		return true
	case s.pins[labels[0]] > 0:
		return len(labels) == 1 || s.services[labels[0]] < MaxGroups
	}
	return len(s.groups) < MaxGroups
}

// overflow are the labels of the group for those without room.
func (s *series) overflow(labels []string) []string {
	out := slices.Repeat([]string{Overflow}, len(labels))
	if s.pins[labels[0]] > 0 {
		out[0] = labels[0]
	}
	return out
}

// hold counts the uses of a ladder's rungs (by 1 or −1). New rungs are there from the next fold on.
func (s *series) hold(u use, by int) {
	if s.kind != kindLadder {
		return
	}
	if u.marks {
		s.marks += by
	}
	if s.rungUses == nil {
		s.rungUses = map[float64]int{}
	}
	if s.rungUses[u.rung] += by; s.rungUses[u.rung] == 0 {
		delete(s.rungUses, u.rung)
	}
	s.rungs = nil // sorted again when they are needed
}

func (s *series) sortedRungs() []float64 {
	if s.rungs == nil {
		s.rungs = slices.Sorted(maps.Keys(s.rungUses))
	}
	return s.rungs
}

// wants tells whether somebody looks at the groups of a service.
func (s *series) wants(labels []string) bool {
	return s.all > 0 || len(labels) > 0 && s.pins[labels[0]] > 0
}

// ring is the group's ring for a window.
func (s *series) ring(g *group, window int) *ring {
	for len(g.rings) <= window {
		g.rings = append(g.rings, nil)
	}
	if g.rings[window] == nil {
		w := s.windows[window]
		g.rings[window] = &ring{kind: s.kind, size: w.size, count: w.count}
	}
	return g.rings[window]
}

// window finds or makes a window's place.
func (s *series) window(size, count int64) int {
	for i, w := range s.windows {
		if w.size == size && w.count == count {
			return i
		}
	}
	s.windows = append(s.windows, &windowUse{size: size, count: count})
	return len(s.windows) - 1
}

// at is the open cell of a tick, made when it is new; fresh says so.
func (g *group) at(tick int64) (c *cell, fresh bool) {
	i := len(g.open)
	for i > 0 && g.open[i-1].tick > tick {
		i--
	}
	if i > 0 && g.open[i-1].tick == tick {
		return &g.open[i-1].cell, false
	}
	g.open = slices.Insert(g.open, i, openCell{tick: tick})
	return &g.open[i].cell, true
}

// close takes the cell of a tick out of the open ones.
func (g *group) close(tick int64) (cell, bool) {
	if len(g.open) == 0 || g.open[0].tick != tick {
		return cell{}, false
	}
	c := g.open[0].cell
	if len(g.open) <= fewOpen {
		g.open = slices.Delete(g.open, 0, 1)
		return c, true
	}
	g.open[0] = openCell{}
	g.open = g.open[1:] // moving the others each time would be their square in all
	return c, true
}
