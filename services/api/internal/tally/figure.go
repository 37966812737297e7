package tally

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/axiomhq/hyperloglog"

	"github.com/logmill/logmill/services/api/internal/query"
)

// figure is a measure of one group and step.
type figure struct {
	n             int64
	sum, min, max float64
	sketch        *ddsketch.DDSketch
	set           *distinct
	lost          bool // there was no room for all of it
}

// number takes in a value.
func (f *figure) number(v float64) {
	if f.n == 0 {
		f.min, f.max = v, v
	}
	f.n++
	f.sum, f.min, f.max = finite(f.sum+v), min(f.min, v), max(f.max, v)
}

// finite keeps a sum of absurd values a number: JSON has no infinity.
func finite(v float64) float64 { return math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, v)) }

// merge takes in another figure of the same measure, which is not changed.
func (f *figure) merge(o *figure) error {
	f.lost = f.lost || o.lost
	if o.n > 0 {
		if f.n == 0 {
			f.min, f.max = o.min, o.max
		}
		f.n += o.n
		f.sum, f.min, f.max = finite(f.sum+o.sum), min(f.min, o.min), max(f.max, o.max)
	}
	if o.set != nil {
		if f.set == nil {
			f.set = &distinct{}
		}
		f.set.merge(o.set)
	}
	switch {
	case o.sketch == nil:
		return nil
	case f.sketch == nil:
		f.sketch = o.sketch.Copy()
		return nil
	}
	return f.sketch.MergeWith(o.sketch)
}

// value is what the figure says, NaN when it says nothing.
func (f *figure) value(m query.Measure) float64 {
	switch {
	case f.lost && (m.Func == query.Percentile || m.Func == query.Distinct):
		return math.NaN()
	case m.Func == query.Count:
		return float64(f.n)
	case m.Func == query.Distinct:
		return float64(f.set.count())
	case m.Func == query.Sum:
		return f.sum
	case f.n == 0:
		return math.NaN()
	case m.Func == query.Avg:
		return f.sum / float64(f.n)
	case m.Func == query.Min:
		return f.min
	case m.Func == query.Max:
		return f.max
	}
	return f.quantile(m.P / 100)
}

func (f *figure) quantile(q float64) float64 {
	if f.sketch == nil || f.sketch.IsEmpty() {
		return math.NaN()
	}
	v, err := f.sketch.GetValueAtQuantile(q)
	if err != nil {
		return math.NaN()
	}
	return max(f.min, min(v, f.max))
}

// distinct counts different values by their hashes: exactly while there are few, else by HyperLogLog (Flajolet et al. 2007; Heule et al. 2013).
type distinct struct {
	exact  map[uint64]struct{}
	sketch *hyperloglog.Sketch
}

// add takes in a value, and says how many bytes more that took.
func (d *distinct) add(hash uint64) int {
	if d.sketch != nil {
		d.sketch.InsertHash(hash)
		return 0
	}
	if d.exact == nil {
		d.exact = map[uint64]struct{}{}
	}
	before := len(d.exact)
	d.exact[hash] = struct{}{}
	if len(d.exact) <= maxExact {
		return (len(d.exact) - before) * exactBytes
	}
	d.estimate()
	return denseBytes - maxExact*exactBytes
}

func (d *distinct) estimate() {
	d.sketch, _ = hyperloglog.NewSketch(precision, false) // the precision is a constant that it knows
	for h := range d.exact {
		d.sketch.InsertHash(h)
	}
	d.exact = nil
}

func (d *distinct) merge(o *distinct) {
	if o.sketch == nil {
		for h := range o.exact {
			d.add(h)
		}
		return
	}
	if d.sketch == nil {
		d.estimate()
	}
	_ = d.sketch.Merge(o.sketch) // both have our precision
}

func (d *distinct) count() uint64 {
	switch {
	case d == nil:
		return 0
	case d.sketch == nil:
		return uint64(len(d.exact))
	}
	return d.sketch.Estimate()
}
