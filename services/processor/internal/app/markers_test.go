package app

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

func transactional(t *testing.T, kafka config.Kafka) sarama.SyncProducer {
	t.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Transaction.ID = kafka.TopicPrefix + "tx"
	p, err := sarama.NewSyncProducer(kafka.Brokers, c)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// TestTransactionMarkers: markers and aborted records occupy offsets that are never delivered, and an open transaction hides records that
// will be. The first are passed, the second never.
func TestTransactionMarkers(t *testing.T) {
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		s := newSystem(t, kafka)
		client := testkit.BusClient(t, kafka)
		_, stop := s.start(t)
		s.send(t, rand.New(rand.NewPCG(9, 9)), 3)
		p := transactional(t, kafka)
		end := func() int64 {
			off, err := client.EndOffset(t.Context(), contract.TopicRaw, 1)
			require.NoError(t, err)
			return off
		}
		next := func() int64 {
			return int64(s.number(t, "SELECT COALESCE(SUM(next_offset), 0) FROM partition_progress WHERE part = 1"))
		}
		send := func(text string) {
			var enc contract.Encoder
			now := time.Now().UnixNano()
			enc.Add(&logrec.Record{Service: "tx", Level: logrec.LevelError, Message: text, Timestamp: now, Observed: now})
			_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: kafka.Topic(contract.TopicRaw), Partition: 1, Value: sarama.ByteEncoder(enc.AppendTo(nil))})
			require.NoError(t, err)
		}
		require.NoError(t, p.BeginTxn())
		send("committed")
		s.sent++
		require.NoError(t, p.CommitTxn())
		require.NoError(t, p.BeginTxn())
		send("aborted")
		require.NoError(t, p.AbortTxn())
		require.Eventually(t, func() bool { return next() == end() }, 20*time.Second, 50*time.Millisecond, "markers at the log's end")

		stored := end()
		require.NoError(t, p.BeginTxn())
		send("open")
		require.Never(t, func() bool { return next() > stored }, 3*time.Second, 100*time.Millisecond, "an open transaction is not vacant")
		require.NoError(t, p.CommitTxn())
		s.sent++
		s.requireExact(t)
		stop()
	})
}
