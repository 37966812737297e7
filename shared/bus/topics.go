package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/contract"
)

// ErrPartitions is a topic that exists with another number of partitions than this installation was told.
var ErrPartitions = errors.New("the topic has another number of partitions")

// EnsureTopics creates what is missing. A topic that is there is left as it is, but for its partition count and the size of
// its messages, which must be right.
func (c *Client) EnsureTopics(ctx context.Context, specs []contract.TopicSpec) error {
	_, err := within(ctx, func() (struct{}, error) { return struct{}{}, c.ensureTopics(specs) })
	return err
}

func (c *Client) ensureTopics(specs []contract.TopicSpec) error {
	have, err := c.admin.ListTopics()
	if err != nil {
		return fmt.Errorf("listing topics: %w", err)
	}
	for _, s := range specs {
		name := c.cfg.Topic(s.Name)
		if t, ok := have[name]; ok {
			if t.NumPartitions != s.Partitions {
				return partitionsError(name, t.NumPartitions, s.Partitions)
			}
			if err := c.checkSize(name, s); err != nil {
				return err
			}
			continue
		}
		if err := c.create(name, s); err != nil {
			return err
		}
	}
	return nil
}

// ErrMessageSize is a topic that exists and takes only smaller messages than ours.
var ErrMessageSize = errors.New("the topic takes only smaller messages")

const sizeSetting = "max.message.bytes"

// checkSize compares the largest message that a topic takes with what it must take. A broker that does not say is believed.
func (c *Client) checkSize(name string, s contract.TopicSpec) error {
	results, err := c.admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: name, ConfigNames: []string{sizeSetting}}}, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil //nolint:nilerr // not everybody may ask
	}
	want, _ := strconv.Atoi(s.Config[sizeSetting])
	for _, r := range results {
		for _, e := range r.Configs {
			if have, err := strconv.Atoi(e.Value); err == nil && e.Name == sizeSetting && have < want {
				return fmt.Errorf("%w: %s up to %d bytes: kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%d", ErrMessageSize, name, have, name, sizeSetting, want)
			}
		}
	}
	return nil
}

func partitionsError(topic string, have, want int32) error {
	return fmt.Errorf("%w: %s has %d, KAFKA_PARTITIONS says %d: set KAFKA_PARTITIONS=%d, or migrate offline as docs/partitions.md says",
		ErrPartitions, topic, have, want, have)
}

func (c *Client) create(name string, s contract.TopicSpec) error {
	detail := &sarama.TopicDetail{NumPartitions: s.Partitions, ReplicationFactor: c.replication(), ConfigEntries: map[string]*string{}}
	for k, v := range s.Config {
		detail.ConfigEntries[k] = &v
	}
	if detail.ReplicationFactor >= 3 {
		two := "2"
		detail.ConfigEntries["min.insync.replicas"] = &two
	}
	err := c.admin.CreateTopic(name, detail, false)
	if errors.Is(err, sarama.ErrTopicAlreadyExists) { // another service was faster, with the same spec
		return nil
	}
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", name, err)
	}
	return nil
}

func (c *Client) replication() int16 {
	if c.cfg.Replication > 0 {
		return c.cfg.Replication
	}
	return int16(min(3, max(1, len(c.client.Brokers()))))
}

// TopicConfig are a topic's settings as they are in force.
func (c *Client) TopicConfig(ctx context.Context, topic string) (map[string]string, error) {
	results, err := within(ctx, func() ([]*sarama.ConfigResourceResult, error) {
		return c.admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: c.cfg.Topic(topic)}}, sarama.DescribeConfigsOptions{})
	})
	out := map[string]string{}
	for _, r := range results {
		if err == nil && r.ErrorCode != sarama.ErrNoError {
			err = r.ErrorCode
		}
		for _, e := range r.Configs {
			out[e.Name] = e.Value
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the settings of %s: %w", c.cfg.Topic(topic), err)
	}
	return out, nil
}

// CheckDurability warns about a real cluster that could lose what it acknowledged; "" when all is well. One broker is a choice, not a mistake.
func (c *Client) CheckDurability(ctx context.Context, topic string) (warning string, err error) {
	cfg, err := c.TopicConfig(ctx, topic)
	if err != nil {
		return "", err
	}
	isr, _ := strconv.Atoi(cfg["min.insync.replicas"]) // absent reads as 0, which warns as it should
	if brokers := len(c.client.Brokers()); brokers >= 3 && isr < 2 {
		return fmt.Sprintf("%s has min.insync.replicas=%d on %d brokers: an acknowledged line can be lost with one of them; set 2", c.cfg.Topic(topic), isr, brokers), nil
	}
	return "", nil
}
