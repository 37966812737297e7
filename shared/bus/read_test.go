package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

func TestRead(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		pub := bus.NewPublisher(cfg, "test", true, zerolog.Nop())
		defer func() { require.NoError(t, pub.Close()) }()
		for i := range 5 {
			require.NoError(t, pub.Publish(ctx, contract.TopicEnriched, 1, nil, fmt.Append(nil, "v", i), []contract.Header{{Key: "n", Value: fmt.Sprint(i)}}))
		}
		c := testkit.BusClient(t, cfg)
		read := func(from, to int64) (out []string) {
			require.NoError(t, c.Read(ctx, contract.TopicEnriched, 1, from, to, func(r bus.Record) error {
				out = append(out, fmt.Sprintf("%d %s %s", r.Offset, r.Value, r.Headers["n"]))
				return nil
			}))
			return out
		}
		require.Equal(t, []string{"1 v1 1", "2 v2 2", "3 v3 3"}, read(1, 4))
		require.Empty(t, read(3, 3))
		require.Equal(t, []string{"4 v4 4"}, read(4, 5))
		require.NoError(t, c.Trim(ctx, contract.TopicEnriched, map[int32]int64{1: 3}))
		require.Equal(t, []string{"3 v3 3", "4 v4 4"}, read(0, 5), "what is deleted is left out")
		require.ErrorIs(t, c.Read(ctx, contract.TopicEnriched, 1, 3, 5, func(bus.Record) error { return context.Canceled }), context.Canceled)
		tx, err := bus.NewTransactional(ctx, cfg, "test", "test-read")
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Close()) }()
		require.NoError(t, tx.Send(ctx, []bus.Message{{Topic: contract.TopicAlertsState, Key: []byte("k"), Value: []byte("v")}}))
		p := contract.Home("k", cfg.Partitions)
		var keys []string // offset 1 is the end of the transaction
		require.NoError(t, c.Read(ctx, contract.TopicAlertsState, p, 0, 2, func(r bus.Record) error { keys = append(keys, string(r.Key)); return nil }))
		require.Equal(t, []string{"k"}, keys)
		short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
		defer stop()
		require.ErrorIs(t, c.Read(short, contract.TopicEnriched, 1, 5, 6, nil), context.DeadlineExceeded)
	})
}
