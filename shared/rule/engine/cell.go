package engine

import (
	"cmp"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/axiomhq/hyperloglog"
)

// kind is what a series collects.
type kind uint8

// The kinds. Their numbers are part of the snapshot's format: never renumber.
const (
	kindCount    kind = iota + 1 // N
	kindSum                      // N, Sum
	kindMin                      // N, F
	kindMax                      // N, F
	kindDistinct                 // Set
	kindSketch                   // N, Sketch
	kindEvidence                 // N, Evidence
	kindLadder                   // N, Ladder
)

// cell is what a series has collected of some records.
type cell struct {
	N        int64
	Sum      fixed
	F        float64
	Set      *distinct
	Sketch   *ddsketch.DDSketch
	Evidence []RecordID
	Ladder   *ladder
}

// merge adds o, which may be changed or kept afterwards by neither: merged parts are copied.
func (c *cell) merge(k kind, o *cell) {
	switch k {
	case kindSum:
		c.Sum = c.Sum.plus(o.Sum)
	case kindMin:
		if c.N == 0 || o.N > 0 && o.F < c.F {
			c.F = o.F
		}
	case kindMax:
		if c.N == 0 || o.N > 0 && o.F > c.F {
			c.F = o.F
		}
	case kindDistinct:
		if c.Set == nil {
			c.Set = newDistinct()
		}
		c.Set.merge(o.Set)
	case kindSketch:
		switch {
		case o.Sketch == nil:
		case c.Sketch == nil:
			c.Sketch = o.Sketch.Copy()
		default:
			_ = c.Sketch.MergeWith(o.Sketch) // differs only for different mappings, and there is one
		}
	case kindEvidence:
		c.Evidence = mergeEvidence(c.Evidence, o.Evidence)
	case kindLadder:
		c.Ladder = mergeLadders(c.Ladder, o.Ladder)
	}
	c.N += o.N
}

// copied is a cell that may be merged into.
func (c *cell) copied(k kind) *cell {
	out := &cell{}
	out.merge(k, c)
	return out
}

func newSketch() *ddsketch.DDSketch {
	s, err := ddsketch.LogCollapsingLowestDenseDDSketch(sketchError, sketchBins)
	if err != nil {
		panic(err) // the constants are in range
	}
	return s
}

// RecordID is a record and its place in the order of evidence.
type RecordID struct {
	EvalTime  int64
	Offset    int64
	Partition int32
	Row       int32
}

func compareRecords(a, b RecordID) int {
	return cmp.Or(cmp.Compare(a.EvalTime, b.EvalTime), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Row, b.Row))
}

// mergeEvidence keeps the first two and the last three.
func mergeEvidence(a, b []RecordID) []RecordID {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	all := make([]RecordID, 0, len(a)+len(b))
	all = append(append(all, a...), b...)
	slices.SortFunc(all, compareRecords)
	return thin(all)
}

// thin keeps the first two and the last three of sorted records.
func thin(all []RecordID) []RecordID {
	if len(all) <= evidenceFirst+evidenceLast {
		return all
	}
	out := make([]RecordID, 0, evidenceFirst+evidenceLast)
	return append(append(out, all[:evidenceFirst]...), all[len(all)-evidenceLast:]...)
}

// distinct counts different values: exactly while there are few, by HyperLogLog above (Heule, Nunkesser and Hall, 2013).
type distinct struct {
	exact    map[uint64]struct{} // hashes; nil once estimate is used
	estimate *hyperloglog.Sketch
}

func newDistinct() *distinct { return &distinct{exact: map[uint64]struct{}{}} }

func (d *distinct) add(hash uint64) {
	if d.estimate != nil {
		d.estimate.InsertHash(hash)
		return
	}
	d.exact[hash] = struct{}{}
	if len(d.exact) > exactDistinct {
		d.approximate()
	}
}

func (d *distinct) approximate() {
	d.estimate = hyperloglog.New14()
	for h := range d.exact {
		d.estimate.InsertHash(h)
	}
	d.exact = nil
}

func (d *distinct) merge(o *distinct) {
	if o == nil {
		return
	}
	if o.estimate == nil {
		for h := range o.exact {
			d.add(h)
		}
		return
	}
	if len(d.exact) == 0 && d.estimate == nil {
		d.exact, d.estimate = nil, o.estimate.Clone()
		return
	}
	if d.estimate == nil {
		d.approximate()
	}
	_ = d.estimate.Merge(o.estimate) // differs only for another precision, and there is one
}

// values are the hashes of the values, while they are counted exactly.
func (d *distinct) values() map[uint64]struct{} {
	if d == nil {
		return nil
	}
	return d.exact
}

func (d *distinct) count() (n float64, approximate bool) {
	switch {
	case d == nil:
		return 0, false
	case d.estimate != nil:
		return float64(d.estimate.Estimate()), true
	}
	return float64(len(d.exact)), false
}
