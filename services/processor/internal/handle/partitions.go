// Package handle is the processor's edge to Kafka: it takes messages of logs.raw to their partition's worker, and starts and stops workers
// as partitions come and go.
package handle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/obs"
)

// revokeWait is how long giving up a partition waits for its worker's last commit. The group waits for us meanwhile; a worker that takes
// longer is fenced by the next owner's epoch.
const revokeWait = 8 * time.Second

// loadTimeout bounds taking all partitions of an assignment.
const loadTimeout = 25 * time.Second

// Acquirer takes partitions in MySQL.
type Acquirer interface {
	Acquire(ctx context.Context, stream uint32, partition int32, owner string) (store.Progress, error)
}

// Log says which offsets the broker still has.
type Log interface {
	Start(ctx context.Context, partition int32) (int64, error)
}

// Deps of Partitions.
type Deps struct {
	Acquirer  Acquirer
	Log       Log
	Sample    func(ctx context.Context) error // MySQL's clock, before anything is timed by it
	NewWorker func(p store.Progress, mark func(next int64)) (*worker.Worker, error)
	Deleted   func(offsets int64) // told how many offsets are gone that were never stored
	Logger    zerolog.Logger
}

// Partitions are the partitions that this process owns.
type Partitions struct {
	stream uint32
	owner  string
	deps   Deps

	mu       sync.Mutex
	acquired map[int32]store.Progress // between Load and Assigned
	running  map[int32]*running
	lost     map[int32]int64 // stored offset that the broker does not have
}

type running struct {
	*worker.Worker
	stop context.CancelFunc
	done chan struct{}
}

// NewPartitions owns nothing yet. owner is who we are, for people.
func NewPartitions(stream uint32, owner string, deps Deps) *Partitions {
	return &Partitions{stream: stream, owner: owner, deps: deps,
		acquired: map[int32]store.Progress{}, running: map[int32]*running{}, lost: map[int32]int64{}}
}

// Hook is how the bus tells us of partitions.
func (ps *Partitions) Hook() bus.Hook {
	return bus.Hook{Load: ps.load, Assigned: ps.assigned, Revoked: ps.revoked, Lost: ps.wasLost}
}

// load takes the partitions of an assignment and says where each reads on. From here on every owner before is fenced.
func (ps *Partitions) load(ctx context.Context, _ string, parts []int32) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	if err := ps.deps.Sample(ctx); err != nil {
		return nil, err
	}
	next := make(map[int32]int64, len(parts))
	for _, part := range parts {
		p, err := ps.deps.Acquirer.Acquire(ctx, ps.stream, part, ps.owner)
		if err != nil {
			return nil, err
		}
		if next[part], err = ps.readFrom(ctx, p); err != nil {
			return nil, err
		}
		ps.mu.Lock()
		ps.acquired[part] = p
		delete(ps.lost, part)
		ps.mu.Unlock()
	}
	return next, nil
}

// readFrom is where to read on: at what is stored, or at the log's start if the broker has deleted what comes next. Those records are
// gone; the rest is worth having.
func (ps *Partitions) readFrom(ctx context.Context, p store.Progress) (int64, error) {
	start, err := ps.deps.Log.Start(ctx, p.Partition)
	if err != nil {
		return 0, fmt.Errorf("asking for the start of partition %d: %w", p.Partition, err)
	}
	if gone := start - p.NextOffset; gone > 0 && p.NextOffset > 0 {
		ps.deps.Logger.Error().Int32("partition", p.Partition).Int64("offset", p.NextOffset).Int64("start", start).
			Msg("offsets were deleted before they were stored")
		ps.deps.Deleted(gone)
	}
	return max(start, p.NextOffset), nil
}

// assigned starts the worker of a claim. It ends with the claim.
func (ps *Partitions) assigned(c *bus.Claim) { ps.start(c.Partition, c.Done(), c.MarkStored) }

