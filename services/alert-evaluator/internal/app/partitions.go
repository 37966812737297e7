package app

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/alert-evaluator/internal/follow"
	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
)

const (
	// gapSlack is how far above the next block's watermark a missing line may lie: the watermark is half a second behind the newest receipt, and a
	// line up to a second ahead of its own.
	gapSlack = int64(2 * time.Second)

	dbTimeout = 10 * time.Second // one statement; the message's own context ends at shutdown, in the middle of it
)

// partition is one that we follow.
type partition struct {
	mu     sync.Mutex
	stored store.Partition // as MySQL has it
	at     follow.Position // as memory has it
	claim  *bus.Claim
	void   bool  // memory has gone where the stored state cannot follow: to be reloaded before anything else
	told   int64 // on logs.enriched: messages below are in the metrics
	eval   *evaluation
}

// partitions are all that we follow.
type partitions struct {
	stream      uint32
	owner       string
	store       *store.Store
	metrics     *metrics
	log         zerolog.Logger
	bounds      func(ctx context.Context, partition int32) (start, end int64, err error) // the first offset that logs.enriched still has, and the next that it gives
	recoverLost bool                                                                     // ALERT_RECOVER_LOST

	mu   sync.Mutex
	all  map[int32]*partition
	lost map[int32]int64 // partitions whose position the broker does not have

	inputs inputs

	parts  int32
	topic  string                                                                                     // logs.raw with its prefix, for evidence
	wake   func()                                                                                     // tells the relay that there is something to send
	reread func(ctx context.Context, partition int32, from, to int64, f func(bus.Record) error) error // logs.enriched, once more
}

func (ps *partitions) hook() bus.Hook {
	return bus.Hook{Load: ps.load, Assigned: ps.assigned, Revoked: ps.revoked, Lost: ps.lose}
}

// load takes the partitions under new epochs, as many at once as there are processors: a state is restored from its rules' texts.
func (ps *partitions) load(ctx context.Context, _ string, parts []int32) (map[int32]int64, error) {
	next, errs := make([]int64, len(parts)), make([]error, len(parts))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			next[i], errs[i] = ps.loadOne(ctx, p)
		})
	}
	wg.Wait()
	out := map[int32]int64{}
	for i, p := range parts {
		out[p] = next[i]
	}
	return out, errors.Join(errs...)
}

func (ps *partitions) loadOne(ctx context.Context, p int32) (next int64, err error) {
	got, err := ps.store.Acquire(ctx, ps.stream, p, ps.owner)
	if err != nil {
		return 0, err
	}
	eval, at, err := ps.recall(ctx, got)
	if err != nil {
		return 0, err
	}
	start, lost, err := ps.whereabouts(ctx, p, got.Position.NextOffset)
	if err != nil {
		return 0, err
	}
	if lost && ps.recoverLost {
		if got, at, err = ps.restart(ctx, got, eval, at, start); err != nil {
			return 0, err
		}
	}
	ps.mu.Lock()
	ps.all[p] = &partition{stored: got, at: at, eval: eval}
	delete(ps.lost, p)
	ps.mu.Unlock()
	if lost && !ps.recoverLost {
		return got.Position.NextOffset, nil // which the broker does not have: the partition is lost, whatever it has of before
	}
	// Retention may have passed a reader that was away for long: what it missed is a gap, to be filled from MySQL.
	return max(at.NextOffset, start), nil
}

func (ps *partitions) assigned(c *bus.Claim) {
	if p := ps.get(c.Partition); p != nil {
		p.mu.Lock()
		p.claim = c
		p.mu.Unlock()
		ps.log.Info().Int32("partition", c.Partition).Int64("offset", c.Start).Msg("partition taken")
	}
}

func (ps *partitions) revoked(c *bus.Claim) {
	if p := ps.get(c.Partition); p != nil {
		ctx, cancel := context.WithTimeout(context.Background(), dbTimeout)
		defer cancel()
		if err := ps.commit(ctx, p); err != nil {
			ps.log.Debug().Err(err).Int32("partition", c.Partition).Msg("last commit of a partition")
		}
		ps.mu.Lock()
		if ps.all[c.Partition] == p {
			delete(ps.all, c.Partition)
		}
		ps.mu.Unlock()
	}
}

