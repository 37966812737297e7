package app

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/processor/internal/compact"
	"github.com/logmill/logmill/services/processor/internal/retain"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/mysqlx"
)

// Paces of the background work on stored blocks.
const (
	keepIdle    = 5 * time.Second  // between looks when there is nothing to do
	keepTimeout = 90 * time.Second // of one partition's step: a job of the largest size takes a few seconds
	keepPage    = 4096             // blocks whose metadata is looked at together

	// keepShare: a round that took d is followed by keepShare·d of rest, so that at most half a core goes into this work; while ingest has a
	// backlog, a sixteenth. It never stops: what is not merged now costs more later. Whether there is a backlog is asked again while resting: the
	// rest behind a round of ten seconds must not outlast a burst by minutes.
	keepShare     = 1
	keepShareBusy = 15
	keepLook      = 500 * time.Millisecond

	retainEvery  = time.Minute      // what retention looks for grows slowly
	daysEvery    = 10 * time.Minute // partitions are made days ahead
	windowsEvery = time.Hour
	orphansEvery = 24 * time.Hour
	retireAtOnce = 256  // blocks removed in one transaction, of a few ms
	windowRows   = 2000 // of windows deleted with one statement, of some tens of ms
)

// keeping is the background work on the blocks of the partitions that this process owns: merging, removing what is too old or too much,
// and deleting what was replaced or removed. One step at a time for the whole process; memory is that of one job.
type keeping struct {
	store   *store.Keeper
	owned   func() []worker.State
	merger  *compact.Merger
	now     func() int64 // MySQL's clock, ns
	cfg     keepConfig
	metrics *keepMetrics
	log     zerolog.Logger

	settled map[int32]settled
	left    map[uint64]bool // blocks that cannot be read
	laps    map[int32]*lap
	retention
}

// keepConfig is what users set of it.
type keepConfig struct {
	after   time.Duration // how old blocks are when they are merged; 0 = never
	blocks  retain.Policy
	windows time.Duration // how long windows are kept; 0 = for ever
	hours   time.Duration // and hours
	scrub   time.Duration // how long reading all blocks takes; 0 = they are not read
}

// settled is the offset below which nothing is left to merge, found under an epoch.
type settled struct{ epoch, below int64 }

func newKeeping(st *store.Keeper, owned func() []worker.State, now func() int64, cfg keepConfig, m *keepMetrics, log zerolog.Logger) (*keeping, error) {
	merger, err := compact.NewMerger()
	if err != nil {
		return nil, err
	}
	return &keeping{store: st, owned: owned, merger: merger, now: now, cfg: cfg, metrics: m, log: log,
		settled: map[int32]settled{}, left: map[uint64]bool{}, laps: map[int32]*lap{}, retention: newRetention()}, nil
}

// run works until ctx ends.
func (k *keeping) run(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		did := k.round(ctx)
		took := time.Since(began)
		k.metrics.seconds.Add(took.Seconds())
		if !did {
			sleep(ctx, k.idle())
		}
		k.rest(ctx, took)
	}
}

// rest follows a round that took so long.
func (k *keeping) rest(ctx context.Context, took time.Duration) {
	for rested := time.Duration(0); ctx.Err() == nil; rested += keepLook {
		left := k.share()*took - rested
		if left <= 0 {
			return
		}
		sleep(ctx, min(left, keepLook))
	}
}

// share is how many times as long as working this work rests, as things are.
func (k *keeping) share() time.Duration {
	for _, s := range k.owned() {
		if s.Backlog {
			return keepShareBusy
		}
	}
	return keepShare
}

