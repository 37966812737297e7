package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/audit"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
)

// TestKafkaInput: messages on a topic of an application come home once each while two collectors that read it are killed with kill -9,
// INPUT_KILLS times.
func TestKafkaInput(t *testing.T) {
	kills := setting(t, "INPUT_KILLS", 4)
	for name, nodes := range map[string]int{"embedded": 0, "kafka": 1} {
		t.Run(name, func(t *testing.T) {
			s := stack.New(t, nodes)
			topic := "shop.orders"
			p := newTopic(t, s, topic, 4)
			s.Services(1, stack.Processor)
			for i := range 2 {
				name := fmt.Sprintf("reader-%d", i+1)
				s.Start(name, "collector", "COLLECTOR_PORT="+fmt.Sprint(s.Port(name)), "KAFKA_INPUT_TOPICS="+topic+":shop:json", "KAFKA_SESSION_TIMEOUT=6s")
				s.AwaitReady(name)
			}
			rng := rand.New(rand.NewPCG(uint64(setting(t, "INPUT_SEED", 1)), 2))
			sent := map[string]bool{}
			kill := time.Now().Add(6 * time.Second) // both have settled
			for done := 0; done < kills || time.Now().Before(kill); {
				pause(20 * time.Millisecond)
				var batch []*sarama.ProducerMessage
				for range 20 {
					id := fmt.Sprintf("input-%d", len(sent))
					sent[id] = true
					batch = append(batch, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(fmt.Sprintf(`{"level":"info","message":"order %d","%s":%q}`, len(sent), audit.Attribute, id))})
				}
				require.NoError(t, p.SendMessages(batch))
				if now := time.Now(); done < kills && now.After(kill) {
					victim := fmt.Sprintf("reader-%d", 1+rng.IntN(2))
					require.NoError(t, s.Kill(victim))
					require.NoError(t, s.Restart(victim))
					done++
					kill = now.Add(time.Duration(6000+rng.IntN(6000)) * time.Millisecond) // faster than the session time-out, and the group never settles
				}
			}
			awaitLines(t, s, len(sent))
			report := settle(t, s, sent)
			t.Logf("%d messages, %d kills: %s", len(sent), kills, report)
			require.True(t, report.OK(), report.String())
		})
	}
}

// newTopic makes a topic of an application's, and a producer for it.
func newTopic(t *testing.T, s *stack.Stack, topic string, partitions int32) sarama.SyncProducer {
	t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	conf.Producer.Idempotent, conf.Net.MaxOpenRequests = true, 1
	conf.Producer.RequiredAcks, conf.Producer.Return.Successes = sarama.WaitForAll, true
	admin, err := sarama.NewClusterAdmin(s.Kafka.Brokers, conf)
	require.NoError(t, err)
	require.NoError(t, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false))
	require.NoError(t, admin.Close())
	p, err := sarama.NewSyncProducer(s.Kafka.Brokers, conf)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}
