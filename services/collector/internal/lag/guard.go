// Package lag watches how far storing is behind receiving, and stops receiving before Kafka deletes what is not stored.
package lag

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

const (
	pollEvery   = time.Second
	pollTimeout = 5 * time.Second
	configEvery = time.Minute      // a topic's retention may be changed under way
	staleAfter  = 30 * time.Second // so long without an answer, and health says that nobody watches
	warnAt      = 0.5              // of the retention
	refuseAt    = 0.8
	retryAfter  = 5 * time.Second
)

// Broker is what the guard asks.
type Broker interface {
	Committed(ctx context.Context, group, topic string) (map[int32]int64, error)
	StartOffsets(ctx context.Context, topic string) (map[int32]int64, error)
	EndOffsets(ctx context.Context, topic string) (map[int32]int64, error)
	OffsetsForTime(ctx context.Context, topic string, t time.Time) (map[int32]int64, error)
	TopicConfig(ctx context.Context, topic string) (map[string]string, error)
}

var _ Broker = (*bus.Client)(nil)

// Guard says whether receiving is safe. Until its first answer it is: a collector must not wait for a processor to exist.
type Guard struct {
	broker    Broker
	capBytes  int64        // of the whole topic, 0 = none (RAW_CAP_MB)
	meanBytes func() int64 // of a message, as this collector knows it
	log       zerolog.Logger

	share    atomic.Int64 // of the retention or cap in use, per mille
	measured atomic.Int64 // when, Unix ns
	messages prometheus.Gauge
	shares   prometheus.Gauge

	retention    time.Duration
	bytes        int64 // retention.bytes of a partition
	configuredAt time.Time
}

// New makes a guard; Run keeps it current.
func New(b Broker, capBytes int64, meanBytes func() int64, reg prometheus.Registerer, log zerolog.Logger) *Guard {
	g := &Guard{broker: b, capBytes: capBytes, meanBytes: meanBytes, log: log.With().Str("component", "lag").Logger(),
		messages: prometheus.NewGauge(prometheus.GaugeOpts{Name: "logmill_collector_backlog_messages", Help: "Messages of logs.raw that the processor has not stored."}),
		shares:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "logmill_collector_backlog_retention_ratio", Help: "How much of the retention of logs.raw the backlog fills; 0.8 stops receiving."})}
	reg.MustRegister(g.messages, g.shares)
	g.measured.Store(time.Now().UnixNano())
	return g
}

// Run measures every second until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		if err := g.measure(ctx, time.Now()); err != nil && ctx.Err() == nil {
			g.log.Debug().Err(err).Msg("measuring the backlog")
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Check is nil, or the overload to answer with.
func (g *Guard) Check() error {
	if s := g.share.Load(); s >= refuseAt*1000 {
		return fault.Overloaded(retryAfter, "storing is behind: the backlog fills %d %% of what Kafka keeps; nothing acknowledged may be lost", s/10)
	}
	return nil
}

// Health is an error when receiving is near its end, or when nobody knows.
func (g *Guard) Health(context.Context) error {
	if s := g.share.Load(); s >= warnAt*1000 {
		return fmt.Errorf("the backlog fills %d %% of what Kafka keeps", s/10)
	}
	if age := time.Since(time.Unix(0, g.measured.Load())); age > staleAfter {
		return fmt.Errorf("the backlog could not be measured for %s", age.Round(time.Second))
	}
	return nil
}

func (g *Guard) measure(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	if err := g.configure(ctx, now); err != nil {
		return err
	}
	next, err := g.positions(ctx)
	if err != nil {
		return err
	}
	end, err := g.broker.EndOffsets(ctx, contract.TopicRaw)
	if err != nil {
		return err
	}
	backlog, largest := int64(0), int64(0)
	for p, e := range end {
		n := max(0, e-next[p])
		backlog, largest = backlog+n, max(largest, n)
	}
	share := g.shareOfBytes(backlog, largest)
	if g.retention > 0 && backlog > 0 {
		t, err := g.shareOfTime(ctx, now, next)
		if err != nil {
			return err
		}
		share = max(share, t)
	}
	g.messages.Set(float64(backlog))
	g.shares.Set(share)
	g.share.Store(int64(share * 1000))
	g.measured.Store(now.UnixNano())
	return nil
}

// positions are the offsets from which on nothing is stored; a partition that the processor has not begun stands at its start.
func (g *Guard) positions(ctx context.Context) (map[int32]int64, error) {
	next, err := g.broker.Committed(ctx, contract.GroupProcessor, contract.TopicRaw)
	if err != nil {
		return nil, err
	}
	start, err := g.broker.StartOffsets(ctx, contract.TopicRaw)
	for p, s := range start {
		next[p] = max(next[p], s)
	}
	return next, err
}

func (g *Guard) shareOfBytes(backlog, largest int64) float64 {
	mean := g.meanBytes()
	share := 0.0
	if g.capBytes > 0 {
		// The cap is where receiving stops: 0.8 of the ratio is all of it.
		share = float64(backlog*mean) / float64(g.capBytes) * refuseAt
	}
	if g.bytes > 0 {
		share = max(share, float64(largest*mean)/float64(g.bytes))
	}
	return share
}

// shareOfTime needs no clock but Kafka's: is what comes next older than a share of the retention?
func (g *Guard) shareOfTime(ctx context.Context, now time.Time, next map[int32]int64) (float64, error) {
	for _, share := range []float64{refuseAt, warnAt} {
		at, err := g.broker.OffsetsForTime(ctx, contract.TopicRaw, now.Add(-time.Duration(float64(g.retention)*share)))
		if err != nil {
			return 0, err
		}
		for p, off := range at {
			if next[p] < off {
				return share, nil
			}
		}
	}
	return 0, nil
}

func (g *Guard) configure(ctx context.Context, now time.Time) error {
	if now.Sub(g.configuredAt) < configEvery {
		return nil
	}
	cfg, err := g.broker.TopicConfig(ctx, contract.TopicRaw)
	if err != nil {
		return err
	}
	ms, _ := strconv.ParseInt(cfg["retention.ms"], 10, 64) // absent or -1: none
	g.retention = time.Duration(max(0, ms)) * time.Millisecond
	bytes, _ := strconv.ParseInt(cfg["retention.bytes"], 10, 64)
	g.bytes, g.configuredAt = max(0, bytes), now
	return nil
}
