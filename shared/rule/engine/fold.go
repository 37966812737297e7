package engine

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/logmill/logmill/shared/rule/expr"
)

// batch is a set of records being folded.
type batch struct {
	frame   *expr.Frame
	src     expr.Source
	part    int32
	eval    []int64
	seen    []uint64 // records that rules see: those with an eval_time
	tick    []int32  // of each record, as a place in ticks
	ticks   []int64
	newest  int64
	layouts map[string]*layout
	ids     *ids
}

// layout says which cell of a grouping each record belongs to.
type layout struct {
	cell   []int32 // of each record; of an unseen one, anything
	group  []int32 // of each cell
	tick   []int32 // of each cell
	labels [][]string
	keys   []string
}

// Fold takes records in. They have eval_times above the watermark so far.
func (e *Engine) Fold(src expr.Source, partition int32) error {
	b, err := e.newBatch(src, partition)
	if err != nil || len(b.ticks) == 0 {
		return err
	}
	e.gen++
	e.fresh = false
	e.touched = e.touched[:0]
	e.newest = b.newest
	e.folded = max(e.folded, b.newest)
	for _, s := range e.order {
		e.foldSeries(b, s)
	}
	return b.frame.Err()
}

func (e *Engine) newBatch(src expr.Source, partition int32) (*batch, error) {
	eval, valid, err := src.Ints(timeColumn)
	if err != nil {
		return nil, fmt.Errorf("reading "+timeColumn+": %w", err)
	}
	rows := src.Rows()
	b := &batch{frame: expr.NewFrame(src), src: src, part: partition, eval: eval, seen: make([]uint64, (rows+63)/64), tick: make([]int32, rows), layouts: map[string]*layout{}}
	places := map[int64]int32{}
	last, place := int64(-1), int32(-1)
	for i := range rows {
		if eval[i] <= 0 || valid != nil && !valid[i] {
			continue
		}
		t := tickOf(eval[i])
		if t <= e.last { // cannot happen while eval_time is above the watermark; if it does, the record counts late rather than never
			t = e.last + 1
		}
		if t != last {
			var ok bool
			if place, ok = places[t]; !ok {
				place = int32(len(b.ticks))
				places[t] = place
				b.ticks = append(b.ticks, t)
			}
			last = t
		}
		b.seen[i>>6] |= 1 << (i & 63)
		b.tick[i] = place
		b.newest = max(b.newest, t)
	}
	return b, nil
}

// layout groups the records one way.
func (b *batch) layout(by *grouping) *layout {
	if l := b.layouts[by.key]; l != nil {
		return l
	}
	codes, l := b.groups(by)
	rows, ticks := len(b.tick), len(b.ticks)
	l.cell = make([]int32, rows)
	if dense := len(l.keys) * ticks; dense <= 4*rows+64 {
		l.group, l.tick = make([]int32, dense), make([]int32, dense)
		for c := range dense {
			l.group[c], l.tick[c] = int32(c/ticks), int32(c%ticks)
		}
		for i := range rows {
			l.cell[i] = codes[i]*int32(ticks) + b.tick[i]
		}
	} else {
		l.sparse(codes, b.tick)
	}
	b.layouts[by.key] = l
	return l
}

// sparse numbers only the cells that occur: many groups in many ticks would make an empty table larger than the records.
func (l *layout) sparse(codes, ticks []int32) {
	known := map[[2]int32]int32{}
	for i := range codes {
		k := [2]int32{codes[i], ticks[i]}
		c, ok := known[k]
		if !ok {
			c = int32(len(l.group))
			known[k] = c
			l.group, l.tick = append(l.group, k[0]), append(l.tick, k[1])
		}
		l.cell[i] = c
	}
}

