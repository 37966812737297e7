package window

import (
	"fmt"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"google.golang.org/protobuf/proto"

	"github.com/logmill/logmill/shared/logrec"
)

// Row is one row of log_window: the whole truth of a window for one partition.
type Row struct {
	Start       int64 // s since the epoch, a multiple of Seconds
	Service     string
	Level       logrec.Level
	Count       uint64
	Bytes       uint64 // of message text
	Unevaluated uint64 // lines without eval_time
	Status      [5]uint64
	RTCount     uint64
	RTSum       float64 // ms
	RTMax       float64 // ms
	Sketch      []byte  // DDSketch as protobuf; nil when RTCount is 0
}

// cell is a window being counted.
type cell struct {
	row     Row
	samples []float64 // response times not yet in the sketch, ms
	sketch  *ddsketch.DDSketch
	dirty   bool
}

func (c *cell) add(rec *logrec.Record) {
	c.dirty = true
	c.row.Count++
	c.row.Bytes += uint64(len(rec.Message))
	if rec.EvalTime == 0 {
		c.row.Unevaluated++
	}
	if class := rec.ResponseStatus / 100; class >= 1 && class <= 5 {
		c.row.Status[class-1]++
	}
	if rec.HasResponseTime {
		c.sample(rec.ResponseTimeMS)
	}
}

func (c *cell) sample(ms float64) {
	if c.row.RTCount == 0 || ms > c.row.RTMax {
		c.row.RTMax = ms
	}
	c.row.RTCount++
	c.row.RTSum = finite(c.row.RTSum + ms)
	if c.samples = append(c.samples, ms); len(c.samples) >= maxSamples {
		_ = c.settle() // a value the sketch cannot hold is still in count, sum and max
	}
}

// settle moves the waiting samples into the sketch.
func (c *cell) settle() error {
	if c.sketch == nil {
		s, err := newSketch()
		if err != nil {
			return err
		}
		c.sketch = s
	}
	for _, ms := range c.samples {
		_ = c.sketch.Add(ms) // only refuses what is beyond float range of the mapping
	}
	c.samples = c.samples[:0]
	return nil
}

// merge adds what MySQL has of the window. An error says that its sketch is damaged: counts and sums are merged all the same.
func (c *cell) merge(r Row) error {
	c.row.Count += r.Count
	c.row.Bytes += r.Bytes
	c.row.Unevaluated += r.Unevaluated
	for i := range r.Status {
		c.row.Status[i] += r.Status[i]
	}
	if r.RTCount == 0 {
		return nil
	}
	if c.row.RTCount == 0 || r.RTMax > c.row.RTMax {
		c.row.RTMax = r.RTMax
	}
	c.row.RTCount += r.RTCount
	c.row.RTSum = finite(c.row.RTSum + r.RTSum)
	return c.mergeSketch(r.Sketch)
}

func (c *cell) mergeSketch(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	stored, err := DecodeSketch(data)
	if err != nil {
		return err
	}
	if c.sketch == nil {
		c.sketch = stored
		return nil
	}
	return c.sketch.MergeWith(stored)
}

// final is the row to write.
func (c *cell) final() (Row, error) {
	if c.row.RTCount == 0 {
		return c.row, nil
	}
	if err := c.settle(); err != nil {
		return Row{}, err
	}
	r := c.row
	var err error
	if r.Sketch, err = proto.Marshal(c.sketch.ToProto()); err != nil {
		return Row{}, fmt.Errorf("encoding the sketch of window %d of %s: %w", r.Start, r.Service, err)
	}
	return r, nil
}

// finite keeps a sum writable: MySQL refuses infinity, and one absurd sender must not stop a partition.
func finite(v float64) float64 { return max(-math.MaxFloat64, min(v, math.MaxFloat64)) }

func newSketch() (*ddsketch.DDSketch, error) {
	return ddsketch.LogCollapsingLowestDenseDDSketch(RelativeAccuracy, maxBins)
}

// DecodeSketch reads the sketch of a row.
func DecodeSketch(data []byte) (*ddsketch.DDSketch, error) {
	var pb sketchpb.DDSketch
	if err := proto.Unmarshal(data, &pb); err != nil {
		return nil, fmt.Errorf("reading a sketch: %w", err)
	}
	into, err := newSketch()
	if err != nil {
		return nil, err
	}
	stored, err := ddsketch.FromProto(&pb)
	if err != nil {
		return nil, fmt.Errorf("reading a sketch: %w", err)
	}
	// Merged into a fresh one so that its bins stay bounded: FromProto makes stores without a limit.
	return into, into.MergeWith(stored)
}
