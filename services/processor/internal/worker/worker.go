// Package worker runs a partition: one loop takes what waits, stores it as one block, publishes the block, keeps the watermark moving
// and the windows written. Everything about exactly-once happens here and in the store's transactions:
//
//   - positions come from MySQL; what lies below next_offset is skipped;
//   - a batch that was written to the log twice, or a request that its client repeated, is dropped the second time, by memories that are
//     stored with the position; so is a dead letter that was replayed before;
//   - a block is committed first and published second, and nothing new is committed before the publish is acknowledged;
//   - after a commit that failed, or whose fate is unknown, the partition is acquired again under a new epoch and read back;
//     messages in hand stay in hand until their offsets are known to be stored;
//   - whoever acquires a partition publishes its last block again before anything new.
package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// Progress is where a partition stands, in MySQL.
type Progress interface {
	Acquire(ctx context.Context, stream uint32, partition int32, owner string) (store.Progress, error)
	Commit(ctx context.Context, p store.Progress, c store.Commit) (store.Progress, error)
}

// Blocks reads stored blocks back.
type Blocks interface {
	LastBlock(ctx context.Context, p store.Progress) (b store.Block, ok bool, err error)
	BlockFrom(ctx context.Context, p store.Progress, offset int64) (b store.Block, ok bool, err error)
}

// Windows reads and writes windows. damaged counts values that could not be read and are left out.
type Windows interface {
	Windows(ctx context.Context, p store.Progress, starts window.Starts) (found window.Changes, damaged int, err error)
	SaveWindows(ctx context.Context, p store.Progress, through int64, c window.Changes) (store.Progress, error)
	DropWindowChanges(ctx context.Context, p store.Progress, limit int) (int64, error)
}

// Log is the broker's view of a partition of logs.raw. End is the offset that the next record will get. Vacant is how far, from an offset
// on, the broker shows that no record will ever be delivered; the offset itself when it does not show that.
type Log interface {
	End(ctx context.Context, partition int32) (int64, error)
	Vacant(ctx context.Context, partition int32, from int64) (next int64, err error)
}

// Publisher publishes to an explicit partition, or by key when partition is -1, and returns when all in-sync replicas have it.
type Publisher interface {
	Publish(ctx context.Context, topic string, partition int32, key, value []byte, headers []contract.Header) error
}

// Deps of a Worker.
type Deps struct {
	Progress Progress
	Blocks   Blocks
	Windows  Windows
	Requests Requests
	Letters  Letters
	Log      Log
	Enriched Publisher                                  // of blocks and heartbeats
	Dead     Publisher                                  // of dead letters
	Decode   func(data []byte) ([]logrec.Record, error) // of a stored block; DecodeBlock
	Now      func() int64                               // MySQL's clock, ns
	Metrics  *Metrics
	Logger   zerolog.Logger
}

// Config of a Worker.
type Config struct {
	Owner    string // who we are, for people
	Pipeline pipeline.Config
}

// Worker owns a partition from its assignment to its revocation.
type Worker struct {
	cfg   Config
	deps  Deps
	log   zerolog.Logger
	queue *Queue
	pipe  *pipeline.Pipeline

	progress store.Progress
	fresh    bool // progress was just acquired: the first reload need not do it again
	ready    bool // progress and windows are what MySQL has, and the last block is published
	held     []pipeline.Message
	once     once
	single   int // so many messages are stored one by one, because together they made no block
	set      *window.Set

	mark     func(next int64) // tells the consumer group
	moved    time.Time        // when the watermark last moved
	busy     time.Time        // when a block was last stored
	written  time.Time        // when windows were last written
	pace     time.Duration    // until they are written again
	forgot   time.Time        // when old requests were last forgotten
	stuck    time.Time        // since when the log's end lies beyond us with nothing arriving
	astray   time.Time        // when misplaced lines were last stored
	warned   time.Time        // and last warned of
	observed int64            // newest receipt stored, ns

	state     atomic.Pointer[State]
	trimmable atomic.Int64
}

