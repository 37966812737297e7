package app

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/logmill/logmill/services/processor/internal/retain"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/mysqlx"
)

// retention is what keeping remembers between looks. Times are ns, by MySQL's clock.
type retention struct {
	cutoff     retain.Cutoff
	cutoffAt   int64           // when it was found
	looked     map[place]int64 // the cutoff below which there is nothing left
	windowed   map[place]int64 // the moment (s) before which no windows are left
	houred     map[place]int64 // and no hours
	daysAt     int64           // when the day partitions were looked at
	below      uint32          // rows of days below are dropped with their day
	overWarned bool
	orphans    []store.Claim // partitions that nobody owns
	orphansAt  int64         // when they were looked for
}

// place is a partition of a stream.
type place struct {
	stream    uint32
	partition int32
}

func placeOf(c store.Claim) place { return place{c.Stream, c.Partition} }

func newRetention() retention {
	return retention{looked: map[place]int64{}, windowed: map[place]int64{}, houred: map[place]int64{}}
}

// retain removes a few blocks and windows that are kept no longer. more: there may be others.
func (k *keeping) retain(ctx context.Context, c store.Claim, through int64) (more bool, err error) {
	if more, err = k.retainBlocks(ctx, c, through); err != nil {
		return more, err
	}
	moreWindows, err := k.retainWindows(ctx, c, k.cfg.windows, k.windowed, k.store.WindowsFrom, k.store.DropWindows)
	if err != nil {
		return more, err
	}
	moreHours, err := k.retainWindows(ctx, c, k.cfg.hours, k.houred, k.store.HoursFrom, k.store.DropHours)
	return more || moreWindows || moreHours, err
}

func (k *keeping) retainBlocks(ctx context.Context, c store.Claim, through int64) (more bool, err error) {
	now := k.now()
	if now-k.cutoffAt >= int64(retainEvery) {
		if err := k.findCutoff(ctx, now); err != nil {
			return false, err
		}
	}
	if k.cutoff.At <= k.looked[placeOf(c)] {
		return false, nil
	}
	blocks, _, err := k.store.Blocks(ctx, c, 0, retireAtOnce)
	if err != nil {
		return false, err
	}
	expired := retain.Expired(blocks, k.cutoff.At, through)
	if len(expired) > 0 {
		if err := k.store.Retire(ctx, c, expired, k.cutoff.At, now); err != nil {
			return false, err
		}
		k.metrics.removed(expired, k.cutoff.Why)
		k.log.Info().Int32("partition", c.Partition).Str("why", k.cutoff.Why).Int("blocks", len(expired)).Int64("to", expired[len(expired)-1].To).
			Time("received_before", time.Unix(0, k.cutoff.At).UTC()).Msg("blocks removed by retention")
	}
	if len(expired) < retireAtOnce {
		k.looked[placeOf(c)] = k.cutoff.At
	}
	return len(expired) == retireAtOnce, nil
}

// findCutoff looks at what is stored, by all processes.
func (k *keeping) findCutoff(ctx context.Context, now int64) error {
	stored, err := k.store.Usage(ctx)
	if err != nil {
		return err
	}
	if _, _, err := k.knownDamaged(ctx); err != nil {
		return err
	}
	k.cutoff, k.cutoffAt = k.cfg.blocks.Cutoff(now, stored), now
	k.metrics.usage(stored, k.cutoff)
	if over := k.cutoff.Over > 0; over != k.overWarned {
		k.overWarned = over
		if over {
			k.log.Warn().Int64("bytes_above", k.cutoff.Over).Dur("least", retain.Least).
				Msg("more than RETENTION_MB came in within the last hour: it stays until it is an hour old")
		}
	}
	return nil
}

// retainWindows removes a few windows, or hours, that are older than they are kept; done remembers how far that is.
func (k *keeping) retainWindows(ctx context.Context, c store.Claim, kept time.Duration, done map[place]int64,
	say func(context.Context, store.Claim, int64) error, drop func(context.Context, store.Claim, int64, int) (int64, error)) (more bool, err error) {
	if kept == 0 {
		return false, nil
	}
	from := (k.now() - int64(kept)) / int64(windowsEvery) * int64(windowsEvery/time.Second)
	if from <= done[placeOf(c)] {
		return false, nil
	}
	if err := say(ctx, c, from); err != nil {
		return false, err
	}
	n, err := drop(ctx, c, from, windowRows)
	k.metrics.windowRows.Add(float64(n))
	if err == nil && n < windowRows {
		done[placeOf(c)] = from
	}
	return n > 0, err
}

// keepOrphans removes and deletes what is too old of streams that nobody reads any more. Two processes may do it side by side: the second
// finds nothing to do, or that it came too late.
func (k *keeping) keepOrphans(ctx context.Context, own uint32) (more bool) {
	try, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	if now := k.now(); now-k.orphansAt >= int64(orphansEvery) {
		found, err := k.store.Orphans(try, own)
		if err != nil {
			k.complain(ctx, worker.State{Stream: own}, err)
			return false
		}
		k.orphans, k.orphansAt = found, now
	}
	for _, c := range k.orphans {
		n, err := k.store.Erase(try, c, k.now()-int64(retiredFor()), k.below)
		k.metrics.erased.Add(float64(n))
		removed := false
		if err == nil {
			removed, err = k.retain(try, c, math.MaxInt64)
		}
		if err != nil && ctx.Err() == nil {
			k.complain(ctx, worker.State{Stream: c.Stream, Partition: c.Partition}, err)
		}
		more = more || err == nil && (n > 0 || removed)
	}
	return more
}

// keepDays looks after the day partitions of block_data and block_filter now and then.
func (k *keeping) keepDays(ctx context.Context) {
	now := k.now()
	if now-k.daysAt < int64(daysEvery) {
		return
	}
	try, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	c, err := k.store.KeepDays(try, store.Day(now))
	k.daysAt = now
	if c.Busy {
		return
	}
	k.below = c.Below // 0 after a failure: then rows are deleted one by one
	k.metrics.days(c)
	for _, name := range c.Dropped {
		k.log.Info().Str("partition_of_day", name).Msg("a day without blocks was dropped: its file is gone")
	}
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, store.ErrUnsplit) || !mysqlx.IsTransient(err):
		k.metrics.failures.Inc()
		k.log.Error().Err(err).Msg("day partitions of blocks cannot be kept: disk is reused, but not given back")
	default:
		k.metrics.failures.Inc()
		k.log.Warn().Err(err).Msg("day partitions of blocks not kept, trying again in ten minutes")
	}
}
