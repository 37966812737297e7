package bridge

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	events, retries, dropped *prometheus.CounterVec
	delay                    *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_bridge_" + name, Help: help}, append([]string{"receiver"}, labels...))
	}
	m := &metrics{
		events:  counter("events_total", "Alert events a receiver is done with, by what became of them: sent, dead, unrouted, silenced, acknowledged, or repeat.", "outcome"),
		retries: counter("retries_total", "Attempts to deliver that were made again."),
		dropped: counter("dropped_total", "Alerts, or ends of alerts, that an Alertmanager was posted once and is not posted again: more fire than are remembered."),
		delay: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "logmill_bridge_delivery_seconds",
			Help: "From an event's being on alerts.fired to its having been taken by the receiver.", Buckets: prometheus.ExponentialBuckets(0.01, 3, 10)}, []string{"receiver"}),
	}
	reg.MustRegister(m.events, m.retries, m.dropped, m.delay)
	return m
}

// registerLag measures when asked, so that a receiver that is stuck shows it without anybody's ticking.
func registerLag(reg prometheus.Registerer, receiver string, seconds func() float64) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "logmill_bridge_lag_seconds",
		Help: "Age of the oldest event that is being delivered; 0 when none is.", ConstLabels: prometheus.Labels{"receiver": receiver}}, seconds))
}
