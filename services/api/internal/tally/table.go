// Package tally sums lines up by groups and steps of time: counts, sums, percentiles, different values. It runs over columns of blocks: what a
// column has a dictionary for is compared by its codes, and no line is ever made.
package tally

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/cespare/xxhash/v2"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
)

// Spec is what is wanted of some lines.
type Spec struct {
	By       []query.Field
	Measures []query.Measure
	Start    int64 // ns: where the first step begins; no line is before it
	Step     int64 // ns; 0: no steps
	Steps    int   // how many; no line is behind them
	Bytes    int   // of memory that it may take, about
}

// Value is a group's value of a field.
type Value struct {
	Text string
	None bool // the lines have no value
}

// Group is the lines with the same values.
type Group struct {
	Values []Value
	Point          // all of it
	Points []Point // by step, nil without steps
	key    string
	counts []int64
	figure []figure // of step s, measure m: at s*len(Measures)+m
}

// Point is figures of a group, or of a step of it. A figure is NaN where there is none.
type Point struct {
	Count   int64
	Figures []float64
}

// Table is what was summed up so far. Not safe for concurrent use.
type Table struct {
	Spec
	groups map[string]*Group
	rest   Group // lines of groups for which there was no room
	lost   bool  // figures for which there was no room
	bytes  int
	key    []byte
}

// New makes an empty table.
func New(s Spec) *Table {
	s.Steps = max(s.Steps, 1)
	return &Table{Spec: s, groups: map[string]*Group{}, rest: Group{counts: make([]int64, s.Steps)}}
}

// Add takes in the rows of a block that are in found.
func (t *Table) Add(v scan.View, found scan.Bitmap) error {
	r := rowsOf(found, v.Rows())
	ids, groups, err := t.assign(v, r)
	if err != nil {
		return err
	}
	ends, err := t.steps(v, r)
	if err != nil {
		return err
	}
	t.count(r, ids, groups, ends)
	for m := range t.Measures {
		if err := t.measure(v, r, m, ids, groups, ends); err != nil {
			return err
		}
	}
	return nil
}

// segment is a run of rows of one step.
type segment struct{ step, from, to int }

// steps cuts the rows, which are in order of time, into runs.
func (t *Table) steps(v scan.View, r rows) ([]segment, error) {
	if t.Step == 0 || r.n == 0 {
		return []segment{{0, 0, r.n}}, nil
	}
	c, err := v.Column("timestamp")
	if err != nil {
		return nil, err
	}
	if c == nil || len(c.Ints) != v.Rows() {
		return nil, fmt.Errorf("%w: no times", block.ErrDamaged)
	}
	var out []segment
	for at := 0; at < r.n; {
		step := t.stepOf(c.Ints[r.at(at)])
		next := t.Start + int64(step+1)*t.Step
		to := at + sort.Search(r.n-at, func(i int) bool { return c.Ints[r.at(at+i)] >= next })
		out = append(out, segment{step, at, max(to, at+1)})
		at = max(to, at+1)
	}
	return out, nil
}

// stepOf is the step of a moment. One outside would be a mistake of ours: it is counted at the end that it lies behind.
func (t *Table) stepOf(ns int64) int {
	if t.Step == 0 {
		return 0
	}
	return int(min(max((ns-t.Start)/t.Step, 0), int64(t.Steps-1)))
}

// assign tells the group of each row: groups[ids[i]]. Without fields to group by, ids is nil and there is one group.
func (t *Table) assign(v scan.View, r rows) (ids []uint32, groups []*Group, err error) {
	if len(t.By) == 0 {
		return nil, []*Group{t.group(nil, 0)}, nil
	}
	of := make([]coded, len(t.By))
	n := 1
	for k, f := range t.By {
		if of[k], err = codes(v, f, r); err != nil {
			return nil, nil, err
		}
		ids, n = combine(ids, n, of[k])
	}
	if ids == nil { // no row has a value in any of the fields
		return nil, []*Group{t.group(of, 0)}, nil
	}
	groups = make([]*Group, n)
	for i, id := range ids {
		if groups[id] == nil {
			groups[id] = t.group(of, i)
		}
	}
	return ids, groups, nil
}

// combine makes one number of two: dense while they are few, else in the order in which they come.
func combine(ids []uint32, n int, c coded) ([]uint32, int) {
	switch {
	case c.of == nil:
		return ids, n
	case ids == nil:
		return slices.Clone(c.of), c.n
	case n*c.n <= denseCodes:
		for i := range ids {
			ids[i] = ids[i]*uint32(c.n) + c.of[i]
		}
		return ids, n * c.n
	}
	known := map[uint64]uint32{}
	for i := range ids {
		pair := uint64(ids[i])<<32 | uint64(c.of[i])
		id, ok := known[pair]
		if !ok {
			id = uint32(len(known))
			known[pair] = id
		}
		ids[i] = id
	}
	return ids, len(known)
}