func (ps *partitions) lose(_ string, p int32, want int64) {
	ps.log.Error().Int32("partition", p).Int64("offset", want).Msg("logs.enriched does not have the stored position: the partition is not read")
	ps.mu.Lock()
	had := ps.all[p]
	ps.lost[p] = want
	delete(ps.all, p)
	ps.mu.Unlock()
	if had == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), dbTimeout)
	defer cancel()
	if err := ps.store.Lost(ctx, had.stored, want); err != nil {
		ps.log.Warn().Err(err).Msg("writing down what is lost")
	}
}

func (ps *partitions) get(p int32) *partition {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.all[p]
}

// owned are the sources of the partitions that are ours.
func (ps *partitions) owned() []string {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	var out []string
	for n := range ps.all {
		out = append(out, store.SourceOf(n))
	}
	slices.Sort(out)
	return out
}

// budget is how long going through the log again may take each partition, and the shard of global rules.
func (ps *partitions) budget() time.Duration {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return recoveryBudget / time.Duration(len(ps.all)+1)
}

// mine tells whether a partition is ours, be it lost.
func (ps *partitions) mine(p int32) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	_, lost := ps.lost[p]
	return lost || ps.all[p] != nil
}

// Check is the health of what we follow.
func (ps *partitions) Check(context.Context) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for p, want := range ps.lost {
		return fmt.Errorf("partition %d: logs.enriched does not have offset %d", p, want)
	}
	return nil
}

