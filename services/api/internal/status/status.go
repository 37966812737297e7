// Package status knows how the pipeline is: its dependencies, and how far storing is behind receiving.
package status

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// The words of a health answer.
const (
	OK       = "ok"
	Degraded = "degraded"
	Down     = "down"
)

const (
	pollEvery   = time.Second
	pollTimeout = 3 * time.Second
	lagDegraded = 10.0            // s: later than anybody who watches a dashboard expects
	unknownLag  = -1              // nobody knows
	staleAfter  = 5 * time.Second // an older measurement is not told as if it were true
)

// Lag is how far storing is behind receiving: -1 when it cannot be known.
type Lag struct {
	Seconds  float64 `json:"seconds"`  // since the oldest partition's watermark
	Messages int64   `json:"messages"` // of logs.raw, not stored
}

// Kafka is what the watch asks the broker.
type Kafka interface {
	Ping(ctx context.Context) error
	Identity(ctx context.Context, topic string) (clusterID, topicID string, partitions int32, err error)
	EndOffsets(ctx context.Context, topic string) (map[int32]int64, error)
}

// Store is what the watch asks MySQL.
type Store interface {
	Progress(ctx context.Context, clusterID, topic, topicID string) ([]store.Progress, error)
	// DamagedBlocks names a few of the stored blocks that are known to be damaged, and counts all.
	DamagedBlocks(ctx context.Context, limit int) (names []string, n int, err error)
}

// Deps of a Watch.
type Deps struct {
	Kafka  func(ctx context.Context) (Kafka, error) // connects when it is not connected
	Store  Store
	Topic  string // full name of logs.raw
	MySQL  func(ctx context.Context) error
	Schema func(ctx context.Context) error
	Now    func() time.Time // MySQL's
	Want   int64            // schema version
}

// Check is one dependency.
type Check struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Health is the answer of GET /api/health.
type Health struct {
	Status string           `json:"status"`
	Checks map[string]Check `json:"checks"`
	Lag    Lag              `json:"lag"`
	Schema int64            `json:"schema_version"`
}

// Watch measures the lag every second. Safe for concurrent use.
type Watch struct {
	d        Deps
	mu       sync.Mutex
	lag      Lag
	measured time.Time
}

// New makes a watch; Run keeps it current.
func New(d Deps) *Watch { return &Watch{d: d, lag: Lag{unknownLag, unknownLag}} }

// Run measures until ctx ends.
func (w *Watch) Run(ctx context.Context) {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		if lag, err := w.measure(ctx); err == nil {
			w.mu.Lock()
			w.lag, w.measured = lag, time.Now()
			w.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Lag is the newest measurement.
func (w *Watch) Lag() Lag {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.measured) > staleAfter {
		return Lag{unknownLag, unknownLag}
	}
	return w.lag
}

func (w *Watch) measure(ctx context.Context) (Lag, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	k, err := w.d.Kafka(ctx)
	if err != nil {
		return Lag{}, err
	}
	cluster, id, _, err := k.Identity(ctx, contract.TopicRaw)
	if err != nil {
		return Lag{}, err
	}
	end, err := k.EndOffsets(ctx, contract.TopicRaw)
	if err != nil {
		return Lag{}, err
	}
	progress, err := w.d.Store.Progress(ctx, cluster, w.d.Topic, id)
	if err != nil {
		return Lag{}, err
	}
	return lagOf(end, progress, w.d.Now()), nil
}

// lagOf compares what is there with what is stored. A partition that nobody has begun counts with all it has.
func lagOf(end map[int32]int64, progress []store.Progress, now time.Time) Lag {
	var lag Lag
	left := map[int32]int64{}
	for p, e := range end {
		left[p] = e
	}
	for _, p := range progress {
		left[p.Partition] = max(0, end[p.Partition]-p.NextOffset)
		behind := now.Sub(time.Unix(0, p.Watermark)) - time.Second // the watermark stays half a second behind by design, and is told four times a second
		lag.Seconds = max(lag.Seconds, behind.Round(time.Millisecond).Seconds())
	}
	for _, n := range left {
		lag.Messages += n
	}
	return lag
}

// Health asks all dependencies.
func (w *Watch) Health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	h := Health{Status: OK, Checks: map[string]Check{}, Lag: w.Lag(), Schema: w.d.Want}
	checks := map[string]func(context.Context) error{"mysql": w.d.MySQL, "schema": w.d.Schema, "kafka": w.ping, "blocks": w.blocks}
	for name, check := range checks {
		c := Check{OK: true}
		if err := check(ctx); err != nil {
			c = Check{Error: err.Error()}
		}
		h.Checks[name] = c
	}
	switch {
	case !h.Checks["mysql"].OK || !h.Checks["schema"].OK:
		h.Status = Down
	case !h.Checks["kafka"].OK || !h.Checks["blocks"].OK || h.Lag.Seconds < 0 || h.Lag.Seconds > lagDegraded:
		h.Status = Degraded
	}
	return h
}

func (w *Watch) ping(ctx context.Context) error {
	k, err := w.d.Kafka(ctx)
	if err != nil {
		return err
	}
	return k.Ping(ctx)
}

// namedBlocks is how many damaged blocks are named.
const namedBlocks = 5

// blocks is about damage: searches answer without those blocks, partial.
func (w *Watch) blocks(ctx context.Context) error {
	names, n, err := w.d.Store.DamagedBlocks(ctx, namedBlocks)
	if err != nil || n == 0 {
		return err
	}
	return fmt.Errorf("%d stored blocks are damaged and left out of answers: %s", n, strings.Join(names, ", "))
}
