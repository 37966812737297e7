package worker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// storeBlock makes a block of the first used messages in hand, commits it and publishes it.
func (w *Worker) storeBlock(ctx context.Context, used int) error {
	out, err := w.pipe.Finish()
	if err != nil {
		return w.unstorable(ctx, used, "unbuildable", err)
	}
	c := w.remember(store.Commit{From: w.held[0].Offset, To: w.held[used-1].Offset, Watermark: out.Watermark, Stored: w.deps.Now(), Block: out.Block}, out.Dead)
	if err := w.publishDead(ctx, out.Dead); err != nil {
		return err
	}
	if publishFirst {
		if err := w.publish(ctx, w.headers(c, w.progress.PrevTo), c.Block.Data); err != nil {
			return err
		}
	}
	prev := w.progress.PrevTo
	if err := w.commit(ctx, c); err != nil {
		if errors.Is(err, store.ErrRefused) {
			return w.unstorable(ctx, used, "refused", err)
		}
		return err
	}
	w.account(out, used)
	if c.Block.Data != nil && !publishFirst {
		if err := w.publish(ctx, w.headers(c, prev), c.Block.Data); err != nil {
			return err
		}
	}
	w.done()
	return nil
}

// commit is step 3 of a round. After any error the partition has to be read back: nothing is known of it any more.
func (w *Worker) commit(ctx context.Context, c store.Commit) error {
	db, cancel := database(ctx)
	defer cancel()
	started := time.Now()
	next, err := w.deps.Progress.Commit(db, w.progress, c)
	w.deps.Metrics.commitSeconds.Observe(time.Since(started).Seconds())
	if err != nil {
		w.ready = false
		w.deps.Metrics.lostEpoch(err)
		return err
	}
	if next.Watermark > w.progress.Watermark {
		w.moved = time.Now()
	}
	w.progress = next
	w.once.batches.Stored()
	return nil
}

// account follows a commit: the messages are out of our hands, their records are in the windows.
func (w *Worker) account(out pipeline.Output, used int) {
	w.set.Fold(out.Records)
	w.release(used)
	w.single = max(0, w.single-used)
	w.busy = time.Now()
	w.observed = max(w.observed, out.MaxObserved)
	w.deps.Metrics.block(w.progress, out)
	w.deps.Metrics.repeats(w.once)
	w.warnMisplaced(out.Stats.Misplaced)
}

// warnMisplaced says, once in a while, that somebody produces past the homes: rules on those services see only a part of their lines.
func (w *Worker) warnMisplaced(n int) {
	if n == 0 {
		return
	}
	w.astray = time.Now()
	if time.Since(w.warned) < MisplacedEvery {
		return
	}
	w.warned = w.astray
	w.log.Warn().Int("lines", n).Msg("lines of services that are at home on other partitions: alert rules on them are blind; their producer must key by service (murmur2)")
}

// done follows the publish: the round is complete.
func (w *Worker) done() {
	w.mark(w.progress.NextOffset)
	w.trimmable.Store(w.progress.PrevTo)
}

// unstorable deals with messages that make no block or that MySQL refuses. Several are tried one by one; a single one goes to logs.dead
// and counts as processed.
func (w *Worker) unstorable(ctx context.Context, used int, kind string, cause error) error {
	if used > 1 {
		w.single = used
		w.log.Warn().Err(cause).Int("messages", used).Msg("storing messages one by one")
		return nil
	}
	m := &w.held[0]
	if !w.ready { // the refusal may hide that we were fenced
		if err := w.reload(ctx); err != nil {
			return err
		}
		if m.Offset < w.progress.NextOffset {
			return nil
		}
		w.once.judge(m, w.deps.Now()) // the reload has forgotten it
	}
	dead := []pipeline.Dead{{Message: *m, Kind: kind, Reason: cause.Error(), Rows: m.Only}}
	if err := w.publishDead(ctx, dead); err != nil {
		return err
	}
	if err := w.commit(ctx, w.remember(store.Commit{From: m.Offset, To: m.Offset, Watermark: w.progress.Watermark}, dead)); err != nil {
		return err
	}
	w.account(pipeline.Output{Dead: dead}, 1)
	w.done()
	return nil
}

// publishDead sends poison to logs.dead. It comes before the commit, so that a crash between repeats a dead letter and never loses one.
func (w *Worker) publishDead(ctx context.Context, dead []pipeline.Dead) error {
	for _, d := range dead {
		headers := contract.Dead{Error: d.Kind + ": " + d.Reason, Kind: d.Kind, Topic: contract.TopicRaw, Stream: w.progress.Stream, Partition: w.progress.Partition, Offset: d.Message.Offset,
			Time: d.Message.Time, Component: "processor"}.Headers()
		if d.Message.ContentType != "" {
			headers = append(headers, contract.Header{Key: contract.HeaderContentType, Value: d.Message.ContentType})
		}
		key := []byte(strconv.Itoa(int(w.progress.Partition)) + "-" + strconv.FormatInt(d.Message.Offset, 10))
		err := w.persist(ctx, fmt.Sprintf("publishing the dead letter of offset %d", d.Message.Offset), func(ctx context.Context) error {
			return w.deps.Dead.Publish(ctx, contract.TopicDead, -1, key, d.Message.Value, headers)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// headers of a block that has just been built; prev is the To of the block before it.
func (w *Worker) headers(c store.Commit, prev int64) contract.Enriched {
	m := c.Block.Meta
	return contract.Enriched{Stream: w.progress.Stream, Partition: w.progress.Partition, From: c.From, To: c.To, Prev: prev, Rows: m.Rows,
		MinTime: m.MinTime, MaxTime: m.MaxTime, Watermark: c.Watermark, Checksum: m.Checksum}
}

// publish sends a block or a heartbeat to the partition's own number on logs.enriched and does not give up.
func (w *Worker) publish(ctx context.Context, h contract.Enriched, data []byte) error {
	what := fmt.Sprintf("publishing offsets %d to %d", h.From, h.To)
	headers := h.Headers()
	if data != nil {
		headers = append(headers, contract.Header{Key: contract.HeaderContentType, Value: contract.ContentTypeBlock})
	}
	return w.persist(ctx, what, func(ctx context.Context) error {
		return w.deps.Enriched.Publish(ctx, contract.TopicEnriched, w.progress.Partition, nil, data, headers)
	})
}
