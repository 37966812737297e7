package app

import (
	"context"
	"fmt"
	"time"

	"github.com/logmill/logmill/services/alert-evaluator/internal/follow"
	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/block"
)

const (
	lostPatience = 5 * time.Second // a leader that was just elected may not yet know of everything that is committed (KIP-207)
	lostLook     = 250 * time.Millisecond
)

// whereabouts is the first offset that logs.enriched has of a partition, and whether an offset lies behind its end, for longer than an election lasts.
func (ps *partitions) whereabouts(ctx context.Context, p int32, offset int64) (start int64, lost bool, err error) {
	t := time.NewTicker(lostLook)
	defer t.Stop()
	for deadline := time.Now().Add(lostPatience); ; {
		start, end, err := ps.bounds(ctx, p)
		if err != nil || offset <= end || time.Now().After(deadline) {
			return start, offset > end, err
		}
		select {
		case <-ctx.Done():
			return 0, false, ctx.Err()
		case <-t.C:
		}
	}
}

// restart puts a partition, whose stored position logs.enriched does not have, to the beginning of what there is. Its state is worked out from the
// snapshot and the stored blocks; from there on source offsets tell what of the topic is had already, and what is missing comes from MySQL as any gap.
// Alerts that had fired early keep their identity unless lines were out of order.
func (ps *partitions) restart(ctx context.Context, p store.Partition, e *evaluation, at follow.Position, start int64) (store.Partition, follow.Position, error) {
	if e.eng == nil {
		return p, at, fmt.Errorf("partition %d has no stored state to recover from", p.Partition)
	}
	if err := ps.foldMissing(ctx, p, e, at.SourceNext); err != nil {
		return p, at, err
	}
	e.advance(p.Position.Watermark, 0)
	e.eng.Early() // was told when its lines came
	e.skip()
	e.out, e.caughtUp = p.OutSeq, true
	to := p.Position
	to.NextOffset = start
	err := ps.store.Restart(ctx, p, store.Step{Position: to, OutSeq: p.OutSeq, RuleSeq: e.ruleSeq, Snapshot: e.save.snapshot(e.eng)})
	if err != nil {
		return p, at, err
	}
	e.save.saved()
	ps.log.Warn().Int32("partition", p.Partition).Int64("offset", p.Position.NextOffset).Int64("start", start).
		Msg("logs.enriched does not have the stored position: the partition is read from the topic's beginning, and what the topic lacks from MySQL")
	p.Position = to
	return p, to, nil
}

// foldMissing takes in, from the stored blocks, the source offsets from one on up to what the partition had folded. What cannot be read is a gap.
func (ps *partitions) foldMissing(ctx context.Context, p store.Partition, e *evaluation, from int64) error {
	to, err := ps.store.StoredTo(ctx, p, p.Position.SourceNext-1)
	if err != nil || to < from {
		return err
	}
	ok, err := ps.store.Covered(ctx, p, from, to)
	if err != nil {
		return err
	}
	damage, err := ps.store.Blocks(ctx, p, from, to, func(r *block.Reader) error {
		_, err := e.foldStored(r, p.Partition, from, to)
		return err
	})
	if err != nil || ok && damage == nil {
		return err
	}
	ps.log.Error().Err(damage).Int32("partition", p.Partition).Int64("from", from).Int64("to", to).Msg("stored blocks are missing or damaged: rules on this partition are blind")
	return ps.store.Gap(ctx, p, p.Position.Watermark+gapSlack)
}
