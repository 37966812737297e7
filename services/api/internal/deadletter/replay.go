package deadletter

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

// Request is what to send back: letters by offset, or else all of a kind that are open, up to one.
type Request struct {
	Letters []int64
	Kind    string
	Through int64
	Who     string
	Note    string
}

// Skipped is a letter that was not sent.
type Skipped struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Outcome is what was sent. What was sent is stored, or a dead letter again, when the processor has come to it.
type Outcome struct {
	Sent    []string  `json:"sent"`
	Skipped []Skipped `json:"skipped"`
	Left    int       `json:"left"` // of the kind: ask again
	Rest    string    `json:"rest"` // letters of the kind that are not known, and so were not chosen; "" = none
}

// Replay sends letters back to where they came from. It may be asked for again after any error, by anybody at the same time: the processor takes each letter
// once. Errors: NotFound, Unavailable with what was sent until then in the outcome.
func (b *Book) Replay(ctx context.Context, r Request) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, replayTime)
	defer cancel()
	p, err := b.read(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if err := b.older(ctx, &p, r.Letters); err != nil {
		return Outcome{}, err
	}
	chosen, out := choose(p.entries, r)
	if r.Kind != "" {
		out.Rest = p.rest
	}
	if len(chosen) == 0 {
		return out, nil
	}
	asked := Asked{Kind: r.Kind, Count: len(chosen), Note: r.Note}
	if r.Kind == "" {
		for _, offset := range slices.Sorted(maps.Keys(chosen)) {
			asked.Letters = append(asked.Letters, named(offset))
		}
	} else {
		asked.Through = named(r.Through)
	}
	// Before anything is sent: what happened without a name cannot be found out later, what was only asked for can (the letters are open).
	if err := b.d.Store.AuditReplay(ctx, r.Who, asked); err != nil {
		return Outcome{}, err
	}
	return b.send(ctx, chosen, out, r.Who)
}

// older adds letters that were asked for and are older than those that are known.
func (b *Book) older(ctx context.Context, p *page, offsets []int64) error {
	var missing []Entry
	for _, offset := range offsets {
		if len(p.entries) > 0 && offset >= p.entries[0].Offset {
			continue
		}
		m, ok, err := one(ctx, b.d.Log, offset)
		if err != nil {
			return fault.Unavailable(err, "the dead letter %s cannot be read from Kafka", named(offset))
		}
		if ok {
			missing = append(missing, p.entry(m))
		}
	}
	p.entries = append(missing, p.entries...)
	return nil
}

// choose finds what can be sent.
func choose(entries []Entry, r Request) (chosen map[int64]*Entry, out Outcome) {
	chosen, out = map[int64]*Entry{}, Outcome{Sent: []string{}, Skipped: []Skipped{}}
	wanted := map[int64]bool{}
	for _, offset := range r.Letters {
		wanted[offset] = true
	}
	twice := map[place]bool{}
	for i := range entries {
		e := &entries[i]
		switch {
		case r.Kind == "" && !wanted[e.Offset], r.Kind != "" && (e.Where.Kind != r.Kind || e.Offset > r.Through || e.WhyNot != ""):
			continue
		case e.WhyNot != "":
			out.Skipped = append(out.Skipped, Skipped{e.ID(), e.WhyNot})
		case twice[e.place()]:
			out.Skipped = append(out.Skipped, Skipped{e.ID(), "it is the same message as another of these"})
		case len(chosen) == MaxReplay:
			out.Left++
		default:
			chosen[e.Offset], twice[e.place()] = e, true
		}
		delete(wanted, e.Offset)
	}
	for _, offset := range slices.Sorted(maps.Keys(wanted)) {
		out.Skipped = append(out.Skipped, Skipped{named(offset), "there is no such letter (any more)"})
	}
	return chosen, out
}

// send sends them in their order.
func (b *Book) send(ctx context.Context, chosen map[int64]*Entry, out Outcome, who string) (Outcome, error) {
	offsets := slices.Sorted(maps.Keys(chosen))
	for len(offsets) > 0 {
		n := 1 // of them that lie close together
		for n < len(offsets) && offsets[n]-offsets[n-1] < chunk {
			n++
		}
		err := b.d.Log.Read(ctx, offsets[0], offsets[n-1]+1, func(m Message) error {
			e := chosen[m.Offset]
			if e == nil {
				return nil
			}
			if err := b.d.Send(ctx, e.Where.Partition, nil, m.Value, headers(e, m, who)); err != nil {
				return err
			}
			out.Sent = append(out.Sent, e.ID())
			return nil
		})
		if err != nil {
			return out, fault.Unavailable(err, "%d of %d dead letters were sent; ask again for the rest, none is taken twice", len(out.Sent), len(chosen))
		}
		offsets = offsets[n:]
	}
	if gone := len(chosen) - len(out.Sent); gone > 0 {
		return out, fault.Unavailable(fmt.Errorf("%d letters are not on the topic any more", gone), "%d of %d dead letters were sent", len(out.Sent), len(chosen))
	}
	return out, nil
}

// headers of a replay: what its payload is, and which letter it is. Who sent the message first, and under which Idempotency-Key, is left out: both are known
// to the processor, which would take it for a repeat of itself.
func headers(e *Entry, m Message, who string) []contract.Header {
	hs := contract.Replay{Stream: e.Where.Stream, Partition: e.Where.Partition, Offset: e.Where.Offset, By: who}.Headers()
	if ct, ok := m.Headers[contract.HeaderContentType]; ok {
		hs = append(hs, contract.Header{Key: contract.HeaderContentType, Value: ct})
	}
	return hs
}
