package alertlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// quiet is how long nothing comes before the broker is asked whether anything is left.
const quiet = 200 * time.Millisecond

// Message is one message of a topic.
type Message struct {
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []contract.Header
}

// Topic reads all committed messages of a topic, partition after partition.
func Topic(ctx context.Context, kafka config.Kafka, topic string) (out []Message, err error) {
	client, err := bus.NewClient(kafka, "alertlog")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	end, err := client.EndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	for p := range int32(len(end)) {
		if out, err = read(ctx, client, kafka, topic, p, end[p], out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func read(ctx context.Context, client *bus.Client, kafka config.Kafka, topic string, p int32, end int64, out []Message) ([]Message, error) {
	conf := sarama.NewConfig()
	conf.Version, conf.Consumer.IsolationLevel = sarama.V2_8_0_0, sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(kafka.Brokers, conf)
	if err != nil {
		return nil, err
	}
	defer func() { _ = consumer.Close() }() // reading only
	pc, err := consumer.ConsumePartition(kafka.Topic(topic), p, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer func() { _ = pc.Close() }()
	for next := int64(0); next < end; {
		select {
		case m := <-pc.Messages():
			msg := Message{Partition: p, Offset: m.Offset, Key: m.Key, Value: m.Value}
			for _, h := range m.Headers {
				msg.Headers = append(msg.Headers, contract.Header{Key: string(h.Key), Value: string(h.Value)})
			}
			out, next = append(out, msg), m.Offset+1
		case <-time.After(quiet): // markers of transactions take up offsets, the last ones perhaps
			if next, err = client.Vacant(ctx, topic, p, next); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("reading %s/%d: %w", topic, p, ctx.Err())
		}
	}
	return out, nil
}

// Events parses the messages of alerts.fired or alerts.state, those of rules.
func Events(ms []Message) (out []*contract.AlertEvent, err error) {
	for _, m := range ms {
		e, err := contract.ParseAlert(m.Value)
		if err != nil {
			return nil, fmt.Errorf("partition %d, offset %d: %w", m.Partition, m.Offset, err)
		}
		if string(m.Key) != e.Data.Fingerprint {
			return nil, fmt.Errorf("partition %d, offset %d: the key is %q, not the fingerprint", m.Partition, m.Offset, m.Key)
		}
		if !strings.HasPrefix(e.Data.Rule.ID, "meta:") {
			out = append(out, e)
		}
	}
	return out, nil
}
