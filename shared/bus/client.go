package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/config"
)

// Client asks a broker questions. Safe for concurrent use. A call ends with its context at the latest.
type Client struct {
	cfg    config.Kafka
	client sarama.Client
	admin  sarama.ClusterAdmin
}

// NewClient connects; a broker that is away is an error.
func NewClient(cfg config.Kafka, clientID string) (*Client, error) {
	conf, err := saramaConfig(cfg, clientID)
	if err != nil {
		return nil, err
	}
	client, err := sarama.NewClient(cfg.Brokers, conf)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kafka at %v: %w", cfg.Brokers, err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to Kafka at %v: %w", cfg.Brokers, err), client.Close())
	}
	return &Client{cfg: cfg, client: client, admin: admin}, nil
}

// Close ends all connections.
func (c *Client) Close() error { return c.admin.Close() } // closes the client too

// within runs f, which cannot be cancelled, but gives up on its answer when ctx ends; f itself ends by the client's own time-outs.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		v   T
		err error
	}
	ch := make(chan answer, 1)
	go func() {
		v, err := f()
		ch <- answer{v, err}
	}()
	select {
	case a := <-ch:
		return a.v, a.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// Ping asks any broker for the cluster's metadata.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.metadata(ctx, nil)
	return err
}

// Identity is a topic's identity for ever: the cluster it lives in, its UUID there (a topic made anew has another), and its partition count.
func (c *Client) Identity(ctx context.Context, topic string) (clusterID, topicID string, partitions int32, err error) {
	name := c.cfg.Topic(topic)
	md, err := c.metadata(ctx, []string{name})
	if err != nil {
		return "", "", 0, err
	}
	for _, t := range md.Topics {
		if t.Name != name {
			continue
		}
		if t.Err != sarama.ErrNoError {
			return "", "", 0, fmt.Errorf("describing topic %s: %w", name, t.Err)
		}
		if md.ClusterID != nil {
			clusterID = *md.ClusterID
		}
		return clusterID, t.Uuid.String(), int32(len(t.Partitions)), nil
	}
	return "", "", 0, fmt.Errorf("describing topic %s: %w", name, sarama.ErrUnknownTopicOrPartition)
}

// metadata asks one broker after the other.
func (c *Client) metadata(ctx context.Context, topics []string) (*sarama.MetadataResponse, error) {
	return within(ctx, func() (*sarama.MetadataResponse, error) {
		err := error(sarama.ErrOutOfBrokers)
		for _, b := range c.client.Brokers() {
			if oerr := b.Open(c.client.Config()); oerr != nil && !errors.Is(oerr, sarama.ErrAlreadyConnected) {
				err = oerr
				continue
			}
			req := sarama.NewMetadataRequest(c.client.Config().Version, topics)
			var md *sarama.MetadataResponse
			if md, err = b.GetMetadata(req); err == nil {
				return md, nil
			}
			_ = b.Close() // a dead connection must not be asked again; its error says no more than err
		}
		// Every address may be stale: the seeds know better.
		return nil, errors.Join(fmt.Errorf("asking for metadata: %w", err), c.client.RefreshMetadata())
	})
}

// StartOffset is the first offset that a partition still has.
func (c *Client) StartOffset(ctx context.Context, topic string, p int32) (int64, error) {
	return c.offset(ctx, topic, p, sarama.OffsetOldest)
}

// EndOffset is the offset that a partition's next record will get.
func (c *Client) EndOffset(ctx context.Context, topic string, p int32) (int64, error) {
	return c.offset(ctx, topic, p, sarama.OffsetNewest)
}

func (c *Client) offset(ctx context.Context, topic string, p int32, at int64) (int64, error) {
	return within(ctx, func() (int64, error) {
		off, err := c.client.GetOffset(c.cfg.Topic(topic), p, at)
		if err != nil {
			return 0, fmt.Errorf("asking for an offset of %s/%d: %w", c.cfg.Topic(topic), p, err)
		}
		return off, nil
	})
}

// EndOffsets is EndOffset of all partitions.
func (c *Client) EndOffsets(ctx context.Context, topic string) (map[int32]int64, error) {
	return c.offsets(ctx, topic, sarama.OffsetNewest)
}

// StartOffsets is StartOffset of all partitions.
func (c *Client) StartOffsets(ctx context.Context, topic string) (map[int32]int64, error) {
	return c.offsets(ctx, topic, sarama.OffsetOldest)
}

// OffsetsForTime is each partition's first offset whose record is not older than t; a partition without one is at its end.
func (c *Client) OffsetsForTime(ctx context.Context, topic string, t time.Time) (map[int32]int64, error) {
	found, err := c.offsets(ctx, topic, t.UnixMilli())
	if err != nil {
		return nil, err
	}
	for p, off := range found {
		if off < 0 {
			if found[p], err = c.EndOffset(ctx, topic, p); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (c *Client) offsets(ctx context.Context, topic string, at int64) (map[int32]int64, error) {
	parts, err := within(ctx, func() ([]int32, error) { return c.client.Partitions(c.cfg.Topic(topic)) })
	if err != nil {
		return nil, fmt.Errorf("listing partitions of %s: %w", c.cfg.Topic(topic), err)
	}
	out := make(map[int32]int64, len(parts))
	for _, p := range parts {
		if out[p], err = c.offset(ctx, topic, p, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Committed are a group's committed offsets of a topic: the next offset to read. Partitions without one are absent.
func (c *Client) Committed(ctx context.Context, group, topic string) (map[int32]int64, error) {
	name := c.cfg.Topic(topic)
	return within(ctx, func() (map[int32]int64, error) {
		parts, err := c.client.Partitions(name)
		if err != nil {
			return nil, fmt.Errorf("listing partitions of %s: %w", name, err)
		}
		resp, err := c.admin.ListConsumerGroupOffsets(c.cfg.Group(group), map[string][]int32{name: parts})
		if err != nil {
			return nil, fmt.Errorf("asking for offsets of group %s: %w", c.cfg.Group(group), err)
		}
		out := map[int32]int64{}
		for _, p := range parts {
			if b := resp.GetBlock(name, p); b != nil && b.Err == sarama.ErrNoError && b.Offset >= 0 {
				out[p] = b.Offset
			}
		}
		return out, nil
	})
}

// Trim deletes all records below the given offsets (DeleteRecords).
func (c *Client) Trim(ctx context.Context, topic string, below map[int32]int64) error {
	_, err := within(ctx, func() (struct{}, error) {
		return struct{}{}, c.admin.DeleteRecords(c.cfg.Topic(topic), below)
	})
	if err != nil {
		return fmt.Errorf("deleting records of %s: %w", c.cfg.Topic(topic), err)
	}
	return nil
}
