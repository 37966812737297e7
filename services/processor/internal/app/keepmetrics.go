package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/processor/internal/compact"
)

// keepMetrics are of the background work on stored blocks.
type keepMetrics struct {
	jobs, blocks, lines, read, written   prometheus.Counter
	erased, damaged, overtaken, failures prometheus.Counter
	seconds                              prometheus.Counter
}

func newKeepMetrics(reg prometheus.Registerer) *keepMetrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "logmill_processor", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	return &keepMetrics{
		jobs:      counter("compactions_total", "Blocks made of smaller ones."),
		blocks:    counter("compacted_blocks_total", "Blocks that were replaced by larger ones."),
		lines:     counter("compacted_lines_total", "Log lines in them: rows_total and this one tell how often a line is written."),
		read:      counter("compacted_bytes_total", "Bytes of the blocks that were replaced."),
		written:   counter("compaction_bytes_total", "Bytes of the blocks that took their place."),
		erased:    counter("erased_blocks_total", "Blocks deleted, some time after they were replaced or removed."),
		damaged:   counter("damaged_stored_blocks_total", "Stored blocks found damaged by compaction or scrubbing."),
		overtaken: counter("compaction_overtaken_total", "Changes of stored blocks that came too late: somebody else owns the partition or changed them."),
		failures:  counter("compaction_failures_total", "Changes of stored blocks that failed and are tried again."),
		seconds:   counter("keeping_seconds_total", "Time spent on stored blocks in the background, s."),
	}
}

func (m *keepMetrics) merged(job []compact.Block, out compact.Merged) {
	m.jobs.Inc()
	m.blocks.Add(float64(len(job)))
	m.lines.Add(float64(out.Meta.Rows))
	m.written.Add(float64(len(out.Data)))
	for i := range job {
		m.read.Add(float64(job[i].Bytes))
	}
}
