package metrics

import (
	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// Cell is what one or more windows sum up to.
type Cell struct {
	Levels [logrec.LevelFatal + 1]uint32 // lines by level
	Status [5]uint32                     // requests by status class, 1xx … 5xx
	Count  uint32                        // of response times
	Zero   uint32                        // of those, how many are 0
	SumMS  float64
	MaxMS  float64
	Bins   []counts.Bin // the others', by index
}

// Lines of all levels.
func (c *Cell) Lines() (n int64) {
	for _, v := range c.Levels {
		n += int64(v)
	}
	return n
}

// Errors are the lines of level error and above.
func (c *Cell) Errors() int64 {
	return int64(c.Levels[logrec.LevelError]) + int64(c.Levels[logrec.LevelFatal])
}

// Requests are the lines with a status.
func (c *Cell) Requests() (n int64) {
	for _, v := range c.Status {
		n += int64(v)
	}
	return n
}

// Cell is the row as a cell. It shares the row's bins.
func (w *Window) Cell() (c Cell) {
	c.Levels[min(w.Level, logrec.LevelFatal)] = uint32(w.Lines)
	for i, n := range w.Status {
		c.Status[i] = uint32(n)
	}
	c.Count, c.Zero, c.SumMS, c.MaxMS, c.Bins = uint32(w.Times.Count), uint32(w.Times.Zero), w.Times.SumMS, w.Times.MaxMS, w.Times.Bins
	return c
}

// Add sums o up into c; the bins of c are its own.
func (c *Cell) Add(o *Cell) {
	for i, n := range o.Levels {
		c.Levels[i] += n
	}
	for i, n := range o.Status {
		c.Status[i] += n
	}
	c.Count, c.Zero, c.SumMS, c.MaxMS = c.Count+o.Count, c.Zero+o.Zero, c.SumMS+o.SumMS, max(c.MaxMS, o.MaxMS)
	if len(o.Bins) > 0 {
		c.Bins = counts.MergeBins(c.Bins, o.Bins)
	}
}

// timing collects response times.
type timing struct {
	count, zero int64
	sum, max    float64
	positive    *store.DenseStore
}

func (t *timing) add(c *Cell) {
	if c.Count == 0 {
		return
	}
	t.count, t.zero, t.sum, t.max = t.count+int64(c.Count), t.zero+int64(c.Zero), t.sum+c.SumMS, max(t.max, c.MaxMS)
	if t.positive == nil {
		t.positive = store.NewDenseStore()
	}
	for _, b := range c.Bins {
		t.positive.AddWithCount(int(b.Index), float64(b.Count))
	}
}

// merge adds what another has collected.
func (t *timing) merge(o *timing) {
	t.count, t.zero, t.sum, t.max = t.count+o.count, t.zero+o.zero, t.sum+o.sum, max(t.max, o.max)
	switch {
	case o.positive == nil:
	case t.positive == nil:
		t.positive = o.positive.Copy().(*store.DenseStore) //nolint:forcetypeassert // a copy is of the same kind
	default:
		t.positive.MergeWith(o.positive)
	}
}

func (t *timing) quantile(q float64) float64 {
	if t.positive == nil {
		return 0
	}
	s := ddsketch.NewDDSketch(counts.Mapping(), t.positive, store.NewDenseStore())
	if err := s.AddWithCount(0, float64(t.zero)); err != nil || s.IsEmpty() {
		return 0
	}
	v, err := s.GetValueAtQuantile(q)
	if err != nil {
		return 0
	}
	return round(min(v, t.max))
}

func (t *timing) avg() float64 {
	if t.count == 0 {
		return 0
	}
	return round(t.sum / float64(t.count))
}
