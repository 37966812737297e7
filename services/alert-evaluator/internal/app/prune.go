package app

import (
	"context"
	"time"
)

const (
	pruneEvery = time.Minute
	pruneTurns = 20 // batches a table and minute: more than 300 rows a second for ever, and never the disk's whole attention
)

// pruner deletes old history, on the replica that holds the watch.
type pruner struct {
	watch             *watcher
	events, retention time.Duration
}

func (p *pruner) round(ctx context.Context) {
	if len(p.watch.owned()) == 0 {
		return
	}
	st := p.watch.ps.store
	p.table(ctx, "alert_outbox", p.events, st.PruneEvents)
	p.table(ctx, "alert_instance", p.retention, st.PruneEpisodes)
	p.table(ctx, "streams", p.retention, st.PruneStreams)
}

// table deletes what is older than age from one table; 0 is for ever.
func (p *pruner) table(ctx context.Context, name string, age time.Duration, some func(context.Context, time.Duration) (int64, bool, error)) {
	for more, turn := age > 0, 0; more && turn < pruneTurns && ctx.Err() == nil; turn++ {
		once, cancel := context.WithTimeout(ctx, dbTimeout)
		n, left, err := some(once, age)
		cancel()
		p.watch.ps.metrics.pruned.WithLabelValues(name).Add(float64(n))
		if err != nil && ctx.Err() == nil {
			p.watch.ps.log.Warn().Err(err).Str("table", name).Msg("pruning; tried again in a minute")
		}
		more = left && err == nil
	}
}
