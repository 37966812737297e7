// Package app wires the api.
package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/services/api/internal/backtest"
	"github.com/logmill/logmill/services/api/internal/httpapi"
	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/status"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/services/api/internal/tail"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/services/api/web"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/obs"
)

// Config is what users set.
type Config struct {
	MySQL config.MySQL
	Kafka config.Kafka
	Log   config.Log
	HTTP  config.HTTP

	Port         int           `env:"API_PORT" envDefault:"8080" help:"port of the REST API and the web UI"`
	ServicesFile string        `env:"LOGMILL_SERVICES_FILE" help:"YAML file of the services, shown with them"`
	MaxRows      int64         `env:"API_QUERY_MAX_ROWS" envDefault:"20000000" help:"rows that one search reads at most before it answers in part"`
	MaxBytes     int64         `env:"API_QUERY_MAX_BYTES" envDefault:"2000000000" help:"bytes of blocks that one search reads at most before it answers in part"`
	MaxTime      time.Duration `env:"API_QUERY_TIMEOUT" envDefault:"20s" help:"how long one search reads at most before it answers in part"`
	MemoryMB     int64         `env:"API_MEMORY_MB" envDefault:"1024" help:"MiB for what is known of blocks (a quarter: 100 to 200 million lines), for windows (an eighth: some 10 hours of 200 busy services, by the minute) and for what was read"`

	CallerQueries int           `env:"API_CALLER_QUERIES" envDefault:"32" help:"searches that one caller (a token, else an address) may have in work; 0 = any number"`
	CallerBudget  float64       `env:"API_CALLER_BUDGET" envDefault:"300" help:"how many searches' worth of rows, bytes or time one caller may read in a minute; 0 = any number"`
	SlowQuery     time.Duration `env:"API_SLOW_QUERY" envDefault:"2s" help:"searches that take longer are logged; 0 = none"`

	PipelineTargets string        `env:"PIPELINE_TARGETS" help:"processes that /api/pipeline asks how they are: service=http://host:port, several with commas; empty: only what Kafka and MySQL tell is known"`
	PipelineToken   config.Secret `env:"PIPELINE_TOKEN" help:"token with the scope read, for their /metrics, where they ask for one"`

	AlertRetention   time.Duration `env:"ALERT_RETENTION" envDefault:"2160h" help:"how long resolved alerts are kept, and what people did to them; 0 = for ever"`
	AuditRetention   time.Duration `env:"AUDIT_RETENTION" envDefault:"8760h" help:"how long /api/audit tells who changed what; 0 = for ever"`
	VersionRetention time.Duration `env:"RULE_VERSION_RETENTION" envDefault:"8760h" help:"how long versions of rules are kept that no evaluator can need; 0 = for ever"`
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var problems []error
	if c.MaxRows < 1 || c.MaxBytes < 1 {
		problems = append(problems, errors.New("API_QUERY_MAX_ROWS and API_QUERY_MAX_BYTES must be above zero"))
	}
	if c.CallerQueries < 0 || !(c.CallerBudget >= 0) || c.SlowQuery < 0 {
		problems = append(problems, errors.New("API_CALLER_QUERIES, API_CALLER_BUDGET and API_SLOW_QUERY must not be below zero"))
	}
	if c.MemoryMB < minMemoryMB {
		problems = append(problems, fmt.Errorf("API_MEMORY_MB must be at least %d", minMemoryMB))
	}
	if _, err := status.ParseTargets(c.PipelineTargets); err != nil {
		problems = append(problems, fmt.Errorf("PIPELINE_TARGETS: %w", err))
	}
	return errors.Join(append(problems, config.Port("API_PORT", c.Port), config.Positive("API_QUERY_TIMEOUT", c.MaxTime),
		config.Retention("ALERT_RETENTION", c.AlertRetention), config.Retention("RULE_VERSION_RETENTION", c.VersionRetention), config.Retention("AUDIT_RETENTION", c.AuditRetention))...)
}

const (
	closeTimeout = 8 * time.Second
	tryTimeout   = 10 * time.Second
	clockEvery   = 5 * time.Second
	minMemoryMB  = 64
	indexShare   = 4 // of the memory, one part in so many is the index's
	windowShare  = 8 // one in so many that of windows, and one that of hours
)

// App is a wired api.
type App struct {
	cfg      Config
	log      zerolog.Logger
	db       *mysqlx.DB
	clock    *mysqlx.Clock
	kafka    kafka
	watch    *status.Watch
	line     *status.Line
	index    *index.Index
	engine   *search.Engine
	tail     *tail.Hub
	windows  *windows.Resident
	hours    *windows.Resident
	tests    *backtest.Runner
	health   *obs.Health
	listener net.Listener
	server   *http.Server
	stack    app.Stack
}