func (ps *Partitions) start(partition int32, claimDone <-chan struct{}, mark func(int64)) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p := ps.acquired[partition]
	delete(ps.acquired, partition)
	w, err := ps.deps.NewWorker(p, mark)
	if err != nil { // only a defect of the build can do this; messages are dropped unmarked and come again
		ps.deps.Logger.Error().Err(err).Int32("partition", partition).Msg("worker not made")
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Worker: w, stop: cancel, done: make(chan struct{})}
	ps.running[partition] = r
	go func() {
		defer close(r.done)
		w.Run(ctx)
	}()
	go func() {
		select {
		case <-claimDone:
		case <-ctx.Done():
		}
		cancel()
	}()
	ps.deps.Logger.Info().Int32("partition", partition).Int64("epoch", p.Epoch).Int64("offset", p.NextOffset).Msg("partition assigned")
}

func (ps *Partitions) revoked(c *bus.Claim) { ps.end(c.Partition) }

// end stops a worker and waits for it, within reason.
func (ps *Partitions) end(partition int32) {
	ps.mu.Lock()
	r := ps.running[partition]
	delete(ps.running, partition)
	ps.mu.Unlock()
	if r == nil {
		return
	}
	r.stop()
	timer := time.NewTimer(revokeWait)
	defer timer.Stop()
	select {
	case <-r.done:
		ps.deps.Logger.Info().Int32("partition", partition).Msg("partition given up")
	case <-timer.C:
		ps.deps.Logger.Warn().Int32("partition", partition).Msg("partition given up while its worker still waits for MySQL; the next owner fences it")
	}
}

// wasLost: the broker has nothing at the offset where MySQL says we stand. Nobody reads the partition: starting at the beginning would
// skip or repeat, and only a person can know which log this is.
func (ps *Partitions) wasLost(_ string, partition int32, want int64) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.acquired, partition)
	ps.lost[partition] = want
	ps.deps.Logger.Error().Int32("partition", partition).Int64("offset", want).
		Msg("the broker does not have the offset that is stored: it lost data or is another log under the same name; the partition is stopped")
}

// Workers of the partitions that we own now.
func (ps *Partitions) Workers() []*worker.Worker {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ws := make([]*worker.Worker, 0, len(ps.running))
	for _, r := range ps.running {
		ws = append(ws, r.Worker)
	}
	return ws
}

// States of the partitions that we own now.
func (ps *Partitions) States() []worker.State {
	ws := ps.Workers()
	states := make([]worker.State, len(ws))
	for i, w := range ws {
		states[i] = w.State()
	}
	return states
}

// stalledAfter is how long a partition may fail before health says so: a failover of MySQL or Kafka takes a few seconds.
const stalledAfter = 10 * time.Second

// Check is a health check: no partition is lost, and none has failed for long.
func (ps *Partitions) Check(context.Context) error {
	var problems []error
	ps.mu.Lock()
	for p, want := range ps.lost {
		problems = append(problems, fmt.Errorf("partition %d: the broker does not have stored offset %d", p, want))
	}
	ps.mu.Unlock()
	for _, w := range ps.Workers() {
		if s := w.State(); s.Lost || s.Err != "" && time.Since(s.Since) > stalledAfter {
			problems = append(problems, fmt.Errorf("partition %d at offset %d: %s", s.Partition, s.NextOffset, s.Err))
		}
	}
	return errors.Join(problems...)
}

// misplacedFor is how long misplaced lines are spoken of after the last of them: as long as the evaluator calls their rules blind.
const misplacedFor = time.Minute

// CheckHomes warns of partitions that get lines of services at home elsewhere. All of it is stored; alert rules on these services are blind.
func (ps *Partitions) CheckHomes(context.Context) error {
	var parts []int
	for _, s := range ps.States() {
		if !s.Misplaced.IsZero() && time.Since(s.Misplaced) < misplacedFor {
			parts = append(parts, int(s.Partition))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	slices.Sort(parts)
	return &obs.Warning{Err: fmt.Errorf("partitions %v get lines of services that are at home on others: their producer must key by service (murmur2)", parts)}
}

func (ps *Partitions) worker(partition int32) *worker.Worker {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if r := ps.running[partition]; r != nil {
		return r.Worker
	}
	return nil
}
