package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/api/internal/tail"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// newTail makes the hub of the live tail, which reads logs.enriched from its end, in no consumer group, while somebody looks.
func newTail(cfg config.Kafka, reg *prometheus.Registry) *tail.Hub {
	h := tail.New(func(ctx context.Context, state func(error), f func(headers map[string]string, value []byte)) {
		bus.Follow(ctx, cfg, "api-tail", contract.TopicEnriched, state, func(_ int32, r bus.Record) { f(r.Headers, r.Value) })
	}, time.Now)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "logmill_api_tail_viewers", Help: "who watches lines as they come"}, func() float64 { return float64(h.Stats().Viewers) }))
	for name, of := range map[string]struct {
		help string
		f    func(tail.Stats) int64
	}{
		"lines":          {"lines given to viewers", func(s tail.Stats) int64 { return s.Lines }},
		"dropped_lines":  {"lines that a viewer, or its rate, was too slow for", func(s tail.Stats) int64 { return s.Dropped }},
		"damaged_blocks": {"blocks that the tail could not read", func(s tail.Stats) int64 { return s.Damaged }},
	} {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "logmill_api_tail_" + name + "_total", Help: of.help}, func() float64 { return float64(of.f(h.Stats())) }))
	}
	return h
}
