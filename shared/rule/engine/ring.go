package engine

// ring holds the closed cells of one series and group in the buckets of one window length. Only buckets that hold something are there, so a
// quiet group costs nothing. Bucket b is the ticks (b·size, (b+1)·size]; the window at tick T is the buckets from T/size − count on.
type ring struct {
	kind  kind
	size  int64 // of a bucket, ticks
	count int64 // buckets in a window
	sums  []sumSlot
	total sumSlot // of all of sums
	cells []cellSlot
	queue *queue // sums of cells; nil = there are few
	rungs *rungs // of kindLadder
}

// sumSlot is a bucket of a count or a sum; those can be taken away again.
type sumSlot struct {
	at, n int64
	sum   fixed
}

// cellSlot is a bucket of anything else.
type cellSlot struct {
	at   int64
	cell *cell
}

func (r *ring) sliding() bool { return r.kind == kindCount || r.kind == kindSum }

func (r *ring) bucket(tick int64) int64 { return (tick - 1) / r.size }

// oldest is the first bucket of the window at a tick.
func (r *ring) oldest(tick int64) int64 { return tick/r.size - r.count }

// add takes in a closed cell. Ticks never go back.
func (r *ring) add(tick int64, c *cell) {
	at := r.bucket(tick)
	if r.sliding() {
		if n := len(r.sums); n == 0 || r.sums[n-1].at != at {
			r.sums = append(r.sums, sumSlot{at: at})
		}
		last := &r.sums[len(r.sums)-1]
		last.n, last.sum = last.n+c.N, last.sum.plus(c.Sum)
		r.total.n, r.total.sum = r.total.n+c.N, r.total.sum.plus(c.Sum)
		return
	}
	if n := len(r.cells); n == 0 || r.cells[n-1].at != at {
		r.cells = append(r.cells, cellSlot{at: at, cell: &cell{}})
	}
	r.enqueue(c)
	r.sumUp(c, 1)
}

// sumUp adds the counts of a ladder's cell to the sum, or takes them away.
func (r *ring) sumUp(c *cell, sign int64) {
	if r.kind != kindLadder {
		return
	}
	if r.rungs == nil {
		r.rungs = &rungs{}
	}
	r.rungs.sum.take(c.Ladder, sign)
	r.rungs.changes++
}

// expire lets go of the buckets that the window at a tick has left behind.
func (r *ring) expire(tick int64) {
	oldest, k := r.oldest(tick), 0
	for k < len(r.sums) && r.sums[k].at < oldest {
		r.total.n -= r.sums[k].n
		r.total.sum = r.total.sum.plus(r.sums[k].sum.negated())
		k++
	}
	r.sums = dropFront(r.sums, k)
	k = 0
	for k < len(r.cells) && r.cells[k].at < oldest {
		r.sumUp(r.cells[k].cell, -1)
		r.untally(r.cells[k].cell)
		k++
	}
	r.cells = dropFront(r.cells, k)
	if k > 0 {
		r.dequeue()
	}
}

// dropFront forgets the first k and, when the slice has become small for its memory, moves it.
func dropFront[T any](s []T, k int) []T {
	if k == 0 {
		return s
	}
	return append(s[:0], s[k:]...)
}

// next is the tick at which the oldest bucket leaves; ok is false when nothing is in the ring.
func (r *ring) next() (tick int64, ok bool) {
	switch {
	case len(r.sums) > 0:
		return (r.sums[0].at + r.count + 1) * r.size, true
	case len(r.cells) > 0:
		return (r.cells[0].at + r.count + 1) * r.size, true
	}
	return 0, false
}

// window is the cell of the window at a tick, from bucket warm on; open are later cells to count in up to that tick, in order. Nobody may change
// what it points to.
func (r *ring) window(tick, warm int64, open []openCell) cell {
	oldest := max(r.oldest(tick), warm)
	if r.sliding() {
		return r.slide(tick, oldest, open)
	}
	var room [64]*cell // a window has 60 buckets: this is looked at often, and needs no memory of its own
	parts := r.partsFrom(oldest, room[:0])
	for i := range open {
		if o := &open[i]; o.tick <= tick && r.bucket(o.tick) >= oldest {
			parts = append(parts, &o.cell)
		}
	}
	if len(parts) == 1 {
		return *parts[0]
	}
	var c cell
	for _, p := range parts {
		c.merge(r.kind, p)
	}
	return c
}

// slide is the window of a count or a sum from a bucket on: what is there but is before it is taken away.
func (r *ring) slide(tick, oldest int64, open []openCell) cell {
	c := cell{N: r.total.n, Sum: r.total.sum}
	for i := 0; i < len(r.sums) && r.sums[i].at < oldest; i++ {
		c.N -= r.sums[i].n
		c.Sum = c.Sum.plus(r.sums[i].sum.negated())
	}
	for i := range open {
		if o := &open[i]; o.tick <= tick && r.bucket(o.tick) >= oldest {
			c.merge(r.kind, &o.cell)
		}
	}
	return c
}
