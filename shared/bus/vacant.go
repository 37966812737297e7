package bus

import (
	"context"
	"fmt"

	"github.com/IBM/sarama"
)

// vacantBytes is how much of the log one look may bring; a marker is about 80 bytes.
const vacantBytes = 1 << 20

// Vacant says how far the log, from offset from on, is shown by the broker to hold no record that a consumer will ever see: only markers of
// transactions and records of aborted ones. The answer is from itself when a record lies there, when a transaction is still
// open, or when the broker has nothing to show. It is a proof, not a wait: whoever skips up to it skips no record.
func (c *Client) Vacant(ctx context.Context, topic string, p int32, from int64) (next int64, err error) {
	return within(ctx, func() (int64, error) { return c.vacant(c.cfg.Topic(topic), p, from) })
}

func (c *Client) vacant(topic string, p int32, from int64) (int64, error) {
	leader, err := c.client.Leader(topic, p)
	if err != nil {
		return from, fmt.Errorf("finding the leader of %s/%d: %w", topic, p, err)
	}
	req := &sarama.FetchRequest{Version: 11, MaxWaitTime: 100, MinBytes: 1, MaxBytes: vacantBytes, Isolation: sarama.ReadCommitted}
	req.AddBlock(topic, p, from, vacantBytes, -1)
	resp, err := leader.Fetch(req)
	if err != nil {
		return from, fmt.Errorf("looking at %s/%d from %d: %w", topic, p, from, err)
	}
	b := resp.GetBlock(topic, p)
	if b == nil {
		return from, nil
	}
	if b.Err != sarama.ErrNoError {
		return from, fmt.Errorf("looking at %s/%d from %d: %w", topic, p, from, b.Err)
	}
	return vacantUpTo(b, from), nil
}

// vacantUpTo walks the batches of a read-committed answer, which ends at the last stable offset, until one holds a record to deliver.
func vacantUpTo(b *sarama.FetchResponseBlock, from int64) int64 {
	next := from
	open := map[int64]bool{} // producers whose transaction, which was aborted, we are inside of
	aborted := b.AbortedTransactions
	for _, set := range b.RecordsSet {
		batch := set.RecordBatch
		if batch == nil || batch.PartialTrailingRecord {
			return next
		}
		last := batch.FirstOffset + int64(batch.LastOffsetDelta)
		for _, a := range aborted {
			if a.FirstOffset <= last && !closedBefore(b, a, batch.FirstOffset) {
				open[a.ProducerID] = true
			}
		}
		vacant := batch.Control || batch.IsTransactional && open[batch.ProducerID]
		if !vacant && last >= from {
			return next
		}
		if batch.Control {
			delete(open, batch.ProducerID)
		}
		next = max(next, last+1)
	}
	return next
}

// closedBefore tells whether the aborted transaction a ended, by its marker, before offset.
func closedBefore(b *sarama.FetchResponseBlock, a *sarama.AbortedTransaction, offset int64) bool {
	for _, set := range b.RecordsSet {
		batch := set.RecordBatch
		if batch != nil && batch.Control && batch.ProducerID == a.ProducerID && batch.FirstOffset >= a.FirstOffset && batch.FirstOffset < offset {
			return true
		}
	}
	return false
}
