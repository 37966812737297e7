package produce

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/rdkafka"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// ErrDeadline is a request that Kafka did not acknowledge in time. Its records may be stored, or come to be.
var ErrDeadline = errors.New("Kafka did not acknowledge in time")

// ErrClosed is a producer that has been shut down.
var ErrClosed = errors.New("the producer is closed")

// Config is what users set.
type Config struct {
	Kafka    config.Kafka
	Linger   time.Duration // how long a batch waits for more
	Deadline time.Duration // how long a request waits for Kafka
	MemoryMB int           // of messages on their way
}

// Producer sends records home. Safe for concurrent use.
type Producer struct {
	cfg      Config
	log      zerolog.Logger
	metrics  *Metrics
	batchers []*batcher
	topic    string

	partitions int32

	mu     sync.RWMutex // guards client against its replacement after a fatal error
	client *client
	closed bool
	drains sync.WaitGroup
}

// client is one Kafka producer, and the identity of its messages. librdkafka keeps the order in which a partition's messages were handed to
// it, through all its retries, but one instance knows nothing of another: each has an id of its own.
type client struct {
	*kafka.Producer
	id       contract.ProducerID
	sequence []int64 // of the newest message, a partition; guarded by the partition's batcher, which also keeps the order
}

// New makes a producer for a topic of the given partition count. It does not wait for a broker.
func New(cfg Config, partitions int32, log zerolog.Logger, m *Metrics) (*Producer, error) {
	p := &Producer{cfg: cfg, log: log.With().Str("component", "produce").Logger(), metrics: m, topic: cfg.Kafka.Topic(contract.TopicRaw), partitions: partitions}
	var err error
	if p.client, err = p.connect(); err != nil {
		return nil, err
	}
	for i := range partitions {
		p.batchers = append(p.batchers, &batcher{partition: i, linger: cfg.Linger, send: p.send})
	}
	return p, nil
}

// Send puts records into batches and waits until all of them are acknowledged. It has copied recs when it returns, and when it
// waits. Errors: ErrDeadline, a delivery that failed, ctx's; after each of them some records may be stored.
func (p *Producer) Send(ctx context.Context, recs []logrec.Record) error {
	if len(recs) == 0 {
		return nil
	}
	t := newTicket()
	for home, places := range p.homes(recs) {
		if len(places) > 0 {
			p.batchers[home].add(recs, places, t)
		}
	}
	t.settle(nil)
	return p.wait(ctx, t)
}

// wait for Kafka's acknowledgement of all of a request's batches.
func (p *Producer) wait(ctx context.Context, t *ticket) error {
	deadline := time.NewTimer(p.cfg.Deadline)
	defer deadline.Stop()
	select {
	case <-t.done:
		return t.result()
	case <-deadline.C:
		return ErrDeadline
	case <-ctx.Done():
		return ctx.Err()
	}
}

// homes are the places of the records in recs, by home partition.
func (p *Producer) homes(recs []logrec.Record) [][]int32 {
	n := int32(len(p.batchers))
	homes := make([][]int32, n)
	last, home := "", int32(0)
	for i := range recs {
		if s := recs[i].Service; s != last || i == 0 {
			last, home = s, contract.Home(s, n)
		}
		homes[home] = append(homes[home], int32(i))
	}
	return homes
}

// send hands a batch to librdkafka, which reports on events. It never blocks. Its caller is the partition's batcher, one batch at a time.
func (p *Producer) send(b *batch) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		b.settle(ErrClosed)
		return
	}
	err := p.client.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &p.topic, Partition: b.partition},
		Key:            b.key, Value: b.value, Opaque: b,
		Headers: p.client.headers(b),
	}, nil)
	if err != nil {
		p.metrics.failed.WithLabelValues("refused").Inc()
		b.settle(fmt.Errorf("queueing a batch: %w", err))
		return
	}
	p.metrics.inFlight.Add(float64(len(b.value)))
}

// headers of a batch that is its partition's next message.
func (c *client) headers(b *batch) []kafka.Header {
	c.sequence[b.partition]++ // a message that is then refused leaves a gap, which does no harm
	identity := contract.Identity{Producer: c.id, Sequence: c.sequence[b.partition]}
	out := []kafka.Header{{Key: contract.HeaderContentType, Value: []byte(contract.ContentTypeOTLP)}}
	for _, h := range append(identity.Headers(), b.request.Headers()...) {
		out = append(out, kafka.Header{Key: h.Key, Value: []byte(h.Value)})
	}
	return out
}

