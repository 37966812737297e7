package exact

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

func lines(from, n int) (out []logrec.Record) {
	for i := range n {
		out = append(out, logrec.Record{Service: fmt.Sprint("s", i%7), Message: fmt.Sprint("line ", from+i), Observed: 1})
	}
	return out
}

// quiet is how long nothing comes from a partition that has been read to its end.
const quiet = 2 * time.Second

// committed reads what readers of committed messages see, and which of it is history.
func committed(t *testing.T, cfg config.Kafka) (live, history map[string]int) {
	t.Helper()
	ends, err := testkit.BusClient(t, cfg).EndOffsets(t.Context(), contract.TopicRaw)
	require.NoError(t, err)
	conf := sarama.NewConfig()
	conf.Version, conf.Consumer.IsolationLevel = sarama.V2_8_0_0, sarama.ReadCommitted
	c, err := sarama.NewConsumer(cfg.Brokers, conf)
	require.NoError(t, err)
	defer c.Close()
	live, history = map[string]int{}, map[string]int{}
	for p, end := range ends {
		pc, err := c.ConsumePartition(cfg.Topic(contract.TopicRaw), p, sarama.OffsetOldest)
		require.NoError(t, err)
		for open := true; open; {
			select {
			case m := <-pc.Messages():
				require.Less(t, m.Offset, end)
				into := live
				for _, h := range m.Headers {
					if string(h.Key) == contract.HeaderImport {
						into = history
					}
				}
				var b contract.Batch
				require.NoError(t, b.DecodeOTLP(m.Value))
				for _, r := range b.Records {
					require.Equal(t, p, contract.Home(r.Service, cfg.Partitions))
					into[r.Message]++
				}
			case <-time.After(quiet): // the last offsets are markers, which are no messages
				open = pc.HighWaterMarkOffset() < end
			}
		}
		require.NoError(t, pc.Close())
	}
	return live, history
}

// TestLinesAndPositionsTogether: both are there or neither is; a new owner of the name ends what the old one left open, and fences him.
func TestLinesAndPositionsTogether(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		ctx := context.Background()
		first, err := Open(ctx, cfg, "tail-a", zerolog.Nop())
		require.NoError(t, err)
		defer first.Close()
		got, err := first.Load(ctx, "tail/a/")
		require.NoError(t, err)
		require.Empty(t, got)
		require.NoError(t, first.Commit(ctx, Transaction{Parts: []Part{{Records: lines(0, 50), Import: true}, {Records: lines(50, 50)}}, Positions: []Position{{"tail/a/1", []byte("100")}, {"tail/b/1", []byte("other")}}}))
		require.NoError(t, first.Commit(ctx, Transaction{Positions: []Position{{"tail/a/2", []byte("7")}, {"tail/a/gone", []byte("8")}}}))
		require.NoError(t, first.Commit(ctx, Transaction{Positions: []Position{{"tail/a/gone", nil}}}))

		// The first one begins a transaction and hangs.
		require.NoError(t, first.client.BeginTransaction())
		require.NoError(t, first.produce(Part{Records: lines(900, 50)}))
		first.client.Flush(5000)

		second, err := Open(ctx, cfg, "tail-a", zerolog.Nop())
		require.NoError(t, err)
		defer second.Close()
		got, err = second.Load(ctx, "tail/a/")
		require.NoError(t, err)
		require.Equal(t, map[string][]byte{"tail/a/1": []byte("100"), "tail/a/2": []byte("7")}, got)
		require.NoError(t, second.Commit(ctx, Transaction{Parts: []Part{{Records: lines(100, 50)}}, Positions: []Position{{"tail/a/1", []byte("150")}}}))
		require.ErrorIs(t, fenced(fmt.Errorf("wrapped: %w", retriable(ctx, first.client.CommitTransaction))), ErrFenced)

		live, history := committed(t, cfg)
		require.Len(t, history, 50)
		require.Len(t, live, 100)
		for i := range 150 {
			m := fmt.Sprint("line ", i)
			require.Equal(t, 1, live[m]+history[m], m)
		}
	})
}
