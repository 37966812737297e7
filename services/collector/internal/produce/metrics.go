package produce

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of a Producer.
type Metrics struct {
	batches, restarts        prometheus.Counter
	failed                   *prometheus.CounterVec
	inFlight                 prometheus.Gauge
	delivery                 prometheus.Histogram
	batchBytes, batchRecords prometheus.Histogram
	mean                     atomic.Int64
}

// NewMetrics registers the producer's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		batches:  prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_collector_batches_total", Help: "Messages that Kafka acknowledged."}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_collector_producer_restarts_total", Help: "Kafka producers replaced after a fatal error."}),
		failed:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_collector_batches_failed_total", Help: "Messages that Kafka did not acknowledge, by reason."}, []string{"reason"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "logmill_collector_in_flight_bytes", Help: "Bytes sent to Kafka and not yet acknowledged."}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "logmill_collector_delivery_seconds", Help: "From a batch's first record to Kafka's acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}),
		batchBytes:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "logmill_collector_batch_bytes", Help: "Bytes of a message before compression.", Buckets: prometheus.ExponentialBuckets(1<<10, 4, 7)}),
		batchRecords: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "logmill_collector_batch_records", Help: "Records of a message.", Buckets: prometheus.ExponentialBuckets(1, 4, 8)}),
	}
	m.mean.Store(meanStart)
	reg.MustRegister(m.batches, m.restarts, m.failed, m.inFlight, m.delivery, m.batchBytes, m.batchRecords)
	return m
}

// meanStart stands for a message's size before the first one was sent.
const meanStart = 64 << 10

// MeanBytes is the moving mean size of a message, before compression: never less than what it takes on Kafka's disk.
func (m *Metrics) MeanBytes() int64 { return max(1, m.mean.Load()) }

// sent moves the mean by a sixteenth.
func (m *Metrics) sent(bytes int) {
	old := m.mean.Load()
	m.mean.Store(old + (int64(bytes)-old)/16) // one event loop writes it
}
