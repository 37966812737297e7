// Package app wires the processor: MySQL, Kafka, the Watermill router, a worker a partition, health and metrics.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/services/processor/internal/enrich"
	"github.com/logmill/logmill/services/processor/internal/handle"
	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/obs"
)

const (
	clockEvery   = 5 * time.Second  // MySQL's clock is sampled as often; two machines drift by less than a ms meanwhile
	tryTimeout   = 10 * time.Second // one try to reach MySQL or Kafka at the start
	closeTimeout = 10 * time.Second // one step of the shutdown
	routerWait   = 20 * time.Second // longer than a worker's last commit
	clientID     = "processor"
)

// App is a wired processor.
type App struct {
	cfg       Config
	log       zerolog.Logger
	catalogue *catalogue.File
	server    *obs.Server
	db        *mysqlx.DB
	keeperDB  *mysqlx.DB // of the background work, see store.Keeper
	clock     *mysqlx.Clock
	health    *obs.Health
	registry  *prometheus.Registry
	metrics   *worker.Metrics
	lag       *lag
	keep      *keepMetrics
	stack     app.Stack
}

// New binds the listener and reads files; MySQL and Kafka may still be away.
func New(_ context.Context, cfg Config, log zerolog.Logger) (*App, error) {
	services, err := catalogue.Open(cfg.ServicesFile, func(err error) {
		log.Error().Err(err).Msg("the services file cannot be read again: what was read before stays in force")
	})
	if err != nil {
		return nil, err
	}
	db, err := mysqlx.Open(cfg.MySQL)
	if err != nil {
		return nil, err
	}
	keeperDB, err := mysqlx.Open(cfg.MySQL)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	reg, health := obs.NewRegistry(), &obs.Health{}
	server, err := obs.NewServer(cfg.HTTP, cfg.Port, health, reg, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for health and metrics: %w", err), db.Close(), keeperDB.Close())
	}
	a := &App{cfg: cfg, log: log, catalogue: services, server: server, db: db, keeperDB: keeperDB, clock: mysqlx.NewClock(), health: health,
		registry: reg, metrics: worker.NewMetrics(reg), lag: newLag(reg), keep: newKeepMetrics(reg)}
	a.health.Add("mysql", db.Ping)
	a.stack.Push("MySQL", closeTimeout, func(context.Context) error { return errors.Join(db.Close(), keeperDB.Close()) })
	return a, nil
}

// Addr is where health and metrics are served.
func (a *App) Addr() string { return a.server.Listener().Addr().String() }

// Run works until ctx ends and all partitions are given up, or until an error that waiting does not mend.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.stack.Close()) }()
	a.serve()
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	client, err := a.openKafka(ctx)
	if err != nil {
		return err
	}
	parts, err := a.partitions(ctx, st, client)
	if err != nil {
		return err
	}
	return a.route(ctx, parts, client)
}

// serve starts health and metrics; they answer before anything else is there.
func (a *App) serve() {
	a.server.Start()
	a.stack.Push("health and metrics", closeTimeout, a.server.Shutdown)
}

func (a *App) openStore(ctx context.Context) (*store.Store, error) {
	var st *store.Store
	final := func(err error) bool { return errors.Is(err, mysqlx.ErrSchema) }
	err := app.Retry(ctx, a.log, "MySQL", final, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		if err := mysqlx.CheckSchema(ctx, a.db.Text, migrations.Version()); err != nil {
			return err
		}
		st, err = store.New(ctx, a.db.Rows, a.db.Blob)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.stack.Push("statements", closeTimeout, func(context.Context) error { return st.Close() })
	return st, nil
}

func (a *App) openKafka(ctx context.Context) (*bus.Client, error) {
	var client *bus.Client
	final := func(err error) bool { return errors.Is(err, bus.ErrPartitions) }
	err := app.Retry(ctx, a.log, "Kafka", final, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		if client == nil {
			if client, err = bus.NewClient(a.cfg.Kafka, clientID); err != nil {
				return err
			}
		}
		return client.EnsureTopics(ctx, contract.Topics(a.cfg.Kafka.Partitions, a.cfg.Kafka.Embedded))
	})
	if client != nil {
		a.stack.Push("Kafka client", closeTimeout, func(context.Context) error { return client.Close() })
		a.health.Add("kafka", client.Ping)
	}
	return client, err
}

