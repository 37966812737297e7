package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// ByKey as a partition lets the key choose (murmur2).
const ByKey int32 = -1

// Publisher sends to explicit partitions: idempotent, acknowledged by all in-sync replicas. It connects at the first message,
// and again after a failure. Safe for concurrent use.
type Publisher struct {
	cfg      config.Kafka
	clientID string
	codec    sarama.CompressionCodec
	log      zerolog.Logger
	mu       sync.Mutex
	inner    *connection
	shut     bool
}

// connection counts who is sending on it: sarama closes the channel that senders write to, so closing it under one of them ends the process.
type connection struct {
	*kafka.Publisher
	senders sync.WaitGroup // Add only under Publisher.mu and while it is Publisher.inner
}

// closeIdle waits for the senders, whose time-outs bound it.
func (c *connection) closeIdle() error {
	c.senders.Wait()
	return c.Close()
}

// NewPublisher makes a publisher. Values are compressed with lz4 unless compressed says that they are already.
func NewPublisher(cfg config.Kafka, clientID string, compressed bool, log zerolog.Logger) *Publisher {
	codec := sarama.CompressionLZ4
	if compressed {
		codec = sarama.CompressionNone
	}
	return &Publisher{cfg: cfg, clientID: clientID, codec: codec, log: log}
}

var errClosed = errors.New("the publisher is closed")

// Publish sends one message and returns when it is acknowledged. After an error it may have been written or not.
func (p *Publisher) Publish(ctx context.Context, topic string, partition int32, key, value []byte, headers []contract.Header) error {
	_, err := within(ctx, func() (struct{}, error) {
		inner, err := p.connect()
		if err != nil {
			return struct{}{}, err
		}
		defer inner.senders.Done()
		msg := message.NewMessage("", value)
		msg.SetContext(context.WithValue(context.Background(), outgoingKey{}, outgoing{partition, key, headers}))
		if err := inner.Publish(p.cfg.Topic(topic), msg); err != nil {
			p.drop(inner)
			return struct{}{}, err
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("publishing to %s/%d: %w", p.cfg.Topic(topic), partition, err)
	}
	return nil
}

// connect returns a connection with the caller counted among its senders.
func (p *Publisher) connect() (*connection, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return nil, errClosed
	}
	if p.inner == nil {
		conf, err := producerConfig(p.cfg, p.clientID, p.codec)
		if err != nil {
			return nil, err
		}
		inner, err := kafka.NewPublisher(kafka.PublisherConfig{Brokers: p.cfg.Brokers, Marshaler: marshaler{}, OverwriteSaramaConfig: conf}, Logger(p.log))
		if err != nil {
			return nil, err
		}
		p.inner = &connection{Publisher: inner}
	}
	p.inner.senders.Add(1)
	return p.inner, nil
}

// drop forgets a publisher that failed: an idempotent producer whose sequence broke never recovers by itself.
func (p *Publisher) drop(inner *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inner != inner {
		return
	}
	p.inner = nil
	go func() { _ = inner.closeIdle() }() // other partitions may be sending on it
}

// Close ends the connection.
func (p *Publisher) Close() error {
	p.mu.Lock()
	inner := p.inner
	p.inner, p.shut = nil, true
	p.mu.Unlock()
	if inner == nil {
		return nil
	}
	return inner.closeIdle()
}

type outgoingKey struct{}

// outgoing is what Watermill's message has no place for.
type outgoing struct {
	partition int32
	key       []byte
	headers   []contract.Header
}

type marshaler struct{}

func (marshaler) Marshal(topic string, msg *message.Message) (*sarama.ProducerMessage, error) {
	out, ok := msg.Context().Value(outgoingKey{}).(outgoing)
	if !ok {
		return nil, errors.New("a message without partition")
	}
	pm := &sarama.ProducerMessage{Topic: topic, Partition: out.partition, Value: sarama.ByteEncoder(msg.Payload)}
	if out.key != nil {
		pm.Key = sarama.ByteEncoder(out.key)
	}
	for _, h := range out.headers {
		pm.Headers = append(pm.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: []byte(h.Value)})
	}
	return pm, nil
}

// partitioner obeys an explicit partition, else places by key as Kafka's Java client does.
type partitioner struct{ unkeyed sarama.Partitioner }

func newPartitioner(topic string) sarama.Partitioner {
	return partitioner{sarama.NewRoundRobinPartitioner(topic)}
}

func (p partitioner) Partition(m *sarama.ProducerMessage, n int32) (int32, error) {
	if m.Partition != ByKey {
		return m.Partition, nil
	}
	if m.Key == nil {
		return p.unkeyed.Partition(m, n)
	}
	key, err := m.Key.Encode()
	if err != nil {
		return 0, fmt.Errorf("encoding the key: %w", err)
	}
	return contract.Home(string(key), n), nil
}

func (partitioner) RequiresConsistency() bool { return true }
