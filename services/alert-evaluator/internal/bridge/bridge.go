package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
)

// Deps of the bridges.
type Deps struct {
	Client   *bus.Client // stays the caller's
	Log      zerolog.Logger
	Registry prometheus.Registerer
}

// Set is the bridges of a File. Run it once.
type Set struct {
	consumers []*consumer
	dead      *bus.Publisher
}

// New makes the bridges of file, which is what Load or Parse returned. Receivers may still be away.
func New(cfg config.Kafka, file File, d Deps) *Set {
	log := d.Log.With().Str("component", "bridge").Logger()
	s := &Set{dead: bus.NewPublisher(cfg, clientID, false, log)}
	m := newMetrics(d.Registry)
	for _, r := range file.Receivers {
		c := &consumer{cfg: cfg, file: file, to: r, client: d.Client, dead: s.dead, metrics: m, started: time.Now(), workers: map[int32]*worker{}, http: newClient(),
			log: log.With().Str("receiver", r.Name).Logger()}
		registerLag(d.Registry, r.Name, c.lag)
		s.consumers = append(s.consumers, c)
	}
	return s
}

// Run carries events until ctx ends, and is done closeTimeout after that at the latest; the error is then about what did not end well.
func (s *Set) Run(ctx context.Context) error {
	all := make(chan error, 1)
	go func() { all <- errors.Join(s.run(ctx), s.dead.Close()) }()
	<-ctx.Done()
	select {
	case err := <-all:
		return err
	case <-time.After(closeTimeout):
		return fmt.Errorf("leaving the consumer groups of bridges: not done after %s", closeTimeout)
	}
}

func (s *Set) run(ctx context.Context) error {
	var wg sync.WaitGroup
	problems := make([]error, len(s.consumers))
	for i, c := range s.consumers {
		wg.Go(func() {
			if err := c.run(ctx); err != nil {
				problems[i] = fmt.Errorf("bridge %s: %w", c.to.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(problems...)
}

// Check is the health of the bridges themselves: whether each reads alerts.fired. A receiver that is away is no fault of ours, and shows in
// the metrics.
func (s *Set) Check(context.Context) error {
	var problems []error
	for _, c := range s.consumers {
		problems = append(problems, c.check())
	}
	return errors.Join(problems...)
}
