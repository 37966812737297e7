package testkit

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/logmill/logmill/shared/broker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// partitions of test topics: enough to be more than one, few enough to be fast.
const partitions = 3

// Kafka is an embedded broker of the test's own, with all topics made.
func Kafka(t testing.TB) config.Kafka {
	t.Helper()
	b, err := broker.Start(broker.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("starting the embedded broker: %v", err)
	}
	t.Cleanup(b.Close)
	cfg := config.Kafka{Brokers: []string{b.Addr()}, Partitions: partitions, Embedded: true}
	ensureTopics(t, cfg)
	return cfg
}

// RealKafka is a real Kafka (LOGMILL_TEST_KAFKA, else one started for all tests) with topics of the test's own, behind a prefix.
func RealKafka(t testing.TB) config.Kafka {
	t.Helper()
	brokers := os.Getenv("LOGMILL_TEST_KAFKA")
	if brokers == "" {
		brokers = servers(t, "kafka")["KAFKA_BROKERS"]
	}
	cfg := config.Kafka{Brokers: strings.Split(brokers, ","), Partitions: partitions, TopicPrefix: "test-" + unique(t) + "."}
	ensureTopics(t, cfg)
	return cfg
}

// EachKafka runs f on the embedded broker and on a real Kafka.
func EachKafka(t *testing.T, f func(t *testing.T, cfg config.Kafka)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); f(t, Kafka(t)) })
	t.Run("kafka", func(t *testing.T) { t.Parallel(); f(t, RealKafka(t)) })
}

// BusClient is a client that is closed after the test.
func BusClient(t testing.TB, cfg config.Kafka) *bus.Client {
	t.Helper()
	c, err := bus.NewClient(cfg, "test")
	if err != nil {
		t.Fatalf("connecting to Kafka: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func ensureTopics(t testing.TB, cfg config.Kafka) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, specs := BusClient(t, cfg), contract.Topics(cfg.Partitions, cfg.Embedded)
	if err := client.EnsureTopics(ctx, specs); err != nil {
		t.Fatalf("making topics: %v", err)
	}
	for _, s := range specs {
		awaitTopic(ctx, t, client, s.Name)
	}
}

// awaitTopic waits until the broker knows a topic that it has made: one that is busy answers before it does.
func awaitTopic(ctx context.Context, t testing.TB, client *bus.Client, topic string) {
	t.Helper()
	for {
		_, _, _, err := client.Identity(ctx, topic)
		if err == nil {
			_, err = client.EndOffsets(ctx, topic)
		}
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waiting for topic %s: %v", topic, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
