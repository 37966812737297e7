package app

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/processor/internal/handle"
	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
)

const (
	watchEvery   = 2 * time.Second // lag gauges
	trimEvery    = 5 * time.Second // DeleteRecords on logs.raw
	watchTimeout = 10 * time.Second
)

// lag says how far behind the process is.
type lag struct {
	messages, seconds, watermark *prometheus.GaugeVec
	deleted                      prometheus.Counter
}

func newLag(reg prometheus.Registerer) *lag {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "logmill_processor", Name: name, Help: help}, []string{"partition"})
	}
	l := &lag{
		messages:  gauge("lag_messages", "Messages on logs.raw that are not stored."),
		seconds:   gauge("lag_seconds", "Age of the newest line stored while messages wait, s; 0 when none wait."),
		watermark: gauge("watermark_lag_seconds", "How far the watermark is behind MySQL's clock, s."),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "logmill_processor", Name: "deleted_offsets_total",
			Help: "Offsets that Kafka deleted before they were stored: lost lines."}),
	}
	reg.MustRegister(l.messages, l.seconds, l.watermark, l.deleted)
	return l
}

// set updates the gauges of a partition; end is the log's end, now is MySQL's clock in ns.
func (l *lag) set(s worker.State, end, now int64) {
	label := strconv.Itoa(int(s.Partition))
	waiting := max(0, end-s.NextOffset)
	l.messages.WithLabelValues(label).Set(float64(waiting))
	age := 0.0
	if waiting > 0 && s.Observed > 0 {
		age = float64(now-s.Observed) / 1e9
	}
	l.seconds.WithLabelValues(label).Set(age)
	l.watermark.WithLabelValues(label).Set(float64(now-s.Watermark) / 1e9)
}

func (l *lag) reset() {
	l.messages.Reset()
	l.seconds.Reset()
	l.watermark.Reset()
}

// watch samples the clock, keeps the lag gauges, and trims logs.raw, until ctx ends.
func (a *App) watch(ctx context.Context, parts *handle.Partitions, client *bus.Client) {
	clock, gauges, trim := time.NewTicker(clockEvery), time.NewTicker(watchEvery), time.NewTicker(trimEvery)
	defer clock.Stop()
	defer gauges.Stop()
	defer trim.Stop()
	trimmed := map[int32]int64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
			a.bounded(ctx, "sampling the clock", a.sampleClock)
		case <-gauges.C:
			a.bounded(ctx, "reading lag", func(ctx context.Context) error { return a.readLag(ctx, parts, client) })
		case <-trim.C:
			if a.cfg.RawTrim {
				a.bounded(ctx, "trimming logs.raw", func(ctx context.Context) error { return trimRaw(ctx, parts, client, trimmed) })
			}
		}
	}
}

// bounded runs f with a time-out. Its failure shows in health and metrics by other ways; here it is only worth a debug line.
func (a *App) bounded(ctx context.Context, what string, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if err := f(ctx); err != nil && ctx.Err() == nil {
		a.log.Debug().Err(err).Msg(what + " failed")
	}
}

func (a *App) readLag(ctx context.Context, parts *handle.Partitions, client *bus.Client) error {
	a.lag.reset()
	for _, w := range parts.Workers() {
		s := w.State()
		end, err := client.EndOffset(ctx, contract.TopicRaw, s.Partition)
		if err != nil {
			return err
		}
		a.lag.set(s, end, a.clock.Now())
	}
	return nil
}

// trimRaw deletes what is stored and published. The last stored message stays, so that no partition ever becomes empty: an empty
// one forgets its offsets when the embedded broker starts again.
func trimRaw(ctx context.Context, parts *handle.Partitions, client *bus.Client, trimmed map[int32]int64) error {
	below := map[int32]int64{}
	for _, w := range parts.Workers() {
		p := w.State().Partition
		if at := w.Trimmable(); at > trimmed[p] {
			below[p] = at
		}
	}
	if len(below) == 0 {
		return nil
	}
	if err := client.Trim(ctx, contract.TopicRaw, below); err != nil {
		return err
	}
	for p, at := range below {
		trimmed[p] = at
	}
	return nil
}
