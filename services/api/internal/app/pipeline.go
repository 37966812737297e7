package app

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/api/internal/status"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// pipeline makes the view of the whole pipeline: positions from Kafka and MySQL, and what the other processes say of themselves.
func (a *App) pipeline(st *store.Store, reg *prometheus.Registry) error {
	targets, err := status.ParseTargets(a.cfg.PipelineTargets)
	if err != nil {
		return fmt.Errorf("PIPELINE_TARGETS: %w", err)
	}
	a.line = status.NewLine(status.LineDeps{
		Kafka:     func() (status.Offsets, error) { return a.kafka.connect() },
		Positions: st, Topic: a.cfg.Kafka.Topic(contract.TopicRaw), Targets: targets, Token: a.cfg.PipelineToken.Reveal(),
		Now:  func() time.Time { return time.Unix(0, a.clock.Now()) },
		Self: status.Self(a.health, "http://"+a.Addr(), reg),
	})
	return nil
}
