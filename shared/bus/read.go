package bus

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"
)

// Record is a message as it lies on a topic.
type Record struct {
	Offset  int64
	Value   []byte
	Headers map[string]string
}

// Read gives f the committed records of a partition with offsets from … below to, in order; those that retention has deleted are left out. The
// caller knows that the record at to-1 was there: it waits for it, or for one behind it, until ctx ends.
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
	for {
		select {
		case m := <-pc.Messages():
			if m.Offset < to {
				if err := f(recordOf(m)); err != nil {
					return err
				}
			}
			if m.Offset >= to-1 {
				return nil
			}
		case e := <-pc.Errors():
			return fmt.Errorf("reading %s/%d from %d: %w", name, p, from, e)
		case <-ctx.Done():
			return fmt.Errorf("reading %s/%d from %d to %d: %w", name, p, from, to, ctx.Err())
		}
	}
}

func recordOf(m *sarama.ConsumerMessage) Record {
	r := Record{Offset: m.Offset, Value: m.Value, Headers: map[string]string{}}
	for _, h := range m.Headers {
		r.Headers[string(h.Key)] = string(h.Value)
	}
	return r
}
