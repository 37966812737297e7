package app

import (
	"fmt"
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

// TestMisplacedLinesWarn: lines on another partition than their service's home are stored, and readiness says whose producer is wrong.
func TestMisplacedLinesWarn(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	a, stop := s.start(t)
	defer stop()
	home := contract.Home("shop", s.kafka.Partitions)
	astray := (home + 1) % s.kafka.Partitions
	line := []byte(`{"service":"shop","message":"m-0"}`)
	s.publish(t, home, contract.ContentTypeJSON, line)
	stored := func(n int) func() bool {
		return func() bool {
			return s.number(t, "SELECT COALESCE(SUM(row_count),0) FROM block WHERE retired_seq IS NULL") == n
		}
	}
	require.Eventually(t, stored(1), 20*time.Second, 50*time.Millisecond)
	require.Empty(t, homes(t, a))
	s.publish(t, astray, contract.ContentTypeJSON, line)
	require.Eventually(t, stored(2), 20*time.Second, 50*time.Millisecond)
	require.Eventually(t, func() bool { return homes(t, a) != "" }, 20*time.Second, 50*time.Millisecond)
	require.Contains(t, homes(t, a), fmt.Sprintf("partitions [%d] get lines", astray))
	require.Equal(t, http.StatusOK, readyz(t, a), "a warning keeps nobody from serving")
}

// homes is what readiness says of lines on wrong partitions.
func homes(t *testing.T, a *App) string {
	t.Helper()
	results, _ := a.health.Run(t.Context())
	for _, r := range results {
		if r.Name == "homes" {
			require.True(t, r.OK, r.Err)
			return r.Warning
		}
	}
	return ""
}
