package app

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// TestTrimKeepsTheLastMessage: what is stored is deleted from the embedded broker, but for each partition's last message.
func TestTrimKeepsTheLastMessage(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	client := testkit.BusClient(t, s.kafka)
	_, stop := s.start(t)
	s.send(t, rand.New(rand.NewPCG(5, 5)), 60)
	s.requireExact(t)
	trimmed := func() bool {
		start, err := client.StartOffsets(t.Context(), contract.TopicRaw)
		require.NoError(t, err)
		end, err := client.EndOffsets(t.Context(), contract.TopicRaw)
		require.NoError(t, err)
		for p := range start {
			require.Less(t, start[p], end[p], "partition %d is empty", p)
		}
		return start[0] > 0 && start[1] > 0 && start[2] > 0
	}
	for deadline := time.After(20 * time.Second); !trimmed(); {
		select {
		case <-deadline:
			t.Fatal("nothing was trimmed")
		case <-time.After(200 * time.Millisecond):
		}
	}
	stop()
	_, stop = s.start(t) // reads on behind the trimmed part
	s.send(t, rand.New(rand.NewPCG(6, 6)), 10)
	s.requireExact(t)
	stop()
}

// TestLostLog: MySQL says that more was stored than the broker has. Nothing goes on, and health says why.
func TestLostLog(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	_, stop := s.start(t)
	s.send(t, rand.New(rand.NewPCG(5, 5)), 20)
	s.requireExact(t)
	stop()
	_, err := s.db.Text.ExecContext(t.Context(), "UPDATE partition_progress SET next_offset = 1000000, windows_through = 1000000")
	require.NoError(t, err)
	a, stop := s.start(t)
	require.Eventually(t, func() bool {
		return a.health != nil && readyz(t, a) == http.StatusServiceUnavailable && lostShown(t, a)
	}, 20*time.Second, 100*time.Millisecond)
	require.Equal(t, 3, s.number(t, "SELECT COUNT(*) FROM partition_progress WHERE next_offset = 1000000"))
	stop()
}

func lostShown(t *testing.T, a *App) bool {
	t.Helper()
	results, _ := a.health.Run(t.Context())
	for _, r := range results {
		if r.Name == "partitions" && !r.OK {
			require.Contains(t, r.Err, "the broker does not have stored offset 1000000")
			return true
		}
	}
	return false
}