// groups numbers the groups by their first record.
func (b *batch) groups(by *grouping) (codes []int32, l *layout) {
	rows := len(b.tick)
	codes, l = make([]int32, rows), &layout{}
	if len(by.cols) == 0 {
		l.labels, l.keys = [][]string{nil}, []string{""}
		return codes, l
	}
	if len(by.cols) == 1 {
		b.oneColumn(by.cols[0], codes, l)
		return codes, l
	}
	known := map[string]int32{}
	labels := make([]string, len(by.cols))
	for i := range rows {
		if b.seen[i>>6]>>(i&63)&1 == 0 {
			continue
		}
		for j, c := range by.cols {
			t := b.frame.Text(c)
			labels[j], _ = t.Get(i)
		}
		key := groupKey(labels)
		code, ok := known[key]
		if !ok {
			code = int32(len(l.keys))
			known[key] = code
			l.labels, l.keys = append(l.labels, slices.Clone(labels)), append(l.keys, key)
		}
		codes[i] = code
	}
	return codes, l
}

// oneColumn goes by the column's dictionary. NULL is the group "".
func (b *batch) oneColumn(c *expr.Column, codes []int32, l *layout) {
	t := b.frame.Text(c)
	table := make([]int32, len(t.Dict)+1)
	for i := range table {
		table[i] = -1
	}
	byText := map[string]int32{}
	for i, code := range t.Codes {
		if b.seen[i>>6]>>(i&63)&1 == 0 {
			continue
		}
		place := &table[code+1]
		if *place < 0 {
			text, _ := t.Get(i)
			known, ok := byText[text]
			if !ok {
				known = int32(len(l.keys))
				byText[text] = known
				l.labels, l.keys = append(l.labels, []string{text}), append(l.keys, text)
			}
			*place = known
		}
		codes[i] = *place
	}
}

// foldSeries adds the records to a series' open cells.
func (e *Engine) foldSeries(b *batch, s *series) {
	l := b.layout(s.by)
	wanted := s.all > 0
	for g := 0; g < len(l.labels) && !wanted; g++ {
		wanted = s.wants(l.labels[g])
	}
	if !wanted {
		return
	}
	mask := b.seen
	if s.pred != nil {
		mask = s.pred.Over(b.frame).True
	}
	for c, got := range e.collect(b, s, l, mask) {
		if got.N > 0 && s.wants(l.labels[l.group[c]]) {
			g := l.group[c]
			e.keep(s, l.keys[g], l.labels[g], b.ticks[l.tick[c]], &got)
		}
	}
}

// keep adds a cell to a group's open ones.
func (e *Engine) keep(s *series, key string, labels []string, tick int64, c *cell) {
	g := e.groupOf(s, key, labels)
	at, fresh := g.at(tick)
	if fresh {
		*at = *c
		e.openAt(tick, s, g)
	} else {
		at.merge(s.kind, c)
	}
	if g.touched != e.gen {
		g.touched = e.gen
		e.touched = append(e.touched, openRef{s, g})
	}
}

// groupOf finds a record's group, or the overflow group when there are too many.
func (e *Engine) groupOf(s *series, key string, labels []string) *group {
	if g := s.groups[key]; g != nil {
		return g
	}
	if s.room(labels) {
		return s.find(key, labels)
	}
	e.overflows++
	labels = s.overflow(labels)
	return s.find(groupKey(labels), labels)
}

// collect makes a cell of each of the layout's. Cells without records have N = 0.
func (e *Engine) collect(b *batch, s *series, l *layout, mask []uint64) []cell {
	out := slices.Grow(e.scratch[:0], len(l.group))[:len(l.group)]
	clear(out)
	e.scratch = out
	switch s.kind {
	case kindCount:
		b.rows(mask, func(row int) { out[l.cell[row]].N++ })
	case kindEvidence:
		b.evidence(l, mask, out)
	case kindLadder:
		b.climb(&e.climber, s, l, mask, out)
	case kindDistinct:
		b.distinct(s, l, mask, out)
	default:
		value := s.measure.Numbers(b.frame)
		b.rows(mask, func(row int) {
			if v, ok := value(row); ok {
				out[l.cell[row]].addNumber(s.kind, v)
			}
		})
	}
	return out
}

// rows calls f for each seen record of the mask.
func (b *batch) rows(mask []uint64, f func(row int)) {
	for w, m := range mask {
		for m &= b.seen[w]; m != 0; m &= m - 1 {
			f(w<<6 + bits.TrailingZeros64(m))
		}
	}
}

