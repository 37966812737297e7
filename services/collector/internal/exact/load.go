package exact

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/logmill/logmill/services/collector/internal/rdkafka"
	"github.com/logmill/logmill/shared/contract"
)

// Load reads the committed positions whose keys begin with prefix. It is called after Open, which ended the last owner's transaction, so
// that nothing of ours can come after what it returns.
func (w *Writer) Load(ctx context.Context, prefix string) (map[string][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	c, err := kafka.NewConsumer(rdkafka.Config(w.cfg, kafka.ConfigMap{
		"group.id":                 w.cfg.Group("logmill-positions"), // librdkafka wants one; no offset is ever committed
		"enable.auto.commit":       false,
		"auto.offset.reset":        "earliest",
		"isolation.level":          "read_committed",
		"enable.partition.eof":     true,
		"allow.auto.create.topics": false,
	}))
	if err != nil {
		return nil, fmt.Errorf("making the Kafka consumer: %w", err)
	}
	defer func() { _ = c.Close() }()
	end, err := w.end(ctx)
	if err != nil {
		return nil, err
	}
	topic := w.cfg.Topic(contract.TopicPositions)
	if err := c.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: kafka.OffsetBeginning}}); err != nil {
		return nil, fmt.Errorf("reading positions: %w", err)
	}
	out := map[string][]byte{}
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("reading positions up to offset %d: %w", end, err)
		}
		done, err := step(c, end, func(m *kafka.Message) {
			key := string(m.Key)
			switch {
			case !strings.HasPrefix(key, prefix):
			case m.Value == nil:
				delete(out, key)
			default:
				out[key] = m.Value
			}
		})
		if done || err != nil {
			return out, err
		}
	}
}

// step handles one event; done when all below end has been seen. A committed reader's end stops at the first open transaction: the end
// that counts was asked for without that, so a position that waits behind another writer's transaction is waited for.
func step(c *kafka.Consumer, end int64, take func(*kafka.Message)) (done bool, err error) {
	switch ev := c.Poll(int(pollWait.Milliseconds())).(type) {
	case *kafka.Message:
		if ev.TopicPartition.Error != nil {
			return false, fmt.Errorf("reading positions: %w", ev.TopicPartition.Error)
		}
		take(ev)
	case kafka.PartitionEOF:
		return int64(ev.Offset) >= end, nil
	case kafka.Error:
		if ev.IsFatal() || ev.Code() == kafka.ErrUnknownTopicOrPart {
			return false, fmt.Errorf("reading positions: %w", ev)
		}
	}
	return false, nil
}

const pollWait = 100 * time.Millisecond

// end is the offset behind the last record of the positions, committed or not.
func (w *Writer) end(ctx context.Context) (int64, error) {
	admin, err := kafka.NewAdminClientFromProducer(w.client)
	if err != nil {
		return 0, fmt.Errorf("asking for the end of the positions: %w", err)
	}
	defer admin.Close()
	topic := w.cfg.Topic(contract.TopicPositions)
	at := kafka.TopicPartition{Topic: &topic, Partition: 0}
	res, err := admin.ListOffsets(ctx, map[kafka.TopicPartition]kafka.OffsetSpec{at: kafka.LatestOffsetSpec}, kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadUncommitted))
	if err != nil {
		return 0, fmt.Errorf("asking for the end of the positions: %w", err)
	}
	for _, r := range res.ResultInfos {
		if r.Error.Code() != kafka.ErrNoError {
			return 0, fmt.Errorf("asking for the end of the positions: %w", r.Error)
		}
		return int64(r.Offset), nil
	}
	return 0, errors.New("asking for the end of the positions: no answer")
}