// group is that of row i.
func (t *Table) group(of []coded, i int) *Group {
	values := make([]Value, len(of))
	for k := range of {
		if of[k].of == nil || of[k].of[i] == 0 {
			values[k].None = true
		} else {
			values[k].Text = of[k].text(of[k].of[i])
		}
	}
	return t.Group(values)
}

// Group is that of some values; they are copied when it is new. When there is no room for it, it is where the rest is counted.
func (t *Table) Group(values []Value) *Group {
	t.key = t.key[:0]
	for _, v := range values {
		if v.None {
			t.key = append(t.key, 0)
			continue
		}
		t.key = binary.AppendUvarint(append(t.key, 1), uint64(len(v.Text)))
		t.key = append(t.key, v.Text...)
	}
	if g := t.groups[string(t.key)]; g != nil {
		return g
	}
	size := groupBytes + 2*len(t.key) + t.Steps*(8+figureBytes*len(t.Measures))
	if t.bytes+size > t.Bytes {
		return &t.rest
	}
	t.bytes += size
	g := &Group{key: string(t.key), Values: make([]Value, len(values)), counts: make([]int64, t.Steps)}
	for k, v := range values {
		g.Values[k] = Value{string([]byte(v.Text)), v.None} // a copy: it points into a column
	}
	if len(t.Measures) > 0 {
		g.figure = make([]figure, t.Steps*len(t.Measures))
	}
	t.groups[g.key] = g
	return g
}

// Count adds lines of a moment to a group.
func (t *Table) Count(g *Group, ns, lines int64) { g.counts[t.stepOf(ns)] += lines }

func (t *Table) count(r rows, ids []uint32, groups []*Group, ends []segment) {
	for _, s := range ends {
		if ids == nil {
			groups[0].counts[s.step] += int64(s.to - s.from)
			continue
		}
		for _, id := range ids[s.from:s.to] {
			groups[id].counts[s.step]++
		}
	}
}

// measure adds the rows' values to figures.
func (t *Table) measure(v scan.View, r rows, m int, ids []uint32, groups []*Group, ends []segment) error {
	add, err := t.adder(v, r, t.Measures[m])
	if add == nil || err != nil {
		return err
	}
	for _, s := range ends {
		for i := s.from; i < s.to; i++ {
			g := groups[0]
			if ids != nil {
				g = groups[ids[i]]
			}
			if g.figure != nil { // not so the rest
				add(i, &g.figure[s.step*len(t.Measures)+m])
			}
		}
	}
	return nil
}

// adder adds row i's value to a figure; nil when no row has one.
func (t *Table) adder(v scan.View, r rows, m query.Measure) (func(i int, f *figure), error) {
	if m.Func == query.Count || m.Func == query.Distinct {
		c, err := codes(v, m.Field, r)
		if err != nil || c.of == nil {
			return nil, err
		}
		if m.Func == query.Count {
			return func(i int, f *figure) {
				if c.of[i] != 0 {
					f.n++
				}
			}, nil
		}
		hashes := make([]uint64, c.n)
		for code := 1; code < c.n; code++ {
			hashes[code] = xxhash.Sum64String(c.text(uint32(code)))
		}
		return func(i int, f *figure) {
			if code := c.of[i]; code != 0 {
				t.different(f, hashes[code])
			}
		}, nil
	}
	values, err := numbers(v, m.Field, r)
	if err != nil || values == nil {
		return nil, err
	}
	sketched := m.Func == query.Percentile
	return func(i int, f *figure) {
		if x := values[i]; !math.IsNaN(x) {
			f.number(x)
			if sketched {
				t.sketch(f, x)
			}
		}
	}, nil
}

func (t *Table) different(f *figure, hash uint64) {
	if f.lost || f.set == nil && t.bytes > t.Bytes {
		f.lost, t.lost = true, true
		return
	}
	if f.set == nil {
		f.set = &distinct{}
	}
	t.bytes += f.set.add(hash)
}

func (t *Table) sketch(f *figure, x float64) {
	if f.sketch == nil && !f.lost {
		var err error
		if t.bytes > t.Bytes {
			f.lost, t.lost = true, true
		} else if f.sketch, err = ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, maxBins); err != nil {
			f.lost, t.lost = true, true // the accuracy is a constant that it knows: cannot happen
		}
		t.bytes += sketchBytes
	}
	if !f.lost {
		_ = f.sketch.Add(x) // refuses only what is beyond the range of its mapping; it is in count, sum and max
	}
}

// Merge takes in another table of the same Spec, which is not changed.
func (t *Table) Merge(o *Table) error {
	t.lost = t.lost || o.lost
	for s, n := range o.rest.counts {
		t.rest.counts[s] += n
	}
	for _, from := range o.groups {
		g := t.Group(from.Values)
		for s, n := range from.counts {
			g.counts[s] += n
		}
		if g.figure == nil {
			continue
		}
		for i := range from.figure {
			if err := g.figure[i].merge(&from.figure[i]); err != nil {
				return fmt.Errorf("merging sketches: %w", err)
			}
		}
	}
	return nil
}
