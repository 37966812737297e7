// Package dedup knows which messages of logs.raw were written twice. Kafka's idempotent producers write a batch once as long as the broker
// remembers them; a broker that forgets (the development broker when it is killed) takes a batch again that its producer sends again.
//
// A producer sends to a partition in the order of its sequence, and the log keeps that order (docs/adr/0008-batch-identity.md), so the
// highest sequence stored of each producer is all that has to be remembered: at or below it is a repeat.
//
// A client that got no answer sends its request again, perhaps to another collector: to Kafka that is another message of another producer. When
// the client says so, with an Idempotency-Key, the key is remembered a partition (docs/adr/0009-idempotency-key.md).
package dedup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/contract"
)

// Producers is one partition's memory of producers: as it is stored, and what the block in the making adds to it.
// It is stored in the transaction of the block, so it is true wherever the partition stands. Not safe for concurrent use.
type Producers struct {
	stored map[contract.ProducerID]mark
	round  map[contract.ProducerID]mark // of the block in the making
	newest int64                        // time of its newest message, ns
	next   map[contract.ProducerID]mark // as Encode has written it
}

// mark is how far a producer's messages are stored.
type mark struct {
	sequence int64
	at       int64 // time of its newest message, ns
}

// Begin forgets the block in the making.
func (p *Producers) Begin() {
	if p.round == nil {
		p.round = map[contract.ProducerID]mark{}
	}
	clear(p.round)
	p.newest, p.next = 0, nil
}

// Fresh tells whether a message has not been stored yet, and is not in the block in the making; it is in it from now on. at is the
// message's time, ns, not after now.
func (p *Producers) Fresh(id contract.Identity, at int64) bool {
	p.newest = max(p.newest, at)
	if id.Sequence == 0 {
		return true
	}
	m, ok := p.round[id.Producer]
	if !ok {
		m = p.stored[id.Producer]
	}
	if checked && id.Sequence <= m.sequence {
		return false
	}
	p.round[id.Producer] = mark{max(id.Sequence, m.sequence), max(at, m.at)}
	return true
}

// Encode is the memory as it has to be stored with the block, nil when it does not change. forgotten counts producers that had to make room.
func (p *Producers) Encode() (data []byte, forgotten int) {
	if len(p.round) == 0 {
		return nil, 0
	}
	p.next = make(map[contract.ProducerID]mark, len(p.stored)+len(p.round))
	maps.Copy(p.next, p.stored)
	maps.Copy(p.next, p.round)
	maps.DeleteFunc(p.next, func(_ contract.ProducerID, m mark) bool { return m.at < p.newest-int64(KeepProducer) })
	forgotten = p.makeRoom()
	return encode(p.next), forgotten
}

func (p *Producers) makeRoom() (forgotten int) {
	if len(p.next) <= MaxProducers {
		return 0
	}
	ids := slices.SortedFunc(maps.Keys(p.next), func(a, b contract.ProducerID) int {
		if d := p.next[a].at - p.next[b].at; d != 0 {
			return int(min(1, max(-1, d)))
		}
		return bytes.Compare(a[:], b[:])
	})
	for _, id := range ids[:len(ids)-MaxProducers] {
		delete(p.next, id)
		forgotten++
	}
	return forgotten
}

// Stored follows the commit of what Encode wrote.
func (p *Producers) Stored() {
	if p.next != nil {
		p.stored = p.next
	}
	p.Begin()
}

// The stored form: a version, then for each producer its id, sequence and time, all numbers 8 bytes, big-endian.
const (
	version   = 1
	entrySize = 16 + 8 + 8
)

var errUnreadable = errors.New("the memory of producers is not readable")

func encode(marks map[contract.ProducerID]mark) []byte {
	out := make([]byte, 1, 1+len(marks)*entrySize)
	out[0] = version
	for id, m := range marks {
		out = append(out, id[:]...)
		out = binary.BigEndian.AppendUint64(out, uint64(m.sequence))
		out = binary.BigEndian.AppendUint64(out, uint64(m.at))
	}
	return out
}

// Load reads a stored memory; nil is an empty one. After an error the memory is empty.
func Load(data []byte) (*Producers, error) {
	p := &Producers{stored: map[contract.ProducerID]mark{}}
	p.Begin()
	if len(data) == 0 {
		return p, nil
	}
	if data[0] != version || (len(data)-1)%entrySize != 0 {
		return p, fmt.Errorf("%w: version %d, %d bytes", errUnreadable, data[0], len(data))
	}
	for rest := data[1:]; len(rest) > 0; rest = rest[entrySize:] {
		id := contract.ProducerID(rest)
		p.stored[id] = mark{int64(binary.BigEndian.Uint64(rest[16:])), int64(binary.BigEndian.Uint64(rest[24:]))}
	}
	return p, nil
}
