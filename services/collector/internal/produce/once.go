package produce

import (
	"context"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
)

// SendOnce is Send for a request with an Idempotency-Key. All of its records that are at home in one partition go there in one message of
// their own, which names the request: the processor stores the first of them that it sees, however often the request is sent, and
// a repeat brings what an earlier try did not. It returns too large before anything is sent; other errors are Send's.
func (p *Producer) SendOnce(ctx context.Context, recs []logrec.Record, req contract.Request) error {
	batches, err := p.requestBatches(recs, req)
	if err != nil || len(batches) == 0 {
		return err
	}
	t := newTicket()
	for _, b := range batches {
		t.open.Add(1)
		b.tickets = []*ticket{t}
		p.batchers[b.partition].pass(b)
	}
	t.settle(nil)
	return p.wait(ctx, t)
}

// requestBatches encodes the request's messages, one a home partition.
func (p *Producer) requestBatches(recs []logrec.Record, req contract.Request) ([]*batch, error) {
	var out []*batch
	for home, places := range p.homes(recs) {
		if len(places) == 0 {
			continue
		}
		var e contract.Encoder
		for _, i := range places {
			e.Add(&recs[i])
		}
		if e.Size() > contract.MaxRequestBytes {
			return nil, fault.TooLarge("a request with an Idempotency-Key may bring at most %d MiB of records of services that share a partition: split it, with a key each",
				contract.MaxRequestBytes>>20)
		}
		b := newBatch(int32(home), &e)
		b.request = req
		out = append(out, b)
	}
	return out, nil
}