func (k *keeping) idle() time.Duration {
	if k.cfg.after == 0 {
		return keepIdle
	}
	return min(keepIdle, max(k.cfg.after/2, time.Millisecond))
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// round does one step of each partition. did: there may be more to do at once.
func (k *keeping) round(ctx context.Context) (did bool) {
	owned := k.owned()
	if len(owned) > 0 { // before that, MySQL's clock may not have been read
		k.keepDays(ctx)
		did = k.keepOrphans(ctx, owned[0].Stream)
	}
	for _, s := range owned {
		if ctx.Err() != nil {
			return false
		}
		more, err := k.step(ctx, s)
		did = did || more
		if err != nil && ctx.Err() == nil {
			k.complain(ctx, s, err)
		}
	}
	return did
}

// step deletes, removes and merges a few blocks, or looks at one.
func (k *keeping) step(ctx context.Context, s worker.State) (more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	c := store.Claim{Stream: s.Stream, Partition: s.Partition, Epoch: s.Epoch}
	n, err := k.store.Erase(ctx, c, k.now()-int64(retiredFor()), k.below)
	k.metrics.erased.Add(float64(n))
	if err != nil || !s.Ready { // of an owner who is not ready, the newest block may not be published yet
		return n > 0, err
	}
	more, err = k.retain(ctx, c, s.Through)
	if err != nil {
		return n > 0, err
	}
	more = more || n > 0
	if k.cfg.after > 0 {
		job, err := k.plan(ctx, c, s.Through)
		if err != nil {
			return more, err
		}
		if job != nil {
			return true, k.merge(ctx, c, job)
		}
	}
	if more || k.cfg.scrub == 0 {
		return more, nil
	}
	return k.scrub(ctx, c, s.NextOffset)
}

// plan looks for a job, from where nothing was left to do the last time.
func (k *keeping) plan(ctx context.Context, c store.Claim, through int64) ([]compact.Block, error) {
	at := k.settled[c.Partition]
	if at.epoch != c.Epoch { // another owner may have retired what we skip, or left what we have done
		at = settled{epoch: c.Epoch}
	}
	for {
		blocks, end, err := k.store.Blocks(ctx, c, at.below, keepPage)
		if err != nil {
			return nil, err
		}
		now := k.now()
		v := compact.View{Blocks: blocks, End: end, Now: now, Day: store.Day(now), Through: through, After: int64(k.cfg.after), Left: k.left}
		job, done := v.Plan()
		if done > 0 {
			at.below = blocks[done-1].To + 1
			k.settled[c.Partition] = at
		}
		if job != nil || end || done == 0 {
			return job, nil
		}
	}
}

func (k *keeping) merge(ctx context.Context, c store.Claim, job []compact.Block) error {
	data, err := k.store.Data(ctx, job)
	if err != nil {
		return err
	}
	m, err := k.merger.Merge(job, data)
	if err != nil {
		return err
	}
	if err := k.store.Replace(ctx, c, job, m, k.now()); err != nil {
		return err
	}
	k.metrics.merged(job, m)
	return nil
}

// complain tells what went wrong. Others may always be faster: that is no trouble, and nothing was changed.
func (k *keeping) complain(ctx context.Context, s worker.State, err error) {
	log := k.log.With().Int32("partition", s.Partition).Logger()
	var damaged *compact.DamagedError
	switch {
	case errors.As(err, &damaged):
		err := errors.Join(err, k.damaged(ctx, damaged))
		log.Error().Err(err).Uint64("block", damaged.Block.ID).Int64("from", damaged.Block.From).Int64("to", damaged.Block.To).
			Msg("a stored block is damaged: it is left as it is, and out of every answer")
	case errors.Is(err, store.ErrFenced), errors.Is(err, store.ErrChanged):
		k.metrics.overtaken.Inc()
		log.Debug().Err(err).Msg("stored blocks were changed by somebody else")
	case mysqlx.IsTransient(err):
		k.metrics.failures.Inc()
		log.Warn().Err(err).Msg("work on stored blocks failed, trying again")
	default:
		k.metrics.failures.Inc()
		log.Error().Err(err).Msg("work on stored blocks failed")
	}
	delete(k.settled, s.Partition)
}