func (c *cell) addNumber(k kind, v float64) {
	switch k {
	case kindSum:
		c.Sum = c.Sum.plus(fixedOf(v))
	case kindMin:
		if c.N == 0 || v < c.F {
			c.F = v
		}
	case kindMax:
		if c.N == 0 || v > c.F {
			c.F = v
		}
	case kindSketch:
		if c.Sketch == nil {
			c.Sketch = newSketch()
		}
		if c.Sketch.Add(v) != nil {
			return // beyond what a sketch can index (1e±308): not a time that anything took
		}
	}
	c.N++
}

func (b *batch) distinct(s *series, l *layout, mask []uint64, out []cell) {
	value := s.measure.Values(b.frame)
	b.rows(mask, func(row int) {
		v := value(row)
		if v.Null() {
			return
		}
		c := &out[l.cell[row]]
		if c.Set == nil {
			c.Set = newDistinct()
		}
		c.N++
		c.Set.add(hashOf(v))
	})
}

func hashOf(v expr.Value) uint64 {
	if v.Type == expr.Text {
		return xxhash.Sum64String(v.S)
	}
	return hashNumber(v.N)
}

// ids are the records' identities, and their order as evidence.
type ids struct {
	offset, row []int64
	order       []int32 // nil: as they lie
}

func (b *batch) identities() *ids {
	if b.ids != nil {
		return b.ids
	}
	d := &ids{}
	var err1, err2 error
	d.offset, _, err1 = b.src.Ints("src_offset")
	d.row, _, err2 = b.src.Ints("src_row")
	if err1 != nil || err2 != nil {
		d.offset, d.row = make([]int64, len(b.tick)), make([]int64, len(b.tick))
	}
	b.ids = d
	sorted := true
	for i := 1; i < len(b.eval) && sorted; i++ {
		sorted = compareRecords(b.id(i-1), b.id(i)) < 0
	}
	if !sorted {
		d.order = make([]int32, len(b.tick))
		for i := range d.order {
			d.order[i] = int32(i)
		}
		slices.SortFunc(d.order, func(x, y int32) int { return compareRecords(b.id(int(x)), b.id(int(y))) })
	}
	return d
}

func (b *batch) id(row int) RecordID {
	return RecordID{EvalTime: b.eval[row], Partition: b.part, Offset: b.ids.offset[row], Row: int32(b.ids.row[row])}
}

// edges are the first and last records of a cell while they are collected.
type edges struct {
	first [evidenceFirst]int32
	last  [4]int32 // a ring: the last evidenceLast of it
}

// inOrder calls f for each seen record of the mask, in the order of evidence.
func (b *batch) inOrder(mask []uint64, f func(row int)) {
	d := b.identities()
	if d.order == nil {
		b.rows(mask, f)
		return
	}
	for _, row := range d.order {
		if w := row >> 6; mask[w]&b.seen[w]>>(row&63)&1 == 1 {
			f(int(row))
		}
	}
}

func (b *batch) evidence(l *layout, mask []uint64, out []cell) {
	es := make([]edges, len(out))
	take := func(row int) {
		c := l.cell[row]
		n := out[c].N
		if n < evidenceFirst {
			es[c].first[n] = int32(row)
		}
		es[c].last[n&3] = int32(row)
		out[c].N = n + 1
	}
	b.inOrder(mask, take)
	for c := range out {
		if out[c].N > 0 {
			out[c].Evidence = b.edgeIDs(&es[c], out[c].N)
		}
	}
}

func (b *batch) edgeIDs(e *edges, n int64) []RecordID {
	out := make([]RecordID, 0, min(n, evidenceFirst+evidenceLast))
	for k := range min(n, evidenceFirst) {
		out = append(out, b.id(int(e.first[k])))
	}
	for k := max(evidenceFirst, n-evidenceLast); k < n; k++ {
		out = append(out, b.id(int(e.last[k&3])))
	}
	return out
}
