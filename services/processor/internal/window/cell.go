package window

import (
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// cell is what a service says at a level in a window that is being counted.
type cell struct {
	row     counts.Row
	samples []float64 // response times that are not in the row yet, ms
}

func (c *cell) add(rec *logrec.Record) {
	c.row.Lines++
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
	if c.samples = append(c.samples, ms); len(c.samples) >= maxSamples {
		c.settle()
	}
}

// settle moves the waiting samples into the row.
func (c *cell) settle() {
	c.row.Times.Observe(c.samples)
	c.samples = c.samples[:0]
}

// final is the row to write.
func (c *cell) final() counts.Row {
	c.settle()
	return c.row
}
