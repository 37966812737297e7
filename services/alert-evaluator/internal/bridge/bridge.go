package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
)

// Set is the bridges of a File. Run it once.
type Set struct {
	cfg       config.Kafka
	log       zerolog.Logger
	consumers []*consumer
	dead      *bus.Publisher
	stack     app.Stack
}

// New makes the bridges; Kafka and the receivers may still be away. file is what Load or Parse returned.
func New(cfg config.Kafka, file File, log zerolog.Logger, reg prometheus.Registerer) (*Set, error) {
	s := &Set{cfg: cfg, log: log.With().Str("component", "bridge").Logger()}
	s.dead = bus.NewPublisher(cfg, clientID, false, s.log)
	m := newMetrics(reg)
	for _, r := range file.Receivers {
		if r.Alertmanager == nil && r.Webhook == nil {
			return nil, fmt.Errorf("bridge %q is neither an Alertmanager nor a webhook", r.Name)
		}
		c := &consumer{cfg: cfg, file: file, to: r, dead: s.dead, metrics: m, started: time.Now(), workers: map[int32]*worker{}, http: newClient(),
			log: s.log.With().Str("receiver", r.Name).Logger()}
		registerLag(reg, r.Name, c.lag)
		s.consumers = append(s.consumers, c)
	}
	return s, nil
}

// Run carries events until ctx ends; the error is then about what could not be closed. Without receivers it only waits.
func (s *Set) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.stack.Close()) }()
	s.stack.Push("dead letters", closeTimeout, func(context.Context) error { return s.dead.Close() })
	if len(s.consumers) == 0 {
		<-ctx.Done()
		return nil
	}
	client, err := s.connect(ctx)
	if err != nil {
		return nil //nolint:nilerr // connecting is given up only because ctx ended
	}
	s.stack.Push("Kafka client", closeTimeout, func(context.Context) error { return client.Close() })
	return s.consume(ctx, client)
}

func (s *Set) connect(ctx context.Context) (client *bus.Client, err error) {
	err = app.Retry(ctx, s.log, "Kafka", nil, func(context.Context) (err error) {
		client, err = bus.NewClient(s.cfg, clientID)
		return err
	})
	return client, err
}

// consume runs all receivers and leaves behind, named, those that outstay ctx by closeTimeout.
func (s *Set) consume(ctx context.Context, client *bus.Client) error {
	var wg sync.WaitGroup
	problems := make([]error, len(s.consumers))
	for i, c := range s.consumers {
		c.client = client
		wg.Go(func() {
			if err := c.run(ctx); err != nil {
				problems[i] = fmt.Errorf("bridge %s: %w", c.to.Name, err)
				c.log.Error().Err(err).Msg("the bridge stopped")
			}
		})
	}
	all := make(chan struct{})
	go func() { wg.Wait(); close(all) }()
	select {
	case <-all:
		return errors.Join(problems...)
	case <-ctx.Done():
	}
	select {
	case <-all:
		return errors.Join(problems...)
	case <-time.After(closeTimeout):
		return fmt.Errorf("leaving the consumer groups of bridges: not done after %s", closeTimeout)
	}
}
