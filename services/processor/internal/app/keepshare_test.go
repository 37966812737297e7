package app

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/worker"
)

// TestRestEndsWithTheBacklog: work on stored blocks rests fifteen times as long as it worked while ingest is behind, and no longer than once as
// soon as it is not.
func TestRestEndsWithTheBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var backlog atomic.Bool
		backlog.Store(true)
		k := &keeping{owned: func() []worker.State { return []worker.State{{}, {Backlog: backlog.Load()}} }}
		began := time.Now()
		k.rest(t.Context(), 2*time.Second)
		require.Equal(t, 30*time.Second, time.Since(began))
		began = time.Now()
		time.AfterFunc(5*time.Second, func() { backlog.Store(false) })
		k.rest(t.Context(), 2*time.Second)
		require.LessOrEqual(t, time.Since(began), 5*time.Second+keepLook)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		k.rest(ctx, time.Hour)
		require.Zero(t, time.Since(began))
	})
}
