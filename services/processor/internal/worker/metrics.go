package worker

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
)

// Metrics of all workers of a process.
type Metrics struct {
	rows, bytes, blocks, late, misplaced, heartbeats   prometheus.Counter
	skipped, damaged, publishFailures                  prometheus.Counter
	forgotten                                          prometheus.Counter
	unevaluated, dead, epochLosses, repeated, redacted *prometheus.CounterVec
	blockRows, commitSeconds                           prometheus.Histogram
	offset, watermark                                  *prometheus.GaugeVec
}

// NewMetrics makes and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		rows:            counter("rows_total", "Log lines stored."),
		bytes:           counter("bytes_total", "Bytes of logs.raw messages stored."),
		blocks:          counter("blocks_total", "Blocks stored."),
		late:            counter("late_total", "Lines behind the watermark, evaluated at it."),
		misplaced:       counter("misplaced_total", "Lines of services whose home is another partition; rules on those services are blind."),
		heartbeats:      counter("heartbeats_total", "Heartbeats published."),
		skipped:         counter("skipped_messages_total", "Messages delivered again after they were stored."),
		repeated:        counters("repeated_messages_total", "Messages dropped because they are stored already: a batch that a broker wrote twice, a request that a client repeated under its Idempotency-Key, a dead letter that was replayed before (letter) or that nothing is known of (unknown_letter).", "what"),
		forgotten:       counter("forgotten_producers_total", "Producers forgotten before their time, because too many were to be remembered."),
		damaged:         counter("damaged_blocks_total", "Stored blocks that could not be read back for the windows."),
		publishFailures: counter("publish_failures_total", "Tries to publish that Kafka did not take."),
		redacted:        counters("redacted_total", "Finds that were taken out of lines before they were stored, by redaction.", "redaction"),
		unevaluated:     counters("unevaluated_total", "Lines that alert rules never see, by reason.", "reason"),
		dead:            counters("dead_letters_total", "Messages sent to logs.dead, by reason.", "reason"),
		epochLosses:     counters("epoch_losses_total", "Times a partition had to be acquired again, by cause.", "cause"),
		blockRows:       histogram("block_rows", "Lines a block.", prometheus.ExponentialBuckets(1, 4, 8)),
		commitSeconds:   histogram("commit_seconds", "Time of a commit in MySQL, s.", prometheus.ExponentialBuckets(0.0005, 2, 14)),
		offset:          gauges("next_offset", "All offsets below are stored."),
		watermark:       gauges("watermark_seconds", "Watermark of the partition, s since the epoch."),
	}
	reg.MustRegister(m.rows, m.bytes, m.blocks, m.late, m.misplaced, m.heartbeats, m.skipped, m.damaged, m.publishFailures, m.repeated, m.forgotten,
		m.unevaluated, m.redacted, m.dead, m.epochLosses, m.blockRows, m.commitSeconds, m.offset, m.watermark)
	return m
}

const namespace = "logmill_processor"

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func counters(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

func gauges(name, help string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, []string{"partition"})
}

// block counts a stored block.
func (m *Metrics) block(p store.Progress, out pipeline.Output) {
	m.position(p)
	m.bytes.Add(float64(out.Stats.Bytes))
	for _, d := range out.Dead {
		m.dead.WithLabelValues(d.Kind).Inc()
	}
	if out.Stats.Rows == 0 {
		return
	}
	m.blocks.Inc()
	m.rows.Add(float64(out.Stats.Rows))
	m.blockRows.Observe(float64(out.Stats.Rows))
	m.late.Add(float64(out.Stats.Late))
	m.misplaced.Add(float64(out.Stats.Misplaced))
	for _, why := range []pipeline.Unevaluated{pipeline.TooOld, pipeline.TooLate} {
		m.unevaluated.WithLabelValues(why.String()).Add(float64(out.Stats.Unevaluated[why]))
	}
	for name, n := range out.Stats.Redacted {
		m.redacted.WithLabelValues(name).Add(float64(n))
	}
}

func (m *Metrics) repeats(o once) {
	m.repeated.WithLabelValues("batch").Add(float64(o.sameBatch))
	m.repeated.WithLabelValues("request").Add(float64(o.sameRequest))
	m.repeated.WithLabelValues("letter").Add(float64(o.sameLetter))
	m.repeated.WithLabelValues("unknown_letter").Add(float64(o.unknownLetter))
}

func (m *Metrics) heartbeat(p store.Progress) {
	m.heartbeats.Inc()
	m.position(p)
}

func (m *Metrics) position(p store.Progress) {
	label := strconv.Itoa(int(p.Partition))
	m.offset.WithLabelValues(label).Set(float64(p.NextOffset))
	m.watermark.WithLabelValues(label).Set(float64(p.Watermark) / 1e9)
}

// forget drops the gauges of a partition that another process owns now.
func (m *Metrics) forget(partition int32) {
	label := strconv.Itoa(int(partition))
	m.offset.DeleteLabelValues(label)
	m.watermark.DeleteLabelValues(label)
}

func (m *Metrics) lostEpoch(err error) {
	cause := "unknown_commit"
	if errors.Is(err, store.ErrFenced) {
		cause = "fenced"
	}
	m.epochLosses.WithLabelValues(cause).Inc()
}
