package produce

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

func newProducer(t *testing.T, cfg config.Kafka) *Producer {
	t.Helper()
	p, err := New(Config{Kafka: cfg, Linger: time.Millisecond, Deadline: 30 * time.Second, MemoryMB: 16}, cfg.Partitions, zerolog.Nop(), NewMetrics(prometheus.NewRegistry()))
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Close(t.Context()) })
	return p
}

// each reads all messages that are on logs.raw now.
func each(t *testing.T, cfg config.Kafka, f func(partition int32, m *sarama.ConsumerMessage)) {
	t.Helper()
	end, err := testkit.BusClient(t, cfg).EndOffsets(t.Context(), contract.TopicRaw)
	require.NoError(t, err)
	sc := sarama.NewConfig()
	sc.Version = sarama.V2_8_0_0
	c, err := sarama.NewConsumer(cfg.Brokers, sc)
	require.NoError(t, err)
	defer c.Close()
	for p, e := range end {
		if e == 0 {
			continue
		}
		pc, err := c.ConsumePartition(cfg.Topic(contract.TopicRaw), p, 0)
		require.NoError(t, err)
		for m := range pc.Messages() {
			f(p, m)
			if m.Offset+1 >= e {
				break
			}
		}
		require.NoError(t, pc.Close())
	}
}

func headersOf(m *sarama.ConsumerMessage) map[string]string {
	headers := map[string]string{}
	for _, h := range m.Headers {
		headers[string(h.Key)] = string(h.Value)
	}
	return headers
}

// identities are those of all messages that are on logs.raw now, by partition and in the log's order.
func identities(t *testing.T, cfg config.Kafka) map[int32][]contract.Identity {
	t.Helper()
	out := map[int32][]contract.Identity{}
	each(t, cfg, func(p int32, m *sarama.ConsumerMessage) {
		out[p] = append(out[p], contract.ParseIdentity(headersOf(m)))
	})
	return out
}

func record(service int) []logrec.Record {
	return []logrec.Record{{Service: fmt.Sprint("svc-", service), Message: "m"}}
}

// TestBatchesAreNumberedInTheLogsOrder is what the processor builds on: of one producer's messages on a partition, each is numbered above all before it.
func TestBatchesAreNumberedInTheLogsOrder(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		p := newProducer(t, cfg)
		var wg sync.WaitGroup
		for c := range 8 {
			wg.Go(func() {
				for i := range 100 {
					if err := p.Send(t.Context(), record(c*100+i)); err != nil {
						t.Errorf("sending: %v", err)
					}
				}
			})
		}
		wg.Wait()
		all := identities(t, cfg)
		require.Len(t, all, int(cfg.Partitions))
		for partition, ids := range all {
			require.Greater(t, len(ids), 10, "too few batches to show an order")
			for i, id := range ids {
				require.Equal(t, contract.Identity{Producer: p.client.id, Sequence: int64(i + 1)}, id, "partition %d", partition)
			}
		}
	})
}

// TestANewKafkaProducerIsANewOne: an instance that failed for good may have written what it did not hear of, so its numbers must not be used again.
func TestANewKafkaProducerIsANewOne(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	p := newProducer(t, cfg)
	require.NoError(t, p.Send(t.Context(), record(1)))
	old := p.client
	require.Equal(t, kafka.ErrNoError, old.TestFatalError(kafka.ErrOutOfOrderSequenceNumber, "as if the broker had lost its data"))
	require.Eventually(t, func() bool {
		p.mu.RLock()
		defer p.mu.RUnlock()
		return p.client != old
	}, 20*time.Second, 5*time.Millisecond)
	require.NoError(t, p.Send(t.Context(), record(1)))
	ids := identities(t, cfg)[contract.Home("svc-1", cfg.Partitions)]
	require.Equal(t, []contract.Identity{{Producer: old.id, Sequence: 1}, {Producer: p.client.id, Sequence: 1}}, ids)
	require.NotEqual(t, old.id, p.client.id)
}

// TestARequestWithAKeyHasMessagesOfItsOwn: one a home partition, beside what others send, and none when one of them would be too large.
func TestARequestWithAKeyHasMessagesOfItsOwn(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		p := newProducer(t, cfg)
		var recs []logrec.Record
		for i := range 300 {
			recs = append(recs, logrec.Record{Service: fmt.Sprint("svc-", i%7), Message: strings.Repeat("m", 9000)}) // 2.7 MB: more than one batch
		}
		req := contract.Request{Key: contract.KeyOf("", "k"), Fingerprint: 7}
		huge := append(slices.Clone(recs), record(1)...)
		huge[300].Message = strings.Repeat("m", contract.MaxRequestBytes)
		require.Equal(t, fault.TooBig, fault.KindOf(p.SendOnce(t.Context(), huge, req)))
		require.NoError(t, p.Send(t.Context(), recs[:10]))
		require.NoError(t, p.SendOnce(t.Context(), recs, req))
		require.NoError(t, p.SendOnce(t.Context(), nil, req))
		keyed, others := map[int32]int{}, 0
		each(t, cfg, func(partition int32, m *sarama.ConsumerMessage) {
			if contract.ParseRequest(headersOf(m)) == req {
				var b contract.Batch
				require.NoError(t, b.DecodeRaw(contract.ContentTypeOTLP, m.Value, 0))
				require.Zero(t, keyed[partition], "two messages in partition %d", partition)
				keyed[partition] = len(b.Records)
				return
			}
			others++
		})
		total := 0
		for _, n := range keyed {
			total += n
		}
		require.Equal(t, 300, total)
		require.LessOrEqual(t, others, int(cfg.Partitions))
		require.Positive(t, others)
	})
}
