package dedup

import "github.com/logmill/logmill/shared/contract"

// Seen is what is remembered of a request with an Idempotency-Key.
type Seen struct {
	Fingerprint uint64 // of its body
	At          int64  // time of its message, ns
}

// Verdict says what to do with a message of such a request.
type Verdict uint8

const (
	New      Verdict = iota // store it
	Repeat                  // it is stored already
	Conflict                // the key is another request's
)

// Requests judges the requests of one block in the making against what is stored. The zero value is ready. Not safe for concurrent use.
type Requests struct {
	stored map[contract.RequestKey]Seen
	round  map[contract.RequestKey]Seen
}

// Begin forgets the block in the making. stored is what MySQL remembers of the keys that may come, older ones than are honoured included.
func (r *Requests) Begin(stored map[contract.RequestKey]Seen) {
	r.stored = stored
	if len(r.round) > 0 {
		r.round = nil
	}
}

// Judge a message. A new request is in the block from now on. at is the message's time, ns, not after now.
func (r *Requests) Judge(req contract.Request, at int64) Verdict {
	if req == (contract.Request{}) {
		return New
	}
	seen, ok := r.round[req.Key]
	if !ok {
		seen, ok = r.stored[req.Key]
	}
	if checked && ok && at <= seen.At+int64(HonourKey) { // older is as good as within: collectors' clocks differ
		if seen.Fingerprint != req.Fingerprint {
			return Conflict
		}
		return Repeat
	}
	if r.round == nil {
		r.round = map[contract.RequestKey]Seen{}
	}
	r.round[req.Key] = Seen{req.Fingerprint, at}
	return New
}

// Added is what has to be stored with the block.
func (r *Requests) Added() map[contract.RequestKey]Seen { return r.round }
