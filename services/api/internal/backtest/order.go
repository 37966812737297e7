package backtest

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/logmill/logmill/shared/block"
)

// order gives blocks in an order in which ticks can be closed. next is a block, and the time up to which nothing can come any more, from it or from
// any later one; it is the same until read is called.
type order interface {
	next() (b *Block, before int64, ok bool)
	read(b *Block)
}

func newOrder(blocks []Block, by string) order {
	if by == ByTimestamp {
		return newByMin(blocks)
	}
	return newByWatermark(blocks)
}

// byWatermark reads the partitions side by side, always the one that is furthest behind.
type byWatermark struct{ heap queues }

// queue is what is left of a partition, and how far it is read.
type queue struct {
	blocks    []Block
	watermark int64
}

type queues []*queue

func (q queues) Len() int           { return len(q) }
func (q queues) Less(i, j int) bool { return q[i].watermark < q[j].watermark }
func (q queues) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queues) Push(x any)        { *q = append(*q, x.(*queue)) }
func (q *queues) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func newByWatermark(blocks []Block) *byWatermark {
	o := &byWatermark{}
	for _, p := range partsOf(blocks) {
		o.heap = append(o.heap, &queue{blocks: p.blocks}) // watermark 0: in order already
	}
	return o
}

func (o *byWatermark) next() (*Block, int64, bool) {
	if len(o.heap) == 0 {
		return nil, 0, false
	}
	q := o.heap[0]
	return &q.blocks[0], q.watermark, true
}

func (o *byWatermark) read(b *Block) {
	q := o.heap[0]
	q.blocks, q.watermark = q.blocks[1:], b.Watermark
	if len(q.blocks) == 0 {
		heap.Pop(&o.heap)
		return
	}
	heap.Fix(&o.heap, 0)
}

// byMin reads blocks in the order of their oldest line: whatever overlaps, no later block has an older one.
type byMin struct{ left []*Block }

func newByMin(blocks []Block) *byMin {
	o := &byMin{left: make([]*Block, len(blocks))}
	for i := range blocks {
		o.left[i] = &blocks[i]
	}
	slices.SortStableFunc(o.left, func(a, b *Block) int { return cmp.Compare(a.Min, b.Min) })
	return o
}

func (o *byMin) next() (*Block, int64, bool) {
	if len(o.left) == 0 {
		return nil, 0, false
	}
	return o.left[0], o.left[0].Min - 1, true
}

func (o *byMin) read(*Block) { o.left = o.left[1:] }

// byTimestamp shows rules every line, at the time that it says.
type byTimestamp struct{ *block.Reader }

func (s byTimestamp) Ints(name string) ([]int64, []bool, error) {
	if name == "eval_time" {
		name = "timestamp"
	}
	return s.Reader.Ints(name)
}

// newest is the time from which on there are at most so many rows.
func newest(blocks []Block, rows int64) int64 {
	byTime := slices.Clone(blocks)
	slices.SortFunc(byTime, func(a, b Block) int { return cmp.Compare(b.Watermark, a.Watermark) })
	for i := range byTime {
		if rows -= int64(byTime[i].Rows); rows < 0 {
			return byTime[i].Watermark
		}
	}
	return 0
}
