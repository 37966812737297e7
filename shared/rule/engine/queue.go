package engine

import (
	"cmp"
	"slices"
)

const (
	queueFrom = 8                     // buckets: fewer are merged as they are
	pile      = 8                     // about the root of the buckets of a window: a queue keeps sums of every eighth bucket, and of eight beside
	tallyBack = exactDistinct / 4 * 3 // distinct values: a margin, so that a window does not change its way with every value
)

// queue sums up the buckets of a ring whose cells cannot be taken away again, with a merge or two a look and a few a bucket in all, instead of a
// merge a bucket and look. It is the queue of two stacks (Tangwongsan, Hirzel and Schneider, 2021, call it Two-Stacks), whose front is in piles to
// need the memory of sixteen sums, not of sixty:
//
//	oldest bucket                                        border           newest
//	   ├ front ┤├──────────┼──────── piles ────────┼──────┤├───── back ──────┤
//
// A sum of the front or of a pile is of all buckets from its own up to the border, so the window from any of them on is that sum and back. When
// the front is used up the oldest pile becomes it; when all piles are, all buckets but the newest become piles. Cells merge to the same in every
// order, so it makes no difference to what a window comes to; snapshots do not have it.
//
// Distinct values, while they are counted exactly, need none of this: it is known in how many buckets each is.
type queue struct {
	tally  map[uint64]int32 // nil = not exact, or another kind
	border int64
	front  []cellSlot // the oldest last, of the buckets before the oldest pile
	piles  []cellSlot // the oldest last
	back   cell
}

// queued tells whether the ring's kind is worth a queue.
func (r *ring) queued() bool {
	return r.kind == kindMin || r.kind == kindMax || r.kind == kindDistinct || r.kind == kindSketch
}

// enqueue adds a cell to the newest bucket, and to the sums.
func (r *ring) enqueue(c *cell) {
	bucket, q := r.cells[len(r.cells)-1].cell, r.queue
	switch {
	case q == nil:
	case q.tally == nil:
		q.back.merge(r.kind, c)
	default:
		had := bucket.Set.values()
		for v := range c.Set.values() {
			if _, is := had[v]; !is {
				q.tally[v]++
			}
		}
	}
	bucket.merge(r.kind, c)
	if q == nil && len(r.cells) >= queueFrom && r.queued() {
		r.queue = &queue{}
		r.sumAnew()
	}
	if q != nil && q.tally != nil && (len(q.tally) > exactDistinct || bucket.Set.estimate != nil) {
		r.sumAnew()
	}
}

// untally takes away a bucket that is dropped.
func (r *ring) untally(c *cell) {
	if r.queue == nil || r.queue.tally == nil {
		return
	}
	for v := range c.Set.values() {
		if r.queue.tally[v]--; r.queue.tally[v] == 0 {
			delete(r.queue.tally, v)
		}
	}
}

// dequeue makes the sums follow when the oldest buckets have been dropped.
func (r *ring) dequeue() {
	q := r.queue
	switch {
	case q == nil || q.tally != nil && len(r.cells) > 0:
	case len(r.cells) == 0:
		r.queue = nil
	case r.cells[0].at > q.border:
		r.sumAnew()
	default:
		q.front, q.piles = until(q.front, r.cells[0].at), until(q.piles, r.cells[0].at)
		if len(q.front) == 0 {
			r.unpile()
		}
	}
}

// until drops the sums from buckets before one.
func until(sums []cellSlot, at int64) []cellSlot {
	k := len(sums)
	for k > 0 && sums[k-1].at < at {
		k--
	}
	clear(sums[k:])
	return sums[:k]
}

// sumAnew begins the sums from the buckets.
func (r *ring) sumAnew() {
	q, newest := r.queue, len(r.cells)-1
	*q = queue{border: r.cells[newest].at}
	if r.kind == kindDistinct {
		if q.tally = tallyOf(r.cells); q.tally != nil {
			return
		}
	}
	q.back.merge(r.kind, r.cells[newest].cell)
	var sum cell
	for i := newest - 1; i >= 0; i-- {
		if sum.merge(r.kind, r.cells[i].cell); i%pile == 0 {
			q.piles = append(q.piles, cellSlot{r.cells[i].at, sum.copied(r.kind)})
		}
	}
}

// unpile makes the front of the buckets before the oldest pile.
func (r *ring) unpile() {
	q := r.queue
	end, sum := q.border, (*cell)(nil)
	if n := len(q.piles); n > 0 {
		end, sum = q.piles[n-1].at, q.piles[n-1].cell
	}
	n, _ := slices.BinarySearchFunc(r.cells, end, func(s cellSlot, at int64) int { return cmp.Compare(s.at, at) })
	for i := n - 1; i >= 0; i-- {
		next := r.cells[i].cell.copied(r.kind)
		if sum != nil {
			next.merge(r.kind, sum)
		}
		q.front, sum = append(q.front, cellSlot{r.cells[i].at, next}), next
	}
}

// partsFrom appends the cells that make up the buckets from one on: few, where the queue has their sums. Nobody may change them.
func (r *ring) partsFrom(oldest int64, out []*cell) []*cell {
	q, k := r.queue, 0
	for k < len(r.cells) && r.cells[k].at < oldest {
		k++
	}
	useful := q != nil && q.tally == nil
	for ; k < len(r.cells); k++ {
		at := r.cells[k].at
		if useful && at <= q.border {
			if sum := q.from(at); sum != nil {
				out = append(out, sum)
				at = q.border
			}
			if at == q.border {
				return append(out, &q.back)
			}
		}
		out = append(out, r.cells[k].cell)
	}
	return out
}

// from is the sum of the buckets from one on up to the border, nil if there is none.
func (q *queue) from(at int64) *cell {
	for _, sums := range [][]cellSlot{q.front, q.piles} {
		for i := len(sums) - 1; i >= 0 && sums[i].at <= at; i-- {
			if sums[i].at == at {
				return sums[i].cell
			}
		}
	}
	return nil
}

// tallyOf counts in how many buckets each value is; nil when they are too many to be counted exactly.
func tallyOf(cells []cellSlot) map[uint64]int32 {
	out := map[uint64]int32{}
	for _, s := range cells {
		if s.cell.Set != nil && s.cell.Set.estimate != nil {
			return nil
		}
		for v := range s.cell.Set.values() {
			if out[v]++; len(out) > tallyBack {
				return nil
			}
		}
	}
	return out
}

// distinct is how many values the window at a tick has, and whether that is an estimate. As window.
func (r *ring) distinct(tick, warm int64, open []openCell) (n float64, approximate bool) {
	if n, ok := r.tallied(max(r.oldest(tick), warm), tick, open); ok {
		return float64(n), false
	}
	c := r.window(tick, warm, open)
	return c.Set.count()
}

// tallied is the same where it is known without merging.
func (r *ring) tallied(oldest, tick int64, open []openCell) (n int, ok bool) {
	if r.queue == nil || r.queue.tally == nil || len(r.cells) == 0 || r.cells[0].at < oldest {
		return 0, false
	}
	more := map[uint64]struct{}{}
	for i := range open {
		if o := &open[i]; o.tick <= tick && r.bucket(o.tick) >= oldest {
			if o.cell.Set != nil && o.cell.Set.estimate != nil {
				return 0, false
			}
			for v := range o.cell.Set.values() {
				if r.queue.tally[v] == 0 {
					more[v] = struct{}{}
				}
			}
		}
	}
	n = len(r.queue.tally) + len(more)
	return n, n <= exactDistinct
}
