// Package app wires the alert-evaluator.
package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/migrations"
	"github.com/logmill/logmill/services/alert-evaluator/internal/bridge"
	"github.com/logmill/logmill/services/alert-evaluator/internal/relay"
	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/obs"
)

const (
	clientID     = "alert-evaluator"
	tryTimeout   = 10 * time.Second
	closeTimeout = 8 * time.Second
	commitEvery  = 250 * time.Millisecond // a tick: what nobody else has committed meanwhile
	globalEvery  = 250 * time.Millisecond
	takeTimeout  = 2 * time.Minute // to go through all cells since the last snapshot again, on a machine that is busy
	renewEvery   = time.Second     // a third of the shard's lease
	lagEvery     = 5 * time.Second
)

// App is a wired alert-evaluator.
type App struct {
	cfg      Config
	log      zerolog.Logger
	db       *mysqlx.DB
	health   *obs.Health
	registry *prometheus.Registry
	metrics  *metrics
	bridges  bridge.File
	server   *obs.Server
	stack    app.Stack
}

// New binds the listener; MySQL and Kafka may still be away.
func New(_ context.Context, cfg Config, log zerolog.Logger) (*App, error) {
	bridges, err := bridge.Load(cfg.BridgesFile)
	if err != nil {
		return nil, fmt.Errorf("ALERT_BRIDGES_FILE: %w", err)
	}
	db, err := mysqlx.Open(cfg.MySQL)
	if err != nil {
		return nil, err
	}
	reg, health := obs.NewRegistry(), &obs.Health{}
	server, err := obs.NewServer(cfg.HTTP, cfg.Port, health, reg, log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening (ALERT_EVALUATOR_PORT): %w", err), db.Close())
	}
	a := &App{cfg: cfg, log: log, db: db, health: health, registry: reg, metrics: newMetrics(reg), bridges: bridges, server: server}
	a.health.Add("mysql", db.Ping)
	a.stack.Push("MySQL", closeTimeout, func(context.Context) error { return db.Close() })
	return a, nil
}

// Addr is where health and metrics are served.
func (a *App) Addr() string { return a.server.Listener().Addr().String() }

// Run follows logs.enriched until ctx ends, or until an error that waiting does not mend.
func (a *App) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.stack.Close()) }()
	a.serve()
	client, err := a.openKafka(ctx)
	if err != nil {
		return err
	}
	defer a.startBridges(ctx, client)() // they need no MySQL: what fires is posted again while it is away, or everybody would be told that it is over
	ps, err := a.open(ctx, client)
	if err != nil {
		return err
	}
	return a.route(ctx, ps, client)
}

// startBridges carries alert events to people until stop is called, which waits for the end.
func (a *App) startBridges(ctx context.Context, client *bus.Client) (stop func()) {
	if len(a.bridges.Receivers) == 0 {
		return func() {}
	}
	set := bridge.New(a.cfg.Kafka, a.bridges, bridge.Deps{Client: client, Log: a.log, Registry: a.registry})
	a.health.Add("bridges", set.Check)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := set.Run(ctx); err != nil {
			a.log.Warn().Err(err).Msg("stopping the bridges")
		}
	})
	return func() { cancel(); wg.Wait() }
}