// State is a worker's condition for health and metrics.
type State struct {
	Stream     uint32
	Partition  int32
	Epoch      int64
	NextOffset int64
	Through    int64     // windows in MySQL hold all below
	Backlog    bool      // more waits than a block holds
	Ready      bool      // memory is what MySQL has, and the newest block is on logs.enriched
	Watermark  int64     // ns
	Observed   int64     // newest receipt stored, ns; 0 = none yet
	Misplaced  time.Time // when lines of services that are at home elsewhere were last stored; zero = never
	Err        string
	Lost       bool // the broker has lost what MySQL says was there; nothing goes on until a person decides
	Since      time.Time
}

// errLost stops a partition whose log ends before what is stored.
var errLost = errors.New("the broker's log ends before what is stored: it lost data, or is another log under the same name")

// New makes the worker of a partition that stands at p, freshly acquired. mark is told each stored position.
func New(cfg Config, deps Deps, p store.Progress, mark func(next int64)) (*Worker, error) {
	cfg.Pipeline.Partition = p.Partition
	pipe, err := pipeline.New(cfg.Pipeline)
	if err != nil {
		return nil, err
	}
	w := &Worker{
		cfg: cfg, deps: deps, queue: NewQueue(), pipe: pipe, progress: p, fresh: true, set: window.NewSet(p.HoursFrom), mark: mark,
		log: deps.Logger.With().Str("topic", contract.TopicRaw).Int32("partition", p.Partition).Logger(),
	}
	w.trimmable.Store(-1)
	w.report(nil)
	return w, nil
}

// Put queues a message; it waits while the queue is full.
func (w *Worker) Put(ctx context.Context, m pipeline.Message) error { return w.queue.Put(ctx, m) }

// State of the worker now.
func (w *Worker) State() State { return *w.state.Load() }

// Trimmable is the offset below which logs.raw may be deleted: all below is stored and published, and the last message stays. -1 = none.
func (w *Worker) Trimmable() int64 { return w.trimmable.Load() }

// Run works until ctx ends. Errors do not end it: it waits and goes on where MySQL says it stands.
func (w *Worker) Run(ctx context.Context) {
	defer w.queue.Close()
	defer w.deps.Metrics.forget(w.progress.Partition)
	w.moved, w.busy, w.written, w.pace = time.Now(), time.Now(), time.Now(), WindowsEvery
	wait := BackoffMin
	for ctx.Err() == nil {
		err := w.runOnce(ctx)
		w.report(err)
		if err == nil {
			wait = BackoffMin
			continue
		}
		if ctx.Err() != nil {
			break
		}
		w.complain(err)
		sleep(ctx, wait)
		wait = min(2*wait, BackoffMax)
	}
	w.lastWrite()
}

