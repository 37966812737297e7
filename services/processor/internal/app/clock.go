//go:build !history

package app

import (
	"time"

	"github.com/logmill/logmill/shared/block"
)

// retiredFor is how long blocks stay readable after they were replaced or removed.
func retiredFor() time.Duration { return block.RetiredFor }

// now is the clock of eval_time and watermarks: MySQL's.
func (a *App) now() func() int64 { return a.clock.Now }
