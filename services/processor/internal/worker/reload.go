package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// reload takes the partition (again), and makes memory what MySQL has: progress, windows, and the last block on logs.enriched.
func (w *Worker) reload(ctx context.Context) error {
	if err := w.acquire(ctx); err != nil {
		return err
	}
	if err := w.checkLog(ctx); err != nil {
		return err
	}
	w.recall()
	if err := w.refold(ctx); err != nil {
		return err
	}
	if err := w.publishLast(ctx); err != nil {
		return err
	}
	w.ready = true
	w.done()
	return nil
}

// acquire takes a new epoch, unless the one from the assignment is still unused. Whoever lost the claim must not take one: that would
// fence the new owner.
func (w *Worker) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.fresh {
		w.fresh = false
		return nil
	}
	db, cancel := database(ctx)
	defer cancel()
	p, err := w.deps.Progress.Acquire(db, w.progress.Stream, w.progress.Partition, w.cfg.Owner)
	if err != nil {
		return err
	}
	w.log.Info().Int64("epoch", p.Epoch).Int64("offset", p.NextOffset).Msg("partition acquired again")
	w.progress = p
	return nil
}

// checkLog compares what is stored with what the broker has. A log that ends before it is another log: going on would skip its records.
func (w *Worker) checkLog(ctx context.Context) error {
	end, err := w.end(ctx)
	if err != nil {
		return err
	}
	if end < w.progress.NextOffset {
		return w.lost(end)
	}
	return nil
}

func (w *Worker) lost(end int64) error {
	return fmt.Errorf("%w (stored up to %d, log ends at %d)", errLost, w.progress.NextOffset, end)
}

// refold counts the blocks that the windows in MySQL do not hold yet.
func (w *Worker) refold(ctx context.Context) error {
	w.set = window.NewSet(w.progress.HoursFrom)
	folded := 0
	for at := w.progress.WindowsThrough; at < w.progress.NextOffset; {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, ok, err := w.blockFrom(ctx, at)
		if err != nil {
			return err
		}
		if !ok || b.From >= w.progress.NextOffset {
			break
		}
		if err := w.foldBlock(b, at); err != nil {
			return err
		}
		at = b.To + 1
		if folded++; folded%RefoldBlocks == 0 || w.set.Cells() > window.MaxCells {
			if err := w.writeWindows(at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Worker) blockFrom(ctx context.Context, offset int64) (store.Block, bool, error) {
	db, cancel := database(ctx)
	defer cancel()
	return w.deps.Blocks.BlockFrom(db, w.progress, offset)
}

// foldBlock counts the records of b from offset on: a compacted block may begin before it. A damaged block is reported and left out of
// the windows; it must not hold up what comes after it.
func (w *Worker) foldBlock(b store.Block, offset int64) error {
	recs, err := w.deps.Decode(b.Data)
	if err != nil {
		return w.damaged(b, err)
	}
	w.set.Fold(fromOffset(recs, offset))
	return nil
}

// DecodeBlock reads all records of a block.
func DecodeBlock(data []byte) ([]logrec.Record, error) {
	r, err := block.Open(data)
	if err != nil {
		return nil, err
	}
	return r.Records(nil)
}

func (w *Worker) damaged(b store.Block, err error) error {
	w.log.Error().Err(err).Int64("from", b.From).Int64("to", b.To).Msg("a stored block is damaged and missing in the windows")
	w.deps.Metrics.damaged.Inc()
	return nil
}

func fromOffset(recs []logrec.Record, offset int64) []logrec.Record {
	kept := recs[:0]
	for _, r := range recs {
		if r.SrcOffset >= offset {
			kept = append(kept, r)
		}
	}
	return kept
}

// publishLast publishes the newest block again: the owner before may have died between commit and publish.
func (w *Worker) publishLast(ctx context.Context) error {
	db, cancel := database(ctx)
	defer cancel()
	b, ok, err := w.deps.Blocks.LastBlock(db, w.progress)
	if err != nil || !ok {
		return err
	}
	w.progress.PrevTo = b.To
	m := b.Meta
	return w.publish(ctx, contract.Enriched{Stream: w.progress.Stream, Partition: w.progress.Partition, From: b.From, To: b.To, Prev: b.PrevTo,
		Rows: m.Rows, MinTime: m.MinTime, MaxTime: m.MaxTime, Watermark: b.Watermark, Checksum: m.Checksum}, b.Data)
}

// writeWindows writes all windows that changed, as of offset through (exclusive). After an error memory and MySQL may differ:
// everything is read back.
func (w *Worker) writeWindows(through int64) error {
	err := w.tryWriteWindows(through)
	if err != nil {
		w.ready = false
		w.deps.Metrics.lostEpoch(err)
	}
	return err
}

func (w *Worker) tryWriteWindows(through int64) error {
	w.written, w.pace = time.Now(), WindowsEvery
	db, cancel := database(context.Background())
	defer cancel()
	if err := w.loadWindows(db); err != nil {
		return err
	}
	if through > w.progress.WindowsThrough {
		c := w.set.Changed()
		next, err := w.deps.Windows.SaveWindows(db, w.progress, through, c)
		if err != nil {
			return err
		}
		w.progress, w.pace = next, paceOf(c.Rows())
	}
	w.set.Written()
	return nil
}

// paceOf is how long to wait after a write of so many rows.
func paceOf(rows int) time.Duration {
	return min(max(WindowsEvery, time.Duration(rows)*time.Second/WindowRows), WindowsSlowest)
}

// loadWindows reads the windows that changed in memory and may be in MySQL from before.
func (w *Worker) loadWindows(ctx context.Context) error {
	starts := w.set.Missing()
	if starts.Empty() {
		return nil
	}
	found, damaged, err := w.deps.Windows.Windows(ctx, w.progress, starts)
	if err != nil {
		return err
	}
	if damaged > 0 {
		w.log.Error().Int("windows", damaged).Msg("windows in MySQL are damaged; their counts, or their percentiles, start anew")
	}
	w.set.Load(starts, found)
	return nil
}

// lastWrite spares the next owner the refold. It may fail: then the blocks are folded again.
func (w *Worker) lastWrite() {
	if !w.ready || w.progress.WindowsThrough == w.progress.NextOffset {
		return
	}
	if err := w.writeWindows(w.progress.NextOffset); err != nil {
		w.log.Info().Err(err).Msg("windows not written at the end, the next owner folds them again")
	}
}
