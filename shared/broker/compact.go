package broker

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// compact rewrites the partitions of compacted topics that have grown far beyond their keys: the newest record of each key is written once
// more, at the end, and all before it is deleted. It is done before anybody is served, so that no record comes between. A crash in the
// middle leaves records twice, in the same order.
func (b *Broker) compact(ctx context.Context, dial dialer, from int64) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(dial))
	if err != nil {
		return err
	}
	defer client.Close()
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return err
	}
	node := client.Broker(int(meta.ControllerID))
	for _, t := range meta.Topics {
		is, err := compacted(ctx, node, *t.Topic)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		for _, p := range t.Partitions {
			if err := b.compactPartition(ctx, node, dial, *t.Topic, p.Partition, from); err != nil {
				return fmt.Errorf("compacting %s/%d: %w", *t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

func (b *Broker) compactPartition(ctx context.Context, node *kgo.Broker, dial dialer, topic string, p int32, from int64) error {
	first, end, stable, err := ends(ctx, node, topic, p)
	if err != nil || end-first < from || stable < end { // a transaction that outlived a clean stop is open: another time
		return err
	}
	newest, err := b.newest(ctx, dial, topic, p, end)
	if err != nil || len(newest) == 0 || end-first < compactAbove*int64(len(newest)) {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(dial), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(maxMessageBytes))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, newest...).FirstErr(); err != nil {
		return err
	}
	return trim(ctx, node, topic, p, end)
}

// newest are the newest committed records of all keys below end, as new ones, in order. Deleted keys are left out.
func (b *Broker) newest(ctx context.Context, dial dialer, topic string, p int32, end int64) ([]*kgo.Record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(dial), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {p: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	newest := map[string]*kgo.Record{}
	for next := int64(0); next < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			switch {
			case r.Attrs.IsControl():
			case r.Value == nil:
				delete(newest, string(r.Key))
			default:
				newest[string(r.Key)] = r
			}
		})
	}
	out := slices.SortedFunc(maps.Values(newest), func(a, b *kgo.Record) int { return cmp.Compare(a.Offset, b.Offset) })
	for i, r := range out {
		out[i] = &kgo.Record{Topic: topic, Partition: p, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
	}
	return out, nil
}

// compacted tells whether a topic is to be compacted.
func compacted(ctx context.Context, node *kgo.Broker, topic string) (bool, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"cleanup.policy"}}}
	resp, err := ask[*kmsg.DescribeConfigsResponse](ctx, node, req)
	if err != nil {
		return false, err
	}
	for _, r := range resp.Resources {
		for _, c := range r.Configs {
			if c.Name == "cleanup.policy" && c.Value != nil {
				return strings.Contains(*c.Value, "compact"), kerr.ErrorForCode(r.ErrorCode)
			}
		}
	}
	return false, nil
}

// trim deletes all records below an offset.
func trim(ctx context.Context, node *kgo.Broker, topic string, p int32, below int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = int32(recoveryTimeout.Milliseconds())
	req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: p, Offset: below}}}}
	resp, err := ask[*kmsg.DeleteRecordsResponse](ctx, node, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}
