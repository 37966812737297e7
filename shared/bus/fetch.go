package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// FetchOne tells whether a record is left at or after offset: transaction markers occupy offsets that no consumer ever sees.
// first is the first record's offset when there is one. It waits for at most wait: no record within it and below end means none.
func (c *Client) FetchOne(ctx context.Context, topic string, p int32, offset int64, wait time.Duration) (first int64, ok bool, err error) {
	cfg, err := consumerConfig(c.cfg, "fetch-one")
	if err != nil {
		return 0, false, err
	}
	consumer, err := sarama.NewConsumer(c.cfg.Brokers, cfg)
	if err != nil {
		return 0, false, fmt.Errorf("connecting to read %s/%d: %w", c.cfg.Topic(topic), p, err)
	}
	defer func() { _ = consumer.Close() }() // reading only: nothing can be lost here
	pc, err := consumer.ConsumePartition(c.cfg.Topic(topic), p, offset)
	if err != nil {
		return 0, false, fmt.Errorf("reading %s/%d from %d: %w", c.cfg.Topic(topic), p, offset, err)
	}
	defer func() { _ = pc.Close() }()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case m := <-pc.Messages():
		return m.Offset, true, nil
	case e := <-pc.Errors():
		return 0, false, fmt.Errorf("reading %s/%d from %d: %w", c.cfg.Topic(topic), p, offset, e)
	case <-timer.C:
		return 0, false, nil
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
}