func (p *Producer) connect() (*client, error) {
	out := &client{sequence: make([]int64, p.partitions)}
	if _, err := rand.Read(out.id[:]); err != nil {
		return nil, fmt.Errorf("choosing a producer id: %w", err)
	}
	c, err := kafka.NewProducer(rdkafka.Config(p.cfg.Kafka, kafka.ConfigMap{
		"enable.idempotence":                 true,
		"acks":                               "all",
		"compression.type":                   "lz4",
		"linger.ms":                          0, // batches are made here
		"message.max.bytes":                  contract.MaxMessageBytes,
		"message.timeout.ms":                 int(messageTimeout.Milliseconds()),
		"socket.timeout.ms":                  int(socketTimeout.Milliseconds()),
		"queue.buffering.max.kbytes":         p.cfg.MemoryMB<<10 + queueSlack,
		"queue.buffering.max.messages":       100000,
		"go.events.channel.size":             eventsBuffer,
		"go.delivery.report.fields":          "none", // the opaque is all we need
		"topic.metadata.refresh.interval.ms": 60000,
	}))
	if err != nil {
		return nil, fmt.Errorf("making the Kafka producer: %w", err)
	}
	out.Producer = c
	p.drains.Add(2)
	go p.drainEvents(c)
	go p.drainLogs(c)
	return out, nil
}

func (p *Producer) drainEvents(c *kafka.Producer) {
	defer p.drains.Done()
	var quiet time.Time
	for e := range c.Events() {
		switch ev := e.(type) {
		case *kafka.Message:
			p.delivered(ev)
		case kafka.Error:
			if ev.IsFatal() {
				p.replace(c, ev)
			} else if time.Since(quiet) > errorLogEvery {
				quiet = time.Now()
				p.log.Warn().Err(ev).Msg("Kafka does not answer as it should")
			}
		}
	}
}

func (p *Producer) drainLogs(c *kafka.Producer) {
	defer p.drains.Done()
	for l := range c.Logs() {
		p.log.Debug().Int("rdkafka_level", l.Level).Msg(l.Message)
	}
}

func (p *Producer) delivered(m *kafka.Message) {
	b, ok := m.Opaque.(*batch)
	if !ok {
		return
	}
	p.metrics.inFlight.Sub(float64(len(b.value)))
	if err := m.TopicPartition.Error; err != nil {
		p.metrics.failed.WithLabelValues("delivery").Inc()
		b.settle(fmt.Errorf("delivering to %s/%d: %w", p.topic, b.partition, err))
		return
	}
	p.metrics.delivery.Observe(time.Since(b.begun).Seconds())
	p.metrics.batches.Inc()
	p.metrics.sent(len(b.value))
	p.metrics.batchBytes.Observe(float64(len(b.value)))
	p.metrics.batchRecords.Observe(float64(b.records))
	b.settle(nil)
}

// replace puts a new client in the place of one with a fatal error, which is dead for good. What was in flight on the old one
// fails: it may have been written, and sending it again by ourselves could write it twice.
func (p *Producer) replace(old *kafka.Producer, cause kafka.Error) {
	p.log.Error().Err(cause).Msg("the Kafka producer failed for good and is replaced")
	p.metrics.restarts.Inc()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client.Producer != old || p.closed {
		return
	}
	fresh, err := p.connect()
	if err != nil {
		p.log.Error().Err(err).Msg("no new Kafka producer could be made")
		return
	}
	p.client = fresh
	go func() {
		_ = old.Purge(kafka.PurgeQueue | kafka.PurgeInFlight)
		old.Flush(int(closeTimeout.Milliseconds()))
		old.Close()
	}()
}

// Close sends what waits, gives Kafka until ctx ends, and fails the rest.
func (p *Producer) Close(ctx context.Context) error {
	for _, b := range p.batchers {
		b.drain()
	}
	p.mu.Lock()
	p.closed = true
	client := p.client
	p.mu.Unlock()
	left := client.Len()
	for left > 0 && ctx.Err() == nil {
		left = client.Flush(100)
	}
	if left > 0 {
		_ = client.Purge(kafka.PurgeQueue | kafka.PurgeInFlight)
		client.Flush(1000)
	}
	client.Close()
	p.drains.Wait()
	if left > 0 {
		return fmt.Errorf("%d messages were not acknowledged", left)
	}
	return nil
}
