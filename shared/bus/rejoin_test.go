package bus

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// TestRejoinWaits: longer with each failure in a row, up to a bound; not for the first try, nor after a session that was joined.
func TestRejoinWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRejoin(zerolog.Nop())
		pause := func() time.Duration {
			began := time.Now()
			r.pause()
			return time.Since(began)
		}
		require.Zero(t, pause(), "the first try")
		for _, want := range []time.Duration{100, 200, 400, 800, 1600, 2000, 2000} {
			require.Equal(t, want*time.Millisecond, pause())
		}
		r.joined.Store(true)
		require.Zero(t, pause(), "the session was joined, and ended")
		require.Equal(t, rejoinMin, pause())
		time.AfterFunc(50*time.Millisecond, r.close)
		require.Equal(t, 50*time.Millisecond, pause(), "closed while it waits")
		require.Zero(t, pause())
		r.close()
	})
}