// New binds the listener. MySQL and Kafka may still be away: the api answers 503 until MySQL is there.
func New(ctx context.Context, cfg Config, log zerolog.Logger) (*App, error) {
	db, err := mysqlx.Open(cfg.MySQL)
	if err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: log, db: db, clock: mysqlx.NewClock(), kafka: kafka{cfg: cfg.Kafka}, health: &obs.Health{}}
	a.stack.Push("MySQL", closeTimeout, func(context.Context) error { return db.Close() })
	a.stack.Push("Kafka", closeTimeout, func(context.Context) error { return a.kafka.close() })
	if a.listener, err = obs.Listen(cfg.HTTP, cfg.Port); err != nil {
		return nil, errors.Join(fmt.Errorf("listening (API_PORT): %w", err), a.stack.Close())
	}
	st := store.New(db)
	a.watch = status.New(status.Deps{
		Kafka: a.kafka.get, Store: st, Topic: cfg.Kafka.Topic(contract.TopicRaw), MySQL: db.Ping, Want: migrations.Version(),
		Schema: func(ctx context.Context) error { return mysqlx.CheckSchema(ctx, db.Text, migrations.Version()) },
		Now:    func() time.Time { return time.Unix(0, a.clock.Now()) },
	})
	a.health.Add("mysql", db.Ping)
	memory := cfg.MemoryMB << 20
	a.index = index.New(st, memory/indexShare)
	a.windows = windows.New(st, memory/windowShare, time.Now)
	a.hours = windows.NewHours(store.Hours{Store: st}, memory/windowShare, time.Now)
	budget := search.Budget{Rows: cfg.MaxRows, Bytes: cfg.MaxBytes, Time: cfg.MaxTime}
	engine := search.New(a.index, st, search.Config{Budget: budget, Cache: memory - memory/indexShare - 2*(memory/windowShare), Windows: minutes(a.windows)}, time.Now)
	a.engine = engine
	reg := obs.NewRegistry()
	a.tail = newTail(cfg.Kafka, reg)
	gauges(reg, a.index, engine, a.windows)
	a.tests = backtest.NewRunner(st, time.Now, func(err error) { log.Error().Err(err).Msg("a backtest failed") })
	for _, state := range []string{backtest.Queued, backtest.Running} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "logmill_api_backtests", Help: "backtests by state", ConstLabels: prometheus.Labels{"state": state}},
			func() float64 { return float64(a.tests.Running()[state]) }))
	}
	if err := a.pipeline(st, reg); err != nil {
		return nil, errors.Join(err, a.listener.Close(), a.stack.Close())
	}
	gate, err := auth.NewGate(cfg.HTTP, log)
	if err != nil {
		return nil, errors.Join(err, a.listener.Close(), a.stack.Close())
	}
	services, err := catalogue.Open(cfg.ServicesFile, func(err error) {
		log.Error().Err(err).Msg("the services file cannot be read again: what was read before stays in force")
	})
	if err != nil {
		return nil, errors.Join(err, a.listener.Close(), a.stack.Close())
	}
	pages, err := web.New()
	if err != nil {
		return nil, errors.Join(err, a.listener.Close(), a.stack.Close())
	}
	a.server = httpapi.New(httpapi.Deps{Gate: gate, Catalogue: services.Get, Search: engine, Budgets: budgets(cfg, budget), Tail: a.tail, Storage: engine, Keeping: st, Windows: st, Resident: a.windows, Hours: store.Hours{Store: st}, HoursSet: a.hours, Rules: st, Alerts: st, Silences: st, Audit: st, DeadLetters: a.deadLetters(st), Backtests: a.tests, Status: a.watch, Line: a.line, Web: pages, Health: a.health, Registry: reg, Log: log, Now: time.Now})
	return a, nil
}

// Addr is where the api listens.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Run serves until ctx ends. Another schema version than its own is an error.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.stack.Close()) }()
	running, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(a.listener) }()
	a.stack.Push("HTTP", closeTimeout, a.server.Shutdown)
	a.stack.Push("tail", closeTimeout, a.tail.Close)                                                     // before HTTP: its requests never end by themselves
	a.stack.Push("backtests", closeTimeout, func(context.Context) error { a.tests.Close(); return nil }) // before HTTP: requests wait for them
	if err := a.schema(ctx); err != nil {
		return err
	}
	wg.Go(func() { a.watch.Run(running) })
	wg.Go(func() { a.line.Run(running) })
	wg.Go(func() { a.index.Run(running) })
	wg.Go(func() { a.windows.Run(running) })
	wg.Go(func() { a.hours.Run(running) })
	wg.Go(func() { a.engine.Warm(running) })
	wg.Go(func() { a.sample(running) })
	wg.Go(func() { a.prune(running, store.New(a.db)) })
	a.health.SetReady(true)
	a.log.Info().Str("addr", a.Addr()).Msg("api listens")
	select {
	case <-ctx.Done():
		a.health.SetReady(false)
		return nil
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	}
}

// schema waits for MySQL and for the schema that this build needs.
func (a *App) schema(ctx context.Context) error {
	final := func(err error) bool { return errors.Is(err, mysqlx.ErrSchema) }
	return app.Retry(ctx, a.log, "MySQL", final, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		return mysqlx.CheckSchema(ctx, a.db.Text, migrations.Version())
	})
}

// sample keeps MySQL's clock.
func (a *App) sample(ctx context.Context) {
	t := time.NewTicker(clockEvery)
	defer t.Stop()
	for {
		if err := a.clock.Sample(ctx, a.db.Text); err != nil && ctx.Err() == nil {
			a.log.Debug().Err(err).Msg("sampling MySQL's clock")
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// kafka is a client that connects when it is first needed, and again after a failure to.
type kafka struct {
	cfg    config.Kafka
	mu     sync.Mutex
	client *bus.Client
}

func (k *kafka) get(context.Context) (status.Kafka, error) { return k.connect() }

func (k *kafka) connect() (*bus.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		c, err := bus.NewClient(k.cfg, "api")
		if err != nil {
			return nil, err
		}
		k.client = c
	}
	return k.client, nil
}

func (k *kafka) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		return nil
	}
	return k.client.Close()
}
