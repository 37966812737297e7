// Package produce sends records to logs.raw: batches a home partition across requests, each request answered when Kafka has all of its records.
package produce

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// ticket is one request's interest in its batches.
type ticket struct {
	open atomic.Int32 // batches not yet settled, and one for the request while it still adds
	mu   sync.Mutex
	err  error
	done chan struct{}
}

func newTicket() *ticket {
	t := &ticket{done: make(chan struct{})}
	t.open.Store(1)
	return t
}

// settle counts one batch, or the request itself, as done. The first error stays.
func (t *ticket) settle(err error) {
	if err != nil {
		t.mu.Lock()
		if t.err == nil {
			t.err = err
		}
		t.mu.Unlock()
	}
	if t.open.Add(-1) == 0 {
		close(t.done)
	}
}

func (t *ticket) result() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// batch is a message on its way to Kafka.
type batch struct {
	partition int32
	key       []byte
	value     []byte
	records   int
	request   contract.Request // zero: records of any requests
	tickets   []*ticket
	begun     time.Time
}

// newBatch is what e has encoded.
func newBatch(partition int32, e *contract.Encoder) *batch {
	b := &batch{partition: partition, records: e.Len(), begun: time.Now(), value: e.AppendTo(nil)}
	if service, ok := e.SingleService(); ok {
		b.key = []byte(service)
	}
	return b
}

func (b *batch) settle(err error) {
	for _, t := range b.tickets {
		t.settle(err)
	}
}

// batcher collects one partition's next message. A full one, or one whose linger is over, is handed to send.
type batcher struct {
	partition int32
	linger    time.Duration
	send      func(*batch)

	mu      sync.Mutex
	encoder contract.Encoder
	tickets []*ticket
	begun   time.Time
	timer   *time.Timer
}

// add puts the records at the given places of recs into the batch. It locks once a request, not once a record.
func (b *batcher) add(recs []logrec.Record, places []int32, t *ticket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, i := range places {
		if n := len(b.tickets); n == 0 || b.tickets[n-1] != t {
			t.open.Add(1)
			b.tickets = append(b.tickets, t)
		}
		if b.encoder.Len() == 0 {
			b.begin()
		}
		b.encoder.Add(&recs[i])
		if b.encoder.Size() >= contract.BatchBytes {
			b.flush()
		}
	}
}

// begin starts the linger.
func (b *batcher) begin() {
	b.begun = time.Now()
	if b.timer == nil {
		b.timer = time.AfterFunc(b.linger, b.tick)
		return
	}
	b.timer.Reset(b.linger)
}

// tick runs when a linger is over. A batch begun later than that has its own.
func (b *batcher) tick() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.encoder.Len() > 0 && time.Since(b.begun) >= b.linger {
		b.flush()
	}
}

// flush hands the batch over. The caller holds mu.
func (b *batcher) flush() {
	out := newBatch(b.partition, &b.encoder)
	out.tickets, out.begun = b.tickets, b.begun
	b.encoder.Reset()
	b.tickets = nil
	b.timer.Stop()
	b.send(out)
}

// pass hands over a batch that was made elsewhere. The partition's messages are numbered in the order of this lock.
func (b *batcher) pass(out *batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.send(out)
}

// drain hands over what waits.
func (b *batcher) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.encoder.Len() > 0 {
		b.flush()
	}
}
