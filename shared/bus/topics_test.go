package bus_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// TestTopicsThatExistAreChecked: another partition count, and too small messages, are errors that say what to do.
func TestTopicsThatExistAreChecked(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		client := testkit.BusClient(t, cfg)
		require.NoError(t, client.EnsureTopics(t.Context(), contract.Topics(cfg.Partitions, cfg.Embedded)), "made already, as they must be")
		small := contract.TopicSpec{Name: "small", Partitions: 1, Config: map[string]string{"max.message.bytes": "1000000"}}
		require.NoError(t, client.EnsureTopics(t.Context(), []contract.TopicSpec{small}))
		small.Config = map[string]string{"max.message.bytes": "8388608"}
		err := client.EnsureTopics(t.Context(), []contract.TopicSpec{small})
		require.ErrorIs(t, err, bus.ErrMessageSize)
		require.ErrorContains(t, err, "--add-config max.message.bytes=8388608")
		small.Partitions = 2
		require.ErrorIs(t, client.EnsureTopics(t.Context(), []contract.TopicSpec{small}), bus.ErrPartitions)
	})
}
