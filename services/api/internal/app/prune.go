package app

import (
	"context"
	"time"

	"github.com/logmill/logmill/services/api/internal/store"
)

const (
	pruneEvery = 10 * time.Minute
	pruneTurns = 20 // batches a table and round
)

// prune deletes now and then, on one api at a time, what people did long ago and nobody can need.
func (a *App) prune(ctx context.Context, st *store.Store) {
	t := time.NewTicker(pruneEvery)
	defer t.Stop()
	for {
		if err := a.pruneOnce(ctx, st); err != nil && ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("pruning; tried again in ten minutes")
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (a *App) pruneOnce(ctx context.Context, st *store.Store) error {
	return st.Alone(ctx, func() error {
		for _, table := range []struct {
			age  time.Duration
			some func(context.Context, time.Duration) (int64, bool, error)
		}{{a.cfg.VersionRetention, st.PruneVersions}, {a.cfg.AlertRetention, st.PruneCommands}, {a.cfg.AlertRetention, st.PruneSilences}, {a.cfg.AuditRetention, st.PruneAudit}} {
			for more, turn := table.age > 0, 0; more && turn < pruneTurns; turn++ {
				once, cancel := context.WithTimeout(ctx, tryTimeout)
				_, left, err := table.some(once, table.age)
				cancel()
				if err != nil {
					return err
				}
				more = left
			}
		}
		return nil
	})
}
