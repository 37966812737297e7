package bridge

import "github.com/prometheus/client_golang/prometheus"

type metrics struct{ events, retries *prometheus.CounterVec }

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_bridge_events_total",
			Help: "Alert events a receiver is done with, by what became of them: sent, dead, unrouted, silenced, or repeat."}, []string{"receiver", "outcome"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_bridge_retries_total", Help: "Attempts to deliver that were made again."}, []string{"receiver"}),
	}
	reg.MustRegister(m.events, m.retries)
	return m
}

// registerLag measures when asked, so that a receiver that is stuck shows it without anybody's ticking.
func registerLag(reg prometheus.Registerer, receiver string, seconds func() float64) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "logmill_bridge_lag_seconds",
		Help: "Age of the oldest event that is being delivered; 0 when none is.", ConstLabels: prometheus.Labels{"receiver": receiver}}, seconds))
}