// serve starts health and metrics; they answer before anything else is there.
func (a *App) serve() {
	a.server.Start()
	a.stack.Push("health and metrics", closeTimeout, a.server.Shutdown)
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

// open waits for the schema and for the processor to have begun the stream.
func (a *App) open(ctx context.Context, client *bus.Client) (*partitions, error) {
	st := store.New(a.db)
	ps := &partitions{store: st, metrics: a.metrics, log: a.log, owner: ownerName(), all: map[int32]*partition{}, lost: map[int32]int64{}, topic: a.cfg.Kafka.Topic(contract.TopicRaw),
		recoverLost: a.cfg.RecoverLost,
		bounds: func(ctx context.Context, p int32) (start, end int64, err error) {
			if start, err = client.StartOffset(ctx, contract.TopicEnriched, p); err != nil {
				return 0, 0, err
			}
			end, err = client.EndOffset(ctx, contract.TopicEnriched, p)
			return start, end, err
		},
		reread: func(ctx context.Context, p int32, from, to int64, f func(bus.Record) error) error {
			return client.Read(ctx, contract.TopicEnriched, p, from, to, f)
		}}
	final := func(err error) bool { return errors.Is(err, mysqlx.ErrSchema) }
	err := app.Retry(ctx, a.log, "MySQL and the processor's first start", final, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, tryTimeout)
		defer cancel()
		if err := mysqlx.CheckSchema(ctx, a.db.Text, migrations.Version()); err != nil {
			return err
		}
		cluster, topicID, n, err := client.Identity(ctx, contract.TopicRaw)
		if err != nil {
			return err
		}
		ps.parts = n
		ps.stream, err = st.Stream(ctx, cluster, a.cfg.Kafka.Topic(contract.TopicRaw), topicID)
		return err
	})
	a.health.Add("partitions", ps.Check)
	return ps, err
}

func (a *App) route(ctx context.Context, ps *partitions, client *bus.Client) error {
	sub, err := bus.NewSubscriber(a.cfg.Kafka, contract.GroupEvaluator, ps.hook(), a.log)
	if err != nil {
		return err
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout}, bus.Logger(a.log))
	if err != nil {
		return err
	}
	router.AddConsumerHandler("enriched", contract.TopicEnriched, sub, ps.handle)
	rel, shard, watch := a.alerts(ps)
	ps.wake = rel.Wake
	beside, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { every(beside, commitEvery, ps.commitAll) })
	wg.Go(func() { every(beside, globalEvery, shard.round) })
	wg.Go(func() { every(beside, standTurn, ps.standAll) })
	wg.Go(func() { every(beside, watch.pace(), watch.round) })
	wg.Go(func() { every(beside, pruneEvery, (&pruner{watch, a.cfg.EventRetention, a.cfg.Retention}).round) })
	wg.Go(func() { rel.Run(beside) })
	wg.Go(func() { every(beside, lagEvery, func(ctx context.Context) { a.measureLag(ctx, ps, client) }) })
	a.health.SetReady(true)
	defer a.health.SetReady(false)
	a.log.Info().Str("addr", a.Addr()).Msg("alert-evaluator ready")
	return router.Run(ctx)
}

// alerts makes the relay, the shard of global rules and the watch over blind ones.
func (a *App) alerts(ps *partitions) (*relay.Relay, *global, *watcher) {
	shard, watch := &global{ps: ps}, newWatcher(ps, a.cfg.BlindAfter)
	a.health.Add("rules", watch.Check)
	rel := relay.New(relay.Deps{
		Outbox: ps.store, Stream: ps.stream, MaxAge: a.cfg.MaxAge, Now: time.Now, Log: a.log,
		Open: func(ctx context.Context, id string) (relay.Sender, error) {
			return bus.NewTransactional(ctx, a.cfg.Kafka, clientID, id)
		},
		Owned: func() []string { return slices.Concat(ps.owned(), shard.owned(), watch.owned()) },
	}, a.registry)
	return rel, shard, watch
}

func every(ctx context.Context, d time.Duration, f func(context.Context)) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			f(ctx)
		}
	}
}

// measureLag tells how far reading is behind what is published.
func (a *App) measureLag(ctx context.Context, ps *partitions, client *bus.Client) {
	ctx, cancel := context.WithTimeout(ctx, lagEvery)
	defer cancel()
	end, err := client.EndOffsets(ctx, contract.TopicEnriched)
	if err != nil {
		a.log.Debug().Err(err).Msg("measuring the lag")
		return
	}
	for n, e := range end {
		if p := ps.get(n); p != nil {
			p.mu.Lock()
			a.metrics.lag.WithLabelValues(label(n)).Set(float64(max(0, e-p.at.NextOffset)))
			p.mu.Unlock()
		}
	}
}

// ownerName is how people find the process that owns a partition.
func ownerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d/%04x", host, os.Getpid(), rand.IntN(1<<16)) // in containers every process is number 1
}
