package bridge

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/contract"
)

// rebuild reads a partition of alerts.state from its start to what is its end now. Both alert topics place by fingerprint over the same
// number of partitions, so it holds the alerts of the same partition of alerts.fired. It fails only when ctx ends; f may see records again then.
func (c *consumer) rebuild(ctx context.Context, partition int32, f func(key, value []byte)) error {
	return app.Retry(ctx, c.log, "alerts.state", nil, func(ctx context.Context) error {
		start, err := c.client.StartOffset(ctx, contract.TopicAlertsState, partition)
		if err != nil {
			return err
		}
		end, err := c.client.EndOffset(ctx, contract.TopicAlertsState, partition)
		if err != nil {
			return err
		}
		return c.readState(ctx, partition, start, end, f)
	})
}

func (c *consumer) readState(ctx context.Context, partition int32, next, end int64, f func(key, value []byte)) error {
	if next >= end {
		return nil
	}
	topic := c.cfg.Topic(contract.TopicAlertsState)
	reader, err := sarama.NewConsumer(c.cfg.Brokers, stateConfig())
	if err != nil {
		return fmt.Errorf("connecting to read %s/%d: %w", topic, partition, err)
	}
	defer func() { _ = reader.Close() }() // reading only: nothing can be lost here
	pc, err := reader.ConsumePartition(topic, partition, next)
	if err != nil {
		return fmt.Errorf("reading %s/%d from %d: %w", topic, partition, next, err)
	}
	defer func() { _ = pc.Close() }()
	quiet := time.NewTicker(quietState)
	defer quiet.Stop()
	for next < end {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-pc.Errors():
			return fmt.Errorf("reading %s/%d from %d: %w", topic, partition, next, err)
		case m := <-pc.Messages():
			f(m.Key, m.Value)
			next = m.Offset + 1
			quiet.Reset(quietState)
		case <-quiet.C: // the end may be markers of transactions, which are never delivered: the broker can prove it
			if next, err = c.client.Vacant(ctx, contract.TopicAlertsState, partition, next); err != nil {
				return err
			}
		}
	}
	return nil
}

func stateConfig() *sarama.Config {
	conf := sarama.NewConfig()
	conf.ClientID = "logmill-" + clientID
	conf.Version = sarama.V2_8_0_0
	conf.Consumer.Return.Errors = true
	conf.Consumer.IsolationLevel = sarama.ReadCommitted // an aborted event was never said
	conf.Net.DialTimeout, conf.Net.ReadTimeout, conf.Net.WriteTimeout = tryTimeout, tryTimeout, tryTimeout
	return conf
}
