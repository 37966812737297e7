package httpapi

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/collector/internal/body"
	"github.com/logmill/logmill/services/collector/internal/idempotency"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

type metrics struct {
	requests        *prometheus.CounterVec
	accepted, bytes prometheus.Counter
	rejected, keyed *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, budget *body.Budget, requests *idempotency.Memory) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_collector_requests_total", Help: "Requests by route and outcome."}, []string{"route", "status"}),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_collector_records_accepted_total", Help: "Records that Kafka has on all in-sync replicas."}),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_collector_received_bytes_total", Help: "Bytes of bodies, decompressed."}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_collector_records_rejected_total", Help: "Records that were refused, by the field that was wrong."}, []string{"field"}),
	}
	m.keyed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_collector_keyed_requests_total", Help: "Requests with an Idempotency-Key by what became of them."}, []string{"outcome"})
	reg.MustRegister(m.requests, m.accepted, m.bytes, m.rejected, m.keyed, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "logmill_collector_idempotency_keys", Help: "Keys in memory."}, func() float64 { return float64(requests.Len()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "logmill_collector_memory_used_bytes", Help: "Memory budget in use by requests (COLLECTOR_MEMORY_MB)."}, func() float64 { return float64(budget.Used()) }))
	return m
}

// keyedOutcome names what became of a request with an Idempotency-Key, other than replayed.
func keyedOutcome(err error) string {
	switch {
	case err == nil:
		return "sent"
	case fault.KindOf(err) == fault.Unprocessable:
		return "conflict"
	case fault.KindOf(err) == fault.Overload:
		return "too_many"
	case fault.KindOf(err) == fault.TooBig:
		return "too_large"
	}
	return "failed"
}

// fields that a reason is counted by; senders choose attribute names, so anything else is one label.
var fields = map[string]bool{"": true, "record": true, "service": true, "attributes": true, "timestamp": true, "time_unix_nano": true, "trace_id": true, "user_id": true}

func (m *metrics) reject(rs []contract.Rejected) {
	for _, r := range rs {
		field := r.Field
		if !fields[field] {
			field = "other"
		}
		if field == "" {
			field = "syntax"
		}
		m.rejected.WithLabelValues(field).Inc()
	}
}
