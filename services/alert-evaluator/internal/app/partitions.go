package app

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/logmill/logmill/shared/mysqlx"
)

const dbTimeout = 10 * time.Second // one statement; the message's own context ends at shutdown, in the middle of it

// partition is one that we follow.
type partition struct {
	mu     sync.Mutex
	stored store.Partition // as MySQL has it
	at     follow.Position // as memory has it
	claim  *bus.Claim
	blind  bool
}

// partitions are all that we follow.
type partitions struct {
	stream  uint32
	owner   string
	store   *store.Store
	metrics *metrics
	log     zerolog.Logger
	start   func(ctx context.Context, partition int32) (int64, error) // first offset that logs.enriched still has

	mu   sync.Mutex
	all  map[int32]*partition
	lost map[int32]int64 // partitions whose position the broker does not have
}

func (ps *partitions) hook() bus.Hook {
	return bus.Hook{Load: ps.load, Assigned: ps.assigned, Revoked: ps.revoked, Lost: ps.lose}
}

// load takes the partitions under new epochs.
func (ps *partitions) load(ctx context.Context, _ string, parts []int32) (map[int32]int64, error) {
	next := map[int32]int64{}
	for _, p := range parts {
		got, err := ps.store.Acquire(ctx, ps.stream, p, ps.owner)
		if err != nil {
			return nil, err
		}
		ps.mu.Lock()
		ps.all[p] = &partition{stored: got, at: got.Position}
		delete(ps.lost, p)
		ps.mu.Unlock()
		// Retention may have passed a reader that was away for long: what it missed is a gap, to be filled from MySQL.
		start, err := ps.start(ctx, p)
		if err != nil {
			return nil, err
		}
		next[p] = max(got.Position.NextOffset, start)
	}
	return next, nil
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
	defer ps.mu.Unlock()
	ps.lost[p] = want
	delete(ps.all, p)
}

func (ps *partitions) get(p int32) *partition {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.all[p]
}

// Check is the health of what we follow.
func (ps *partitions) Check(context.Context) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for p, want := range ps.lost {
		return fmt.Errorf("partition %d: logs.enriched does not have offset %d", p, want)
	}
	for n, p := range ps.all {
		p.mu.Lock()
		blind := p.blind
		p.mu.Unlock()
		if blind {
			return fmt.Errorf("partition %d is blind: blocks are missing, on logs.enriched and in MySQL", n)
		}
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
	h, err := contract.ParseEnriched(msg.Metadata)
	if err == nil && h.Stream != ps.stream {
		err = fmt.Errorf("stream %d, not %d", h.Stream, ps.stream)
	}
	if err == nil && !h.Heartbeat() {
		err = readable(h, msg.Payload)
	}
	if err != nil {
		ps.metrics.damaged.WithLabelValues(label(info.Partition)).Inc()
		ps.log.Error().Err(err).Int32("partition", info.Partition).Int64("offset", info.Offset).Msg("a message of logs.enriched cannot be read")
		p.at.NextOffset = info.Offset + 1
		return nil // its block is in MySQL: the gap that it leaves is filled from there
	}
	return ps.follow(p, h, info.Offset)
}

// readable checks a block before anything is made of it.
func readable(h contract.Enriched, value []byte) error {
	if sum := block.Checksum(value); sum != h.Checksum {
		return fmt.Errorf("the block's checksum is %d, its header says %d", sum, h.Checksum)
	}
	r, err := block.Open(value)
	if err != nil {
		return err
	}
	if r.Rows() != h.Rows {
		return fmt.Errorf("the block has %d rows, its header says %d", r.Rows(), h.Rows)
	}
	return nil
}

// follow judges one message. The caller holds p.mu.
func (ps *partitions) follow(p *partition, h contract.Enriched, offset int64) error {
	name := label(p.stored.Partition)
	switch p.at.Judge(h) {
	case follow.Repeat:
		ps.metrics.repeats.WithLabelValues(name).Inc()
	case follow.Gap:
		ps.metrics.gaps.WithLabelValues(name).Inc()
		if err := ps.fill(p, h); err != nil {
			return err
		}
		fallthrough
	case follow.Fold:
		ps.metrics.rows.WithLabelValues(name).Add(float64(h.Rows))
	}
	p.at = p.at.Advance(h, offset)
	ps.metrics.watermark.WithLabelValues(name).Set(float64(p.at.Watermark) / 1e9)
	return nil
}

// fill looks in MySQL for what logs.enriched lacks; without it the partition is blind.
func (ps *partitions) fill(p *partition, h contract.Enriched) error {
	ctx, cancel := context.WithTimeout(context.Background(), dbTimeout)
	defer cancel()
	from, to := p.at.Missing(h)
	rows, ok, err := ps.store.Covered(ctx, p.stored, from, to)
	if err != nil {
		return err
	}
	name := label(p.stored.Partition)
	if ok {
		ps.metrics.filled.WithLabelValues(name).Inc()
		ps.metrics.rows.WithLabelValues(name).Add(float64(rows))
		ps.log.Info().Int32("partition", p.stored.Partition).Int64("from", from).Int64("to", to).Msg("a gap in logs.enriched was filled from the stored blocks")
		return nil
	}
	p.blind = true
	ps.metrics.blind.WithLabelValues(name).Set(1)
	ps.log.Error().Int32("partition", p.stored.Partition).Int64("from", from).Int64("to", to).Msg("blocks are missing: rules on this partition are blind")
	return ps.store.Blind(ctx, p.stored)
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
			ps.log.Warn().Err(err).Msg("committing a position")
		}
	}
}

// commit moves a partition's row to where memory stands. When the row has moved without us it is taken anew: what was read
// since is a repeat, or a gap that is filled from MySQL.
func (ps *partitions) commit(ctx context.Context, p *partition) error {
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claim == nil || p.at == p.stored.Position {
		return nil
	}
	err := ps.store.Commit(ctx, p.stored, p.at)
	if err == nil {
		p.stored.Position = p.at
		p.claim.MarkStored(p.at.NextOffset)
		return nil
	}
	if errors.Is(err, store.ErrFenced) {
		ps.metrics.fenced.Inc()
		select {
		case <-p.claim.Done():
			return err
		default:
		}
		again, aerr := ps.store.Acquire(ctx, ps.stream, p.stored.Partition, ps.owner)
		if aerr == nil {
			p.stored, p.at = again, again.Position
		}
		return errors.Join(err, aerr)
	}
	if !mysqlx.IsTransient(err) {
		return err
	}
	return nil // tried again at the next tick
}
