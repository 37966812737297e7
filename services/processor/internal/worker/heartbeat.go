package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// heartbeatEvery is how long the watermark may stand still now.
func (w *Worker) heartbeatEvery() time.Duration {
	if time.Since(w.busy) >= QuietAfter {
		return QuietHeartbeat
	}
	return Heartbeat
}

// heartbeat moves the watermark of a partition that has nothing to do. The clock is read before the log's end is asked for: a record
// that comes after the answer is evaluated above the watermark, by the rule for every record.
func (w *Worker) heartbeat(ctx context.Context) error {
	now := w.deps.Now()
	end, err := w.end(ctx)
	if err != nil {
		return err
	}
	if end < w.progress.NextOffset {
		w.ready = false
		return w.lost(end)
	}
	if end > w.progress.NextOffset {
		w.moved = time.Now() // asked again after another interval, not at once
		return w.unstick(ctx)
	}
	w.stuck = time.Time{}
	w.once.newest = max(w.once.newest, now) // nothing older waits
	return w.beat(ctx, w.progress.NextOffset, now-int64(pipeline.WatermarkLag))
}

// beat commits position and watermark without a block and publishes a heartbeat.
func (w *Worker) beat(ctx context.Context, next, watermark int64) error {
	watermark = max(watermark, w.progress.Watermark)
	if err := w.commit(ctx, store.Commit{From: next, To: next - 1, Watermark: watermark}); err != nil {
		return err
	}
	w.moved = time.Now() // even if it stands still: our clock may lie behind the stored watermark
	w.deps.Metrics.heartbeat(w.progress)
	if err := w.publish(ctx, w.beatHeaders(), nil); err != nil {
		return err
	}
	w.mark(w.progress.NextOffset)
	return nil
}

// beatHeaders: all below next_offset is stored, and Prev is the newest block.
func (w *Worker) beatHeaders() contract.Enriched {
	return contract.Enriched{Stream: w.progress.Stream, Partition: w.progress.Partition, From: w.progress.NextOffset, To: w.progress.NextOffset - 1,
		Prev: w.progress.PrevTo, Watermark: w.progress.Watermark}
}

// unstick is for a log whose end lies beyond us while nothing arrives: markers of transactions take up offsets and are never
// delivered. They are passed when the broker itself shows that no record is left there.
func (w *Worker) unstick(ctx context.Context) error {
	if w.stuck.IsZero() {
		w.stuck = time.Now()
	}
	if time.Since(w.stuck) < StuckAfter || w.queue.Bytes() > 0 {
		return nil
	}
	once, cancel := context.WithTimeout(ctx, BrokerTimeout)
	defer cancel()
	next, err := w.deps.Log.Vacant(once, w.progress.Partition, w.progress.NextOffset)
	if err != nil {
		return fmt.Errorf("looking for records from offset %d: %w", w.progress.NextOffset, err)
	}
	if next <= w.progress.NextOffset {
		return nil // on its way, or a transaction is open
	}
	w.log.Debug().Int64("from", w.progress.NextOffset).Int64("to", next).Msg("offsets hold no records")
	return w.beat(ctx, next, w.progress.Watermark)
}

func (w *Worker) end(ctx context.Context) (int64, error) {
	once, cancel := context.WithTimeout(ctx, BrokerTimeout)
	defer cancel()
	end, err := w.deps.Log.End(once, w.progress.Partition)
	if err != nil {
		return 0, fmt.Errorf("asking for the log's end: %w", err)
	}
	return end, nil
}
