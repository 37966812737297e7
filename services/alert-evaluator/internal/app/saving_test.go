package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSnapshotsFollowTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const budget = 200 * time.Millisecond
		s := newSaving()
		work := func(d time.Duration, rows int) {
			began := time.Now()
			time.Sleep(d) // of a clock that is not the world's
			s.worked(began, rows)
		}
		work(199*time.Millisecond, 10)
		require.False(t, s.due(budget))
		work(time.Millisecond, 10)
		require.True(t, s.due(budget), "going through it again would take too long")
		s.size = 5_000_000
		s.saved()
		work(499*time.Millisecond, 10)
		require.False(t, s.due(budget), "a large snapshot is worth it later")
		work(time.Millisecond, 10)
		require.True(t, s.due(budget))
		s.size = 0
		s.saved()
		work(time.Millisecond, snapshotRows)
		require.True(t, s.due(budget))
		s.saved()
		time.Sleep(snapshotEvery)
		require.True(t, s.due(budget))
	})
}