// handle is the Watermill handler of logs.enriched. An error makes Watermill send the message again.
func (ps *partitions) handle(msg *message.Message) error {
	info := bus.InfoOf(msg)
	p := ps.get(info.Partition)
	if p == nil {
		return nil // the claim is ending: the next owner reads it
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.void || p.eval.stuck { // what is decided must be stored before more is taken in: memory stays bounded, Kafka keeps the rest
		if err := ps.commitLocked(msg.Context(), p); err != nil {
			return err
		}
	}
	if err := ps.take(p, bus.Record{Offset: info.Offset, Value: msg.Payload, Headers: msg.Metadata}); err != nil {
		return err
	}
	if p.eval.due(p) {
		if err := ps.commitLocked(context.WithoutCancel(msg.Context()), p); err != nil {
			ps.log.Warn().Err(err).Int32("partition", info.Partition).Msg("committing a step")
		}
	}
	return nil
}

// take takes one message in. The caller holds p.mu.
func (ps *partitions) take(p *partition, m bus.Record) error {
	part := p.stored.Partition
	h, err := contract.ParseEnriched(m.Headers)
	if err == nil && h.Stream != ps.stream {
		err = fmt.Errorf("stream %d, not %d", h.Stream, ps.stream)
	}
	var r *block.Reader
	if err == nil && !h.Heartbeat() {
		r, err = readable(h, m.Value)
	}
	if err != nil {
		ps.metrics.damaged.WithLabelValues(label(part)).Inc()
		ps.log.Error().Err(err).Int32("partition", part).Int64("offset", m.Offset).Msg("a message of logs.enriched cannot be read")
		p.at.NextOffset = m.Offset + 1
		return nil // its block is in MySQL: the gap that it leaves is filled from there
	}
	return ps.follow(p, h, r, m.Offset)
}

// readable checks a block before anything is made of it.
func readable(h contract.Enriched, value []byte) (*block.Reader, error) {
	if sum := block.Checksum(value); sum != h.Checksum {
		return nil, fmt.Errorf("the block's checksum is %d, its header says %d", sum, h.Checksum)
	}
	r, err := block.Open(value)
	if err != nil {
		return nil, err
	}
	if r.Rows() != h.Rows {
		return nil, fmt.Errorf("the block has %d rows, its header says %d", r.Rows(), h.Rows)
	}
	return r, nil
}

// follow judges one message and takes it in. The caller holds p.mu.
func (ps *partitions) follow(p *partition, h contract.Enriched, r *block.Reader, offset int64) error {
	name := label(p.stored.Partition)
	replay := offset < p.stored.Position.NextOffset
	fresh := !replay && offset >= p.told
	p.told = max(p.told, offset+1)
	defer p.eval.save.worked(time.Now(), h.Rows)
	p.eval.begin(h, r)
	switch p.at.Judge(h) {
	case follow.Repeat:
		if fresh {
			ps.metrics.repeats.WithLabelValues(name).Inc()
		}
		r = nil
	case follow.Gap:
		ps.metrics.gaps.WithLabelValues(name).Inc()
		if err := ps.fill(p, h); err != nil {
			return err
		}
		fallthrough
	case follow.Fold:
		if fresh {
			ps.metrics.rows.WithLabelValues(name).Add(float64(h.Rows))
		}
	}
	if err := p.eval.fold(r, p.stored.Partition); err != nil {
		ps.log.Error().Err(err).Int32("partition", p.stored.Partition).Int64("offset", offset).Msg("a column of a block cannot be read: rules see it as absent")
	}
	p.at = p.at.Advance(h, offset)
	p.eval.advance(p.at.Watermark, offset)
	if replay {
		p.eval.skip()
	} else if !p.eval.caughtUp {
		p.eval.caughtUp = true
		ps.compare(p)
	}
	ps.metrics.watermark.WithLabelValues(name).Set(float64(p.at.Watermark) / 1e9)
	return nil
}

// compare checks, after what is committed has been gone through again, that it gave the same number of events.
func (ps *partitions) compare(p *partition) {
	have := p.eval.out
	if have == p.stored.OutSeq {
		return
	}
	ps.metrics.diverged.Inc()
	ps.log.Error().Int32("partition", p.stored.Partition).Int64("events", have).Int64("stored", p.stored.OutSeq).Msg("going through the log again gave another number of events")
	p.eval.out = p.stored.OutSeq
}

// fill takes in from MySQL what logs.enriched lacks; without it the partition is blind.
func (ps *partitions) fill(p *partition, h contract.Enriched) error {
	ctx, cancel := context.WithTimeout(context.Background(), dbTimeout)
	defer cancel()
	from, to := p.at.Missing(h)
	log := ps.log.With().Int32("partition", p.stored.Partition).Int64("from", from).Int64("to", to).Logger()
	ok, err := ps.store.Covered(ctx, p.stored, from, to)
	if err != nil {
		return err
	}
	if !ok {
		log.Error().Msg("blocks are missing: rules on this partition are blind")
		return ps.store.Gap(ctx, p.stored, h.Watermark+gapSlack)
	}
	rows := 0
	damage, err := ps.store.Blocks(ctx, p.stored, from, to, func(r *block.Reader) error {
		n, err := p.eval.foldStored(r, p.stored.Partition, from, to)
		rows += n
		return err
	})
	if err != nil {
		return err
	}
	name := label(p.stored.Partition)
	ps.metrics.rows.WithLabelValues(name).Add(float64(rows))
	if damage != nil {
		log.Error().Err(damage).Msg("stored blocks are damaged: rules on this partition are blind")
		return ps.store.Gap(ctx, p.stored, h.Watermark+gapSlack)
	}
	ps.metrics.filled.WithLabelValues(name).Inc()
	log.Info().Msg("a gap in logs.enriched was filled from the stored blocks")
	return nil
}

// commitAll commits every partition that has moved.
func (ps *partitions) commitAll(ctx context.Context) {
	ps.mu.Lock()
	all := make([]*partition, 0, len(ps.all))
	for _, p := range ps.all {
		all = append(all, p)
	}
	ps.mu.Unlock()
	slices.SortFunc(all, func(a, b *partition) int { return int(a.stored.Partition - b.stored.Partition) })
	for _, p := range all {
		if err := ps.commit(ctx, p); err != nil && ctx.Err() == nil {
			ps.log.Warn().Err(err).Msg("committing a step")
		}
	}
}

// commit stores what a partition's engine has decided and how far it has come.
func (ps *partitions) commit(ctx context.Context, p *partition) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ps.commitLocked(ctx, p)
}
