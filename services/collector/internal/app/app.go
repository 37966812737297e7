// Package app wires the collector.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/body"
	"github.com/logmill/logmill/services/collector/internal/httpapi"
	"github.com/logmill/logmill/services/collector/internal/input"
	"github.com/logmill/logmill/services/collector/internal/lag"
	"github.com/logmill/logmill/services/collector/internal/produce"
	"github.com/logmill/logmill/services/collector/internal/quota"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/obs"
)

// Config is what users set.
type Config struct {
	Kafka config.Kafka
	Log   config.Log
	HTTP  config.HTTP

	Port            int           `env:"COLLECTOR_PORT" envDefault:"4318" help:"port of POST /api/logs and POST /v1/logs"`
	MemoryMB        int           `env:"COLLECTOR_MEMORY_MB" envDefault:"96" help:"MiB of data received and not yet acknowledged by Kafka; more is answered with 429"`
	MaxBodyMB       int           `env:"COLLECTOR_MAX_BODY_MB" envDefault:"16" help:"MiB of one body, decompressed"`
	Linger          time.Duration `env:"COLLECTOR_LINGER" envDefault:"50ms" help:"how long a batch waits for more lines"`
	DeliveryTimeout time.Duration `env:"COLLECTOR_DELIVERY_TIMEOUT" envDefault:"10s" help:"how long a request waits for Kafka before 503"`
	RawCapMB        int           `env:"RAW_CAP_MB" envDefault:"0" help:"MiB of logs.raw not yet stored at which the collector answers 429; 0 = Kafka's retention decides"`
	ServicesFile    string        `env:"LOGMILL_SERVICES_FILE" help:"YAML file of the services: here, how much each may send"`
	InputTopics     []string      `env:"KAFKA_INPUT_TOPICS" help:"topics that applications already have, as name[:service[:format]], comma-separated; format is auto, json, otlp or text"`
	InputBrokers    []string      `env:"KAFKA_INPUT_BROKERS" help:"the Kafka that they are on, when it is not KAFKA_BROKERS"`
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var problems []error
	if _, err := input.ParseTopics(c.InputTopics); err != nil {
		problems = append(problems, err)
	}
	if c.MaxBodyMB < 1 || c.MemoryMB < 2*c.MaxBodyMB+8 {
		problems = append(problems, fmt.Errorf("COLLECTOR_MEMORY_MB=%d must hold a body twice and 8 MiB more, COLLECTOR_MAX_BODY_MB=%d", c.MemoryMB, c.MaxBodyMB))
	}
	return errors.Join(append(problems, config.Port("COLLECTOR_PORT", c.Port), config.Positive("COLLECTOR_LINGER", c.Linger),
		config.Positive("COLLECTOR_DELIVERY_TIMEOUT", c.DeliveryTimeout))...)
}

const stopTimeout = 8 * time.Second

// App is a wired collector.
type App struct {
	cfg      Config
	log      zerolog.Logger
	listener net.Listener
	server   *http.Server
	health   *obs.Health
	guard    *lag.Guard
	input    *input.Input // nil: there are no topics to read
	stack    app.Stack
}

// New waits for Kafka, makes the topics, and binds the listener.
func New(ctx context.Context, cfg Config, log zerolog.Logger) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, health: &obs.Health{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.stack.Close())
		}
	}()
	client, err := a.kafka(ctx)
	if err != nil {
		return nil, err
	}
	reg := obs.NewRegistry()
	pm := produce.NewMetrics(reg)
	p, err := produce.New(produce.Config{Kafka: cfg.Kafka, Linger: cfg.Linger, Deadline: cfg.DeliveryTimeout, MemoryMB: cfg.MemoryMB}, cfg.Kafka.Partitions, log, pm)
	if err != nil {
		return nil, err
	}
	a.stack.Push("producer", stopTimeout, p.Close)
	a.guard = lag.New(client, int64(cfg.RawCapMB)<<20, pm.MeanBytes, reg, log)
	a.health.Add("kafka", client.Ping)
	a.health.Add("backlog", a.guard.Health)
	gate, err := auth.NewGate(cfg.HTTP, log)
	if err != nil {
		return nil, err
	}
	services, err := catalogue.Open(cfg.ServicesFile, func(err error) {
		log.Error().Err(err).Msg("the services file cannot be read again: what was read before stays in force")
	})
	if err != nil {
		return nil, err
	}
	a.server = httpapi.New(httpapi.Deps{Gate: gate, Quotas: quota.New(services.Get, time.Now, reg), Sender: p, Guard: a.guard, Budget: body.NewBudget(int64(cfg.MemoryMB) << 20), MaxBody: int64(cfg.MaxBodyMB) << 20,
		Health: a.health, Registry: reg, Log: log, Now: time.Now})
	if err := a.inputs(reg); err != nil {
		return nil, err
	}
	if a.listener, err = obs.Listen(cfg.HTTP, cfg.Port); err != nil {
		return nil, fmt.Errorf("listening (COLLECTOR_PORT): %w", err)
	}
	return a, nil
}

// inputs makes the reader of topics that are not ours.
func (a *App) inputs(reg *prometheus.Registry) error {
	topics, err := input.ParseTopics(a.cfg.InputTopics)
	if err != nil || len(topics) == 0 {
		return err
	}
	from := a.cfg.Kafka
	if len(a.cfg.InputBrokers) > 0 {
		from.Brokers = a.cfg.InputBrokers
	}
	a.input = input.New(input.Config{From: from, Home: a.cfg.Kafka, Topics: topics}, input.Deps{Guard: a.guard.Check, Registry: reg, Log: a.log})
	return nil
}

// kafka waits for a broker and makes the topics.
func (a *App) kafka(ctx context.Context) (*bus.Client, error) {
	var client *bus.Client
	err := app.Retry(ctx, a.log, "Kafka", nil, func(context.Context) (err error) {
		client, err = bus.NewClient(a.cfg.Kafka, "collector")
		return err
	})
	if err != nil {
		return nil, err
	}
	a.stack.Push("Kafka client", stopTimeout, func(context.Context) error { return client.Close() })
	wrong := func(err error) bool { return errors.Is(err, bus.ErrPartitions) }
	err = app.Retry(ctx, a.log, "Kafka's topics", wrong, func(ctx context.Context) error {
		return client.EnsureTopics(ctx, contract.Topics(a.cfg.Kafka.Partitions, a.cfg.Kafka.Embedded))
	})
	if err != nil {
		return nil, err
	}
	if warning, err := client.CheckDurability(ctx, contract.TopicRaw); err == nil && warning != "" {
		a.log.Warn().Msg(warning)
	}
	return client, nil
}

// Addr is where the collector listens.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Run serves until ctx ends, then answers what has begun, sends what waits, and closes.
func (a *App) Run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.guard.Run(running)
	}()
	read := make(chan error, 1)
	go func() { read <- a.readInputs(running) }()
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(a.listener) }()
	a.health.SetReady(true)
	a.log.Info().Str("addr", a.Addr()).Msg("collector listens")
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serving: %w", err)
	}
	a.health.SetReady(false)
	a.stack.Push("HTTP", stopTimeout, a.server.Shutdown)
	cancel()
	<-done
	return errors.Join(err, <-read, a.stack.Close())
}

func (a *App) readInputs(ctx context.Context) error {
	if a.input == nil {
		return nil
	}
	err := a.input.Run(ctx)
	if err != nil && ctx.Err() == nil {
		a.log.Error().Err(err).Msg("reading KAFKA_INPUT_TOPICS ended")
	}
	return err
}
