package app

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/testkit"
)

// TestTheLeaseIsKeptMeanwhile: an owner of the global shard that takes long over a step does not lose it. Three replicas that each needed more than the
// lease to begin have taken it from each other for ever.
func TestTheLeaseIsKeptMeanwhile(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, testkit.MySQL(t))
	st := store.New(db)
	first := &global{ps: &partitions{store: st, stream: 1, owner: "first", log: zerolog.Nop()}}
	mine, ok, err := st.AcquireGlobal(t.Context(), 1, "first")
	require.NoError(t, err)
	require.True(t, ok)
	age := func() { // as if the owner had been silent for long
		_, err := db.Text.Exec(`UPDATE alert_global SET lease_at = UTC_TIMESTAMP(6) - INTERVAL 10 SECOND`)
		require.NoError(t, err)
	}
	stop := first.keep(t.Context(), mine)
	age()
	require.Eventually(t, func() bool {
		var fresh bool
		require.NoError(t, db.Text.QueryRow(`SELECT lease_at > UTC_TIMESTAMP(6) - INTERVAL 3 SECOND FROM alert_global`).Scan(&fresh))
		return fresh
	}, time.Minute, 50*time.Millisecond)
	_, ok, err = st.AcquireGlobal(t.Context(), 1, "second")
	require.NoError(t, err)
	require.False(t, ok)
	stop()
	age()
	_, ok, err = st.AcquireGlobal(t.Context(), 1, "second")
	require.NoError(t, err)
	require.True(t, ok, "whoever is silent loses it")
}
