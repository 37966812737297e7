package engine

import (
	"slices"

	"github.com/logmill/logmill/shared/rule/expr"
)

// climb makes the cells of a ladder's series: each record is looked up once, whatever the number of rungs.
func (b *batch) climb(c *climber, s *series, l *layout, mask []uint64, out []cell) {
	values, valid, ok := s.measure.Floats(b.frame)
	if !ok {
		return // a ladder's measure is a column of numbers
	}
	rungs := s.sortedRungs()
	c.begin(len(b.tick), len(out), len(rungs))
	b.inOrder(mask, func(row int) {
		if valid[row>>6]>>(row&63)&1 == 0 {
			return
		}
		v := values[row]
		if s.down {
			v = -v
		}
		if k := highestRung(rungs, v); k > 0 {
			c.rows = append(c.rows, int32(row))
			c.rung[row] = int32(k - 1)
			c.size[l.cell[row]]++
		}
	})
	c.sort(l.cell)
	for k := range out {
		if rows := c.cell(k); len(rows) > 0 {
			out[k].N = int64(len(rows))
			out[k].Ladder = c.ladder(rungs, rows)
			if s.marks > 0 {
				out[k].Ladder.marks = b.marks(s, rows, c.rung)
			}
		}
	}
}

// climber sorts records into cells. Its memory is used again.
type climber struct {
	rows   []int32 // that reach a rung; by cell, once sorted
	rung   []int32 // of each record
	size   []int32 // of each cell; once sorted, where it ends
	n      []int64 // of each rung; all zero between cells
	sorted []int32
}

func (c *climber) begin(records, cells, rungs int) {
	c.rows = slices.Grow(c.rows[:0], records)
	c.rung = slices.Grow(c.rung[:0], records)[:records]
	c.sorted = slices.Grow(c.sorted[:0], records)
	c.size = slices.Grow(c.size[:0], cells)[:cells]
	clear(c.size)
	c.n = slices.Grow(c.n[:0], rungs)[:rungs]
	clear(c.n)
}

// sort puts the records of a cell side by side and keeps their order (a counting sort).
func (c *climber) sort(cell []int32) {
	begin := int32(0)
	for k, n := range c.size {
		c.size[k] = begin
		begin += n
	}
	sorted := c.sorted[:len(c.rows)]
	for _, row := range c.rows {
		k := cell[row]
		sorted[c.size[k]] = row
		c.size[k]++
	}
	c.rows, c.sorted = sorted, c.rows
}

func (c *climber) cell(k int) []int32 {
	if k == 0 {
		return c.rows[:c.size[0]]
	}
	return c.rows[c.size[k-1]:c.size[k]]
}

// ladder counts the records of a cell.
func (c *climber) ladder(rungs []float64, rows []int32) *ladder {
	kinds, n := 0, c.n
	for _, row := range rows {
		if n[c.rung[row]] == 0 {
			kinds++
		}
		n[c.rung[row]]++
	}
	out := &ladder{rungs: make([]float64, 0, kinds), n: make([]int64, 0, kinds)}
	for k := range n {
		if n[k] > 0 {
			out.rungs, out.n = append(out.rungs, rungs[k]), append(out.n, n[k])
			n[k] = 0
		}
	}
	return out
}

// marks are the records of a cell that are evidence of some rung.
func (b *batch) marks(s *series, rows, rung []int32) []mark {
	keep := make([]int32, 0, 16)
	var first, last highest
	for _, row := range rows {
		if first.within(evidenceFirst, float64(rung[row])) {
			keep = append(keep, row)
		}
	}
	front := len(keep)
	for i := len(rows) - 1; i >= 0; i-- {
		if last.within(evidenceLast, float64(rung[rows[i]])) {
			keep = append(keep, rows[i])
		}
	}
	return b.marked(s, keep[:front], keep[front:], rung)
}

// marked joins the records of the front, in order, with those of the back, the last one first; some may be in both.
func (b *batch) marked(s *series, front, back, rung []int32) []mark {
	out := make([]mark, 0, len(front)+len(back))
	add := func(row int32) { out = append(out, mark{b.id(int(row)), s.rungs[rung[row]]}) }
	i, j := 0, len(back)-1
	for i < len(front) || j >= 0 {
		switch {
		case j < 0 || i < len(front) && b.before(front[i], back[j]):
			add(front[i])
			i++
		case i == len(front) || b.before(back[j], front[i]):
			add(back[j])
			j--
		default:
			add(front[i])
			i, j = i+1, j-1
		}
	}
	return out
}

func (b *batch) before(x, y int32) bool {
	return x != y && compareRecords(b.id(int(x)), b.id(int(y))) < 0
}

// highestRung is how many of the rungs a value reaches: binary search without a branch that depends on the value, since values come in no order
// and a wrong guess of the processor costs more than the rest.
func highestRung(rungs []float64, v float64) int {
	base, n := 0, len(rungs)
	for n > 1 {
		half := n >> 1
		if rungs[base+half-1] <= v {
			base += half
		}
		n -= half
	}
	if n == 1 && rungs[base] <= v {
		base++
	}
	return base
}

// rungOf takes from what is ANDed in parts (nil is true) the first that is a rung, and joins the others.
func rungOf(parts []expr.Node) (r expr.Rung, rest expr.Node, ok bool) {
	for _, p := range expr.Conjuncts(expr.And(parts...)) {
		if got, is := expr.RungOf(p); is && !ok {
			r, ok = got, true
			continue
		}
		rest = expr.And(rest, p)
	}
	return r, rest, ok
}
