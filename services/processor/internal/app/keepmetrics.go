package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/processor/internal/compact"
	"github.com/logmill/logmill/services/processor/internal/retain"
	"github.com/logmill/logmill/services/processor/internal/store"
)

// keepMetrics are of the background work on stored blocks.
type keepMetrics struct {
	jobs, blocks, lines, read, written   prometheus.Counter
	erased, damaged, overtaken, failures prometheus.Counter
	seconds                              prometheus.Counter

	retired, retiredLines, retiredBytes      *prometheus.CounterVec // by why
	windowRows, daysDropped                  prometheus.Counter
	scrubbed, scrubbedBytes                  prometheus.Counter
	damagedNow                               prometheus.Gauge
	stored, storedOver, retainedFrom, oldest prometheus.Gauge
	dayChange                                prometheus.Histogram
}

func newKeepMetrics(reg prometheus.Registerer) *keepMetrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "logmill_processor", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	counters := func(name, help string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "logmill_processor", Name: name, Help: help}, []string{"why"})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "logmill_processor", Name: name, Help: help})
		reg.MustRegister(g)
		return g
	}
	dayChange := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "logmill_processor", Name: "day_change_seconds",
		Help: "The longest statement of a look at the day partitions that changed them, s: ingest may have waited for as long.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 12)})
	reg.MustRegister(dayChange)
	return &keepMetrics{
		retired:       counters("retired_blocks_total", "Blocks removed by retention, by why: age or bytes."),
		retiredLines:  counters("retired_lines_total", "Log lines in them."),
		retiredBytes:  counters("retired_bytes_total", "Bytes of them, without filters."),
		windowRows:    counter("retired_window_rows_total", "Rows of windows deleted by retention."),
		daysDropped:   counter("dropped_days_total", "Day partitions dropped, of block_data and block_filter."),
		scrubbed:      counter("scrubbed_blocks_total", "Stored blocks read in the background and found as their checksums say."),
		scrubbedBytes: counter("scrubbed_bytes_total", "Bytes of them."),
		damagedNow:    gauge("damaged_blocks", "Stored blocks that are known to be damaged, of all processors."),
		stored:        gauge("stored_bytes", "Bytes of all stored blocks and their filters, of all processors."),
		storedOver:    gauge("stored_over_bytes", "Bytes above RETENTION_MB that stay because they are younger than an hour."),
		retainedFrom:  gauge("retained_from_seconds", "Blocks received before are removed, s since the epoch; 0: none are."),
		oldest:        gauge("oldest_block_seconds", "When the oldest stored block was received, s since the epoch, to a minute; 0: there is none."),
		dayChange:     dayChange,
		jobs:          counter("compactions_total", "Blocks made of smaller ones."),
		blocks:        counter("compacted_blocks_total", "Blocks that were replaced by larger ones."),
		lines:         counter("compacted_lines_total", "Log lines in them: rows_total and this one tell how often a line is written."),
		read:          counter("compacted_bytes_total", "Bytes of the blocks that were replaced."),
		written:       counter("compaction_bytes_total", "Bytes of the blocks that took their place."),
		erased:        counter("erased_blocks_total", "Blocks deleted, some time after they were replaced or removed."),
		damaged:       counter("damaged_stored_blocks_total", "Stored blocks found damaged by compaction or scrubbing."),
		overtaken:     counter("compaction_overtaken_total", "Changes of stored blocks that came too late: somebody else owns the partition or changed them."),
		failures:      counter("compaction_failures_total", "Changes of stored blocks that failed and are tried again."),
		seconds:       counter("keeping_seconds_total", "Time spent on stored blocks in the background, s."),
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

// removed counts blocks that retention took out of the set.
func (m *keepMetrics) removed(blocks []compact.Block, why string) {
	m.retired.WithLabelValues(why).Add(float64(len(blocks)))
	for i := range blocks {
		m.retiredLines.WithLabelValues(why).Add(float64(blocks[i].Rows))
		m.retiredBytes.WithLabelValues(why).Add(float64(blocks[i].Bytes))
	}
}

// usage shows what is stored (newest first), and from when on it is kept.
func (m *keepMetrics) usage(stored []retain.Stored, c retain.Cutoff) {
	bytes, oldest := int64(0), int64(0)
	for _, s := range stored {
		bytes, oldest = bytes+s.Bytes, s.Until
	}
	m.stored.Set(float64(bytes))
	m.storedOver.Set(float64(c.Over))
	m.retainedFrom.Set(float64(c.At) / 1e9)
	m.oldest.Set(float64(oldest) / 1e9)
}

func (m *keepMetrics) days(c store.DayChange) {
	m.daysDropped.Add(float64(len(c.Dropped)))
	if c.Longest > 0 {
		m.dayChange.Observe(c.Longest.Seconds())
	}
}
