package input

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	wm "github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

const group = "logmill-input"

// Config is what users set.
type Config struct {
	From   config.Kafka // where the topics are; its prefix stands before the group's name only
	Home   config.Kafka // where logs.raw is
	Topics []Topic
}

// Deps is what code sets.
type Deps struct {
	Guard    func() error // an error while sending is not safe: a backlog that Kafka would delete
	Registry prometheus.Registerer
	Log      zerolog.Logger
}

// Input reads topics. Run it once.
type Input struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	cluster string // of From
	client  *bus.Client
}

// New makes an Input; it does not wait for a broker.
func New(cfg Config, deps Deps) *Input {
	return &Input{cfg: cfg, deps: deps, metrics: newMetrics(deps.Registry)}
}

// Run reads until ctx ends. It waits for brokers and topics that are not there yet; the error is about what could not be closed.
func (in *Input) Run(ctx context.Context) error {
	names := in.cfg.From
	names.TopicPrefix = ""
	if err := in.connect(ctx, names); err != nil {
		return nil //nolint:nilerr // connecting is given up only because ctx ended
	}
	var wg sync.WaitGroup
	problems := make([]error, len(in.cfg.Topics))
	for i, t := range in.cfg.Topics {
		wg.Go(func() {
			if err := in.follow(ctx, names, t); err != nil {
				problems[i] = fmt.Errorf("input topic %s: %w", t.Name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(append(problems, in.client.Close())...)
}

// connect learns the cluster's id from the first topic that is there.
func (in *Input) connect(ctx context.Context, names config.Kafka) error {
	return app.Retry(ctx, in.deps.Log, "the Kafka of KAFKA_INPUT_TOPICS", nil, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if in.client == nil {
			if in.client, err = bus.NewClient(names, "collector-input"); err != nil {
				return err
			}
		}
		in.cluster, _, _, err = in.client.Identity(ctx, in.cfg.Topics[0].Name)
		return err
	})
}

// follow is one topic's member of the group.
func (in *Input) follow(ctx context.Context, names config.Kafka, t Topic) error {
	f := &follower{in: in, topic: t, ctx: ctx, log: in.deps.Log.With().Str("topic", t.Name).Logger(), workers: map[int32]*worker{}}
	sub, err := bus.NewSubscriber(names, in.cfg.From.Group(group), bus.Hook{Load: f.load, Assigned: f.assigned, Revoked: f.revoked, Lost: f.lost}, f.log)
	if err != nil {
		return err
	}
	messages, err := sub.Subscribe(ctx, t.Name)
	var offers sync.WaitGroup
	if err == nil {
		for msg := range messages {
			offers.Go(func() { f.take(msg) }) // at most one a partition: the next one waits until this is taken
		}
	}
	closed := sub.Close()
	offers.Wait()
	f.dropAll()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return closed
}

// follower is the partitions of a topic that are ours.
type follower struct {
	in    *Input
	topic Topic
	ctx   context.Context //nolint:containedctx // of Run, for the workers: sarama calls us without one
	log   zerolog.Logger

	mu      sync.Mutex
	workers map[int32]*worker
}

func (f *follower) key(p int32) string {
	return fmt.Sprintf("input/%s/%s/%d", f.in.cluster, f.topic.Name, p)
}

// load takes the partitions' writers and reads their positions, side by side: the group may move again while it takes. What is gone already
// is passed over, and said.
func (f *follower) load(ctx context.Context, _ string, parts []int32) (map[int32]int64, error) {
	f.dropAll() // also what was loaded and never assigned
	first, err := f.in.client.StartOffsets(ctx, f.topic.Name)
	if err != nil {
		return nil, err
	}
	workers := make([]*worker, len(parts))
	problems := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		workers[i] = f.newWorker(p)
		wg.Go(func() { problems[i] = workers[i].reopen(ctx) })
	}
	wg.Wait()
	out := map[int32]int64{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, p := range parts {
		f.workers[p] = workers[i]
		out[p] = workers[i].skipTo(first[p])
	}
	return out, errors.Join(problems...)
}

func (f *follower) newWorker(p int32) *worker {
	key := f.key(p)
	log := f.log.With().Int32("partition", p).Logger()
	return &worker{
		topic: f.topic, partition: p, key: key, next: -1, guard: f.in.deps.Guard, metrics: f.in.metrics, log: log,
		open: func(ctx context.Context) (sink, error) {
			w, err := exact.Open(ctx, f.in.cfg.Home, "logmill-"+key, log)
			if err != nil {
				return nil, err
			}
			return w, nil
		},
		in: make(chan message, queued), done: make(chan struct{}), stop: func() {},
	}
}

func (f *follower) assigned(c *bus.Claim) {
	f.mu.Lock()
	w := f.workers[c.Partition]
	f.mu.Unlock()
	if w == nil {
		return
	}
	ctx, cancel := context.WithCancel(f.ctx)
	w.stop, w.mark, w.started = cancel, c.MarkStored, true
	go w.run(ctx)
	go func() {
		select {
		case <-c.Done(): // the session waits for its handlers, so they must let go now
			cancel()
		case <-ctx.Done():
		}
	}()
}

func (f *follower) revoked(c *bus.Claim) { f.drop(c.Partition) }

// drop ends a worker, also one that was loaded and never assigned.
func (f *follower) drop(p int32) {
	f.mu.Lock()
	w := f.workers[p]
	delete(f.workers, p)
	f.mu.Unlock()
	switch {
	case w == nil:
	case w.started:
		w.stop()
		<-w.done
	default:
		w.close()
	}
}

func (f *follower) dropAll() {
	f.mu.Lock()
	parts := slices.Collect(maps.Keys(f.workers))
	f.mu.Unlock()
	for _, p := range parts {
		f.drop(p)
	}
}

// lost: the position lies beyond the topic's end, so this is another topic under the same name. Nobody but a person can say what is right.
func (f *follower) lost(_ string, p int32, want int64) {
	f.log.Error().Int32("partition", p).Int64("offset", want).Msg("the topic ends before the stored position: it was deleted and made again; delete the position or rename the topic")
	f.drop(p)
}

func (f *follower) take(msg *wm.Message) {
	defer msg.Ack() // the hook keeps acknowledgements from the group: only mark moves its offset
	info := bus.InfoOf(msg)
	f.mu.Lock()
	w := f.workers[info.Partition]
	f.mu.Unlock()
	if w == nil {
		return
	}
	m := message{offset: info.Offset, key: info.Key, value: msg.Payload, contentType: msg.Metadata.Get(contract.HeaderContentType)}
	if info.Time.Unix() > 0 {
		m.time = info.Time.UnixNano()
	}
	select {
	case w.in <- m:
	case <-w.done:
	case <-msg.Context().Done():
	}
}
