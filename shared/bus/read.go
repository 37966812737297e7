package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Record is a message as it lies on a topic.
type Record struct {
	Offset     int64
	Time       time.Time // Kafka's
	Key, Value []byte
	Headers    map[string]string
}

// readQuiet is how long nothing may come before Read asks what lies between it and the end.
const readQuiet = 500 * time.Millisecond

// Read gives f the committed records of a partition with offsets from … below to, in order; those that retention or compaction has deleted are
// left out. The caller knows that the offset to-1 was taken, by a record or by the end of a transaction: Read waits until it is there, or ctx ends.
func (c *Client) Read(ctx context.Context, topic string, p int32, from, to int64, f func(Record) error) (err error) {
	start, err := c.StartOffset(ctx, topic, p)
	if from = max(from, start); err != nil || from >= to {
		return err
	}
	name := c.cfg.Topic(topic)
	conf, err := consumerConfig(c.cfg, "read")
	if err != nil {
		return err
	}
	consumer, err := sarama.NewConsumer(c.cfg.Brokers, conf)
	if err != nil {
		return fmt.Errorf("connecting to read %s/%d: %w", name, p, err)
	}
	defer func() { _ = consumer.Close() }() // reading only: nothing can be lost here
	pc, err := consumer.ConsumePartition(name, p, from)
	if err != nil {
		return fmt.Errorf("reading %s/%d from %d: %w", name, p, from, err)
	}
	defer func() { _ = pc.Close() }()
	quiet := time.NewTicker(readQuiet)
	defer quiet.Stop()
	for next := from; next < to; {
		select {
		case m := <-pc.Messages():
			if m.Offset < to {
				if err := f(recordOf(m)); err != nil {
					return err
				}
			}
			next = m.Offset + 1
			quiet.Reset(readQuiet)
		case <-quiet.C: // the ends of transactions are never delivered: the broker can prove that nothing else is there
			if next, err = c.Vacant(ctx, topic, p, next); err != nil {
				return err
			}
		case e := <-pc.Errors():
			return fmt.Errorf("reading %s/%d from %d: %w", name, p, from, e)
		case <-ctx.Done():
			return fmt.Errorf("reading %s/%d from %d to %d: %w", name, p, from, to, ctx.Err())
		}
	}
	return nil
}

func recordOf(m *sarama.ConsumerMessage) Record {
	r := Record{Offset: m.Offset, Time: m.Timestamp, Key: m.Key, Value: m.Value, Headers: map[string]string{}}
	for _, h := range m.Headers {
		r.Headers[string(h.Key)] = string(h.Value)
	}
	return r
}
