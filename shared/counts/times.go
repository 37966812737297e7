package counts

import (
	"cmp"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// Times are response times, ms.
type Times struct {
	Count uint64
	SumMS float64
	MaxMS float64
	Zero  uint64 // of them, those not above 0
	Bins  []Bin  // the others, by index
}

// Bin is how many values are in a bin of a DDSketch.
type Bin struct {
	Index int32
	Count uint32
}

var logarithm = newMapping()

// Mapping is how values are mapped to bins.
func Mapping() mapping.IndexMapping { return logarithm }

func newMapping() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(Accuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return m
}

// indexOf the bin of a value above 0.
func indexOf(ms float64) int32 {
	return int32(logarithm.Index(min(max(ms, logarithm.MinIndexableValue()), logarithm.MaxIndexableValue())))
}

// Observe adds values, which it puts in order.
func (t *Times) Observe(ms []float64) {
	if len(ms) == 0 {
		return
	}
	slices.Sort(ms)
	o := Times{Count: uint64(len(ms)), MaxMS: ms[len(ms)-1], Bins: make([]Bin, 0, min(len(ms), 16))}
	for _, v := range ms {
		o.SumMS = finite(o.SumMS + v)
		if !(v > 0) {
			o.Zero++
			continue
		}
		index := indexOf(v)
		if n := len(o.Bins); n > 0 && o.Bins[n-1].Index == index {
			o.Bins[n-1].Count++
			continue
		}
		o.Bins = append(o.Bins, Bin{index, 1})
	}
	t.Add(&o)
}

// Add sums o up into t; the bins of t are its own.
func (t *Times) Add(o *Times) {
	if o.Count == 0 {
		return
	}
	if t.Count == 0 || o.MaxMS > t.MaxMS {
		t.MaxMS = o.MaxMS
	}
	t.Count, t.Zero, t.SumMS = t.Count+o.Count, t.Zero+o.Zero, finite(t.SumMS+o.SumMS)
	t.Bins = collapse(MergeBins(t.Bins, o.Bins))
}

// finite keeps a sum writable: MySQL refuses infinity, and one absurd sender must not stop a partition.
func finite(v float64) float64 { return max(-math.MaxFloat64, min(v, math.MaxFloat64)) }

// collapse makes the lowest bins one when there are too many.
func collapse(bins []Bin) []Bin {
	over := len(bins) - maxBins
	if over <= 0 {
		return bins
	}
	for _, b := range bins[:over] {
		bins[over].Count += b.Count
	}
	return bins[over:]
}

// MergeBins is a new list of both, each in order of index.
func MergeBins(a, b []Bin) []Bin {
	out := make([]Bin, 0, max(len(a), len(b)))
	for len(a) > 0 && len(b) > 0 {
		switch c := cmp.Compare(a[0].Index, b[0].Index); {
		case c < 0:
			out, a = append(out, a[0]), a[1:]
		case c > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, Bin{a[0].Index, a[0].Count + b[0].Count})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// Quantile is the value, ms, that a share q of the times does not exceed, within Accuracy; 0 without any.
func (t *Times) Quantile(q float64) float64 {
	total := t.Zero
	for _, b := range t.Bins {
		total += uint64(b.Count)
	}
	if total == 0 {
		return 0
	}
	rank := uint64(q * float64(total-1))
	if rank < t.Zero {
		return 0
	}
	rank -= t.Zero
	for _, b := range t.Bins {
		if rank < uint64(b.Count) {
			return min(logarithm.Value(int(b.Index)), t.MaxMS)
		}
		rank -= uint64(b.Count)
	}
	return t.MaxMS
}