// runOnce is one round: get ready, wait for messages or for something to be due, do it.
func (w *Worker) runOnce(ctx context.Context) error {
	if !w.ready {
		if err := w.reload(ctx); err != nil {
			return err
		}
	}
	if len(w.held) == 0 {
		w.await(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.work(ctx); err != nil {
		return err
	}
	if time.Since(w.forgot) >= ForgetEvery {
		if err := w.forget(ctx); err != nil {
			return err
		}
	}
	if time.Since(w.written) >= w.pace || w.set.Cells() > window.MaxCells {
		return w.writeWindows(w.progress.NextOffset)
	}
	return nil
}

// await waits for messages until the next thing is due. While blocks follow closely, a small batch waits a little for company.
func (w *Worker) await(ctx context.Context) {
	due := min(time.Until(w.moved.Add(w.heartbeatEvery())), time.Until(w.written.Add(w.pace)))
	w.queue.WaitFor(ctx, 1, due)
	if n := w.queue.Bytes(); n > 0 && n < LingerBytes && time.Since(w.busy) < BusyWithin {
		w.queue.WaitFor(ctx, LingerBytes, Linger)
	}
}

func (w *Worker) work(ctx context.Context) error {
	used, err := w.fill(ctx)
	if err != nil {
		return err
	}
	if used > 0 {
		w.stuck = time.Time{}
		return w.storeBlock(ctx, used)
	}
	if time.Since(w.moved) >= w.heartbeatEvery() {
		return w.heartbeat(ctx)
	}
	return nil
}

// fill puts messages in hand into the pipeline, and says how many of them are in the block.
func (w *Worker) fill(ctx context.Context) (used int, err error) {
	w.dropStored()
	w.gather()
	now, err := w.begin(ctx)
	if err != nil {
		return 0, err
	}
	for used < len(w.held) && !w.pipe.Full() && (w.single == 0 || used == 0) {
		w.add(&w.held[used], now)
		used++
	}
	return used, nil
}

// gather takes a block's worth in hand. What does not go into it by its number of rows stays there for the next one.
func (w *Worker) gather() {
	bytes := 0
	for i := range w.held {
		bytes += len(w.held[i].Value)
	}
	for bytes < pipeline.MaxBytes && len(w.held) < QueueMessages && w.takeOne() {
		bytes += len(w.held[len(w.held)-1].Value)
	}
}

// takeOne moves a message that is not stored yet from the queue into held.
func (w *Worker) takeOne() bool {
	for {
		m, ok := w.queue.Take()
		if !ok {
			return false
		}
		if m.Offset >= w.progress.NextOffset && (len(w.held) == 0 || m.Offset > w.held[len(w.held)-1].Offset) {
			w.held = append(w.held, m)
			return true
		}
		w.deps.Metrics.skipped.Inc()
	}
}

// dropStored lets go of messages in hand that turned out to be stored.
func (w *Worker) dropStored() {
	n := 0
	for n < len(w.held) && w.held[n].Offset < w.progress.NextOffset {
		n++
	}
	w.release(n)
}

func (w *Worker) release(n int) {
	rest := copy(w.held, w.held[n:])
	clear(w.held[rest:]) // lets their values go
	w.held = w.held[:rest]
}

// complain logs what stopped a round. An unreachable server is expected to come back; only a lost log needs a person.
func (w *Worker) complain(err error) {
	if errors.Is(err, errLost) {
		w.log.Error().Err(err).Int64("offset", w.progress.NextOffset).Msg("partition stopped")
		return
	}
	w.log.Warn().Err(err).Int64("offset", w.progress.NextOffset).Msg("round failed, trying again")
}

func (w *Worker) report(err error) {
	p := &w.progress
	s := State{Stream: p.Stream, Partition: p.Partition, Epoch: p.Epoch, NextOffset: p.NextOffset, Through: p.WindowsThrough, Watermark: p.Watermark,
		Observed: w.observed, Misplaced: w.astray, Backlog: w.queue.Bytes() > pipeline.MaxBytes, Ready: w.ready,
		Lost: errors.Is(err, errLost), Since: time.Now()}
	if err != nil && !errors.Is(err, context.Canceled) {
		s.Err = err.Error()
	}
	if old := w.state.Load(); old != nil && (old.Err == "") == (s.Err == "") {
		s.Since = old.Since
	}
	w.state.Store(&s)
}

// database is the context of work in MySQL. It outlives the claim: a commit that is cut off is a commit whose fate is unknown.
func database(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), DBTimeout)
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// persist tries until it works or ctx ends; each try has its own bounded time.
func (w *Worker) persist(ctx context.Context, what string, try func(context.Context) error) error {
	for wait := BackoffMin; ; wait = min(2*wait, BackoffMax) {
		once, cancel := context.WithTimeout(ctx, BrokerTimeout)
		err := try(once)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = fmt.Errorf("%s: %w", what, err)
		w.report(err)
		w.log.Warn().Err(err).Msg("kafka does not take it, trying again")
		w.deps.Metrics.publishFailures.Inc()
		sleep(ctx, wait)
	}
}
