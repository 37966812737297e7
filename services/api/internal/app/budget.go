package app

import (
	"context"
	"time"

	"github.com/logmill/logmill/services/api/internal/httpapi"
	"github.com/logmill/logmill/services/api/internal/quota"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/windows"
)

// budgets are what one query, and one caller, may use up.
func budgets(cfg Config, query search.Budget) httpapi.Budgets {
	return httpapi.Budgets{Quota: quota.New(quota.Config{AtOnce: cfg.CallerQueries, PerMinute: cfg.CallerBudget}, time.Now), Query: query, Slow: cfg.SlowQuery}
}

// MemoryLimit is what the Go runtime is to keep below, bytes: what the api keeps, a quarter more for garbage, and room for what queries work on.
// Beyond it garbage is collected more often instead of the process growing to twice of what it keeps.
func (c Config) MemoryLimit() int64 { return c.MemoryMB<<20 + c.MemoryMB<<18 + 256<<20 }

// minutes gives the engine the windows that are in memory.
func minutes(r *windows.Resident) search.Windows {
	return func(ctx context.Context) (search.Minutes, error) {
		s, err := r.Fresh(ctx)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}