// partitions finds out which stream logs.raw is and prepares its workers.
func (a *App) partitions(ctx context.Context, st *store.Store, client *bus.Client) (*handle.Partitions, error) {
	stream, n, err := a.stream(ctx, st, client)
	if err != nil {
		return nil, err
	}
	blocks := bus.NewPublisher(a.cfg.Kafka, clientID+"-blocks", true, a.log)
	dead := bus.NewPublisher(a.cfg.Kafka, clientID+"-dead", false, a.log)
	a.stack.Push("publishers", closeTimeout, func(context.Context) error { return errors.Join(blocks.Close(), dead.Close()) })
	log := kafkaLog{client}
	owner := ownerName()
	wcfg := worker.Config{Owner: owner, Pipeline: pipeline.Config{Partitions: n, MaxLate: a.cfg.MaxLate,
		Enrich: enrich.Config{Env: a.cfg.Env}, Catalogue: a.catalogue.Get}}
	wdeps := worker.Deps{Progress: st, Blocks: st, Windows: st, Requests: st, Letters: st, Log: log, Enriched: blocks, Dead: dead, Decode: worker.DecodeBlock, Now: a.now(),
		Metrics: a.metrics, Logger: a.log}
	parts := handle.NewPartitions(stream, owner, handle.Deps{Acquirer: st, Log: log, Sample: a.sampleClock, Logger: a.log,
		Deleted: func(n int64) { a.lag.deleted.Add(float64(n)) },
		NewWorker: func(p store.Progress, mark func(int64)) (*worker.Worker, error) {
			return worker.New(wcfg, wdeps, p, mark)
		}})
	a.health.Add("partitions", parts.Check)
	a.health.Add("homes", parts.CheckHomes)
	return parts, nil
}

// stream finds out which stream logs.raw is, and its partition count; it waits for Kafka and MySQL, which may go away at any moment.
func (a *App) stream(ctx context.Context, st *store.Store, client *bus.Client) (id uint32, partitions int32, err error) {
	final := func(err error) bool { return errors.Is(err, store.ErrPartitions) }
	err = app.Retry(ctx, a.log, "the identity of logs.raw", final, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		cluster, topicID, n, err := client.Identity(ctx, contract.TopicRaw)
		if err != nil {
			return err
		}
		partitions = n
		id, err = st.Stream(ctx, cluster, a.cfg.Kafka.Topic(contract.TopicRaw), topicID, n)
		return err
	})
	return id, partitions, err
}

// route runs the Watermill router until ctx ends, with the watchers beside it.
func (a *App) route(ctx context.Context, parts *handle.Partitions, client *bus.Client) error {
	sub, err := bus.NewSubscriber(a.cfg.Kafka, contract.GroupProcessor, parts.Hook(), a.log)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: routerWait}, bus.Logger(a.log))
	if err != nil {
		return err
	}
	router.AddConsumerHandler("raw", contract.TopicRaw, sub, parts.Raw)
	keeping, err := newKeeping(store.NewKeeper(a.keeperDB), parts.States, a.now(), a.cfg.keep(), a.keep, a.log)
	if err != nil {
		return err
	}
	a.health.Add("blocks", keeping.CheckBlocks)
	var background sync.WaitGroup
	defer background.Wait()
	watch, stop := context.WithCancel(ctx)
	defer stop()
	go a.watch(watch, parts, client)
	background.Go(func() { keeping.run(watch) })
	a.health.SetReady(true)
	defer a.health.SetReady(false)
	a.log.Info().Str("addr", a.Addr()).Msg("processor ready")
	return router.Run(ctx)
}

func (a *App) sampleClock(ctx context.Context) error { return a.clock.Sample(ctx, a.db.Text) }

// ownerName is how people find the process that owns a partition.
func ownerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// kafkaLog is logs.raw as the workers see it.
type kafkaLog struct{ client *bus.Client }

func (l kafkaLog) Start(ctx context.Context, p int32) (int64, error) {
	return l.client.StartOffset(ctx, contract.TopicRaw, p)
}

func (l kafkaLog) End(ctx context.Context, p int32) (int64, error) {
	return l.client.EndOffset(ctx, contract.TopicRaw, p)
}

func (l kafkaLog) Vacant(ctx context.Context, p int32, from int64) (int64, error) {
	return l.client.Vacant(ctx, contract.TopicRaw, p, from)
}
