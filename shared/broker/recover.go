package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dialer makes connections for us alone while nobody else is served.
type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// tidy is what is done before anybody is served. clean: the broker was not killed.
func (b *Broker) tidy(dial dialer, clean bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), recoveryTimeout)
	defer cancel()
	if !clean {
		if err := b.recover(ctx, dial); err != nil {
			return err
		}
	}
	return b.compact(ctx, dial, compactFrom)
}

// recover ends the transactions that a crash left open, before anybody is served. kfake counts them as aborted, but writes no marker that says
// where they end: whoever read on from before one took all that its producer ever committed later for a part of it, and did not see it.
func (b *Broker) recover(ctx context.Context, dial dialer) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(dial))
	if err != nil {
		return fmt.Errorf("ending what a crash left open: %w", err)
	}
	defer client.Close()
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ending what a crash left open: %w", err)
	}
	node := client.Broker(int(meta.ControllerID))
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			left, err := unfinished(ctx, node, t, p.Partition)
			if err == nil && len(left) > 0 {
				err = abort(ctx, node, *t.Topic, p.Partition, left)
			}
			if err != nil {
				return fmt.Errorf("ending what a crash left open on %s/%d: %w", *t.Topic, p.Partition, err)
			}
		}
	}
	return nil
}

// unfinished are the producers, with their epochs, of transactions without an end in a partition. Only headers of batches are read.
func unfinished(ctx context.Context, node *kgo.Broker, t kmsg.MetadataResponseTopic, p int32) (map[int64]int16, error) {
	at, end, _, err := ends(ctx, node, *t.Topic, p)
	left := map[int64]int16{}
	for err == nil && at < end {
		var raw []byte
		if raw, err = fetch(ctx, node, t, p, at); err != nil {
			break
		}
		before := at
		for len(raw) > 0 {
			var batch kmsg.RecordBatch
			if batch.ReadFrom(raw) != nil {
				break // cut off by the size of the answer
			}
			raw = raw[12+batch.Length:]
			at = batch.FirstOffset + int64(batch.LastOffsetDelta) + 1
			switch control, transactional := batch.Attributes&0x20 != 0, batch.Attributes&0x10 != 0; {
			case control:
				delete(left, batch.ProducerID)
			case transactional:
				left[batch.ProducerID] = batch.ProducerEpoch
			}
		}
		if at == before {
			err = fmt.Errorf("nothing comes from offset %d on, below %d", at, end)
		}
	}
	return left, err
}

// ends are the first offset of a partition, the one behind its last, and the one behind its last that no open transaction holds back.
func ends(ctx context.Context, node *kgo.Broker, topic string, p int32) (first, end, stable int64, err error) {
	if first, err = listed(ctx, node, topic, p, -2, 0); err == nil {
		end, err = listed(ctx, node, topic, p, -1, 0)
	}
	if err == nil {
		stable, err = listed(ctx, node, topic, p, -1, 1)
	}
	return first, end, stable, err
}

func listed(ctx context.Context, node *kgo.Broker, topic string, p int32, at int64, isolation int8) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = p, at
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{part}}}
	resp, err := ask[*kmsg.ListOffsetsResponse](ctx, node, req)
	if err != nil {
		return 0, err
	}
	got := resp.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}

// fetch is what lies in a partition from an offset on, as the broker stores it.
func fetch(ctx context.Context, node *kgo.Broker, t kmsg.MetadataResponseTopic, p int32, from int64) ([]byte, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxBytes, req.SessionEpoch = -1, scanBytes, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = p, from, scanBytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = *t.Topic, t.TopicID, []kmsg.FetchRequestTopicPartition{part}
	req.Topics = append(req.Topics, topic)
	resp, err := ask[*kmsg.FetchResponse](ctx, node, req)
	switch {
	case err != nil:
		return nil, err
	case len(resp.Topics) == 0 || len(resp.Topics[0].Partitions) == 0:
		return nil, errors.Join(errors.New("no answer to a fetch"), kerr.ErrorForCode(resp.ErrorCode))
	}
	got := resp.Topics[0].Partitions[0]
	return got.RecordBatches, kerr.ErrorForCode(got.ErrorCode)
}

// abort writes the ends of transactions.
func abort(ctx context.Context, node *kgo.Broker, topic string, p int32, left map[int64]int16) error {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	for _, id := range slices.Sorted(maps.Keys(left)) {
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.ProducerEpoch = id, left[id]
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: []int32{p}}}
		req.Markers = append(req.Markers, m)
	}
	resp, err := ask[*kmsg.WriteTxnMarkersResponse](ctx, node, req)
	if err != nil {
		return err
	}
	for _, m := range resp.Markers {
		if err := kerr.ErrorForCode(m.Topics[0].Partitions[0].ErrorCode); err != nil {
			return err
		}
	}
	return nil
}

func ask[R kmsg.Response](ctx context.Context, node *kgo.Broker, req kmsg.Request) (out R, err error) {
	resp, err := node.Request(ctx, req)
	if err != nil {
		return out, err
	}
	return resp.(R), nil
}
