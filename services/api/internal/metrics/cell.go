package metrics

import (
	"fmt"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"google.golang.org/protobuf/proto"

	"github.com/logmill/logmill/shared/logrec"
)

// accuracy of the sketches in log_window, relative.
const accuracy = 0.01

// Cell is what one or more rows of log_window sum up to.
type Cell struct {
	Levels [logrec.LevelFatal + 1]uint32 // lines by level
	Status [5]uint32                     // requests by status class, 1xx … 5xx
	Count  uint32                        // of response times
	Zero   uint32                        // of those, how many are 0
	SumMS  float64
	MaxMS  float64
	Bins   []Bin // the others' sketch, by index
}

// Bin is a bin of a DDSketch of positive values (Masson, Rim, Lee 2019).
type Bin struct {
	Index int32
	Count uint32
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

// Cell is the row as a cell. An error says that its sketch is damaged: the rest is there all the same.
func (w *Window) Cell() (Cell, error) {
	var c Cell
	c.Levels[min(w.Level, logrec.LevelFatal)] = uint32(w.Lines)
	for i, n := range w.Status {
		c.Status[i] = uint32(n)
	}
	if w.Count == 0 {
		return c, nil
	}
	c.Count, c.SumMS, c.MaxMS = uint32(w.Count), w.SumMS, w.MaxMS
	var pb sketchpb.DDSketch
	if err := proto.Unmarshal(w.Sketch, &pb); err != nil {
		return c, fmt.Errorf("reading a sketch of %s: %w", w.Service, err)
	}
	if m, err := mapping.FromProto(pb.GetMapping()); err != nil || !m.Equals(newMapping()) {
		return c, fmt.Errorf("a sketch of %s has another mapping than ours", w.Service)
	}
	c.Zero = uint32(pb.GetZeroCount())
	c.Bins = bins(pb.GetPositiveValues())
	return c, nil
}

func bins(s *sketchpb.Store) []Bin {
	var out []Bin
	for i, n := range s.GetContiguousBinCounts() {
		if n >= 1 {
			out = append(out, Bin{s.GetContiguousBinIndexOffset() + int32(i), uint32(n)})
		}
	}
	if len(s.GetBinCounts()) > 0 {
		for i, n := range s.GetBinCounts() {
			out = append(out, Bin{i, uint32(n)})
		}
		slices.SortFunc(out, func(a, b Bin) int { return int(a.Index - b.Index) })
	}
	return out
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
		c.Bins = mergeBins(c.Bins, o.Bins)
	}
}

// mergeBins is a new list, both in order of index.
func mergeBins(a, b []Bin) []Bin {
	out := make([]Bin, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Index < b[0].Index:
			out, a = append(out, a[0]), a[1:]
		case a[0].Index > b[0].Index:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, Bin{a[0].Index, a[0].Count + b[0].Count})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
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
	s := ddsketch.NewDDSketch(newMapping(), t.positive, store.NewDenseStore())
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

// newMapping is how the processor's sketches map values to bins.
func newMapping() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return m
}
