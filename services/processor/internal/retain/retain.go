// Package retain decides which stored blocks are kept no longer: those whose lines came in too long ago, and the oldest ones when all
// together are too much. It is pure. Blocks go whole, by when their newest line was received; what senders' clocks say does not matter,
// so an import of old lines is kept as long as everything else.
package retain

import (
	"time"

	"github.com/logmill/logmill/services/processor/internal/compact"
)

// Least is how long blocks are kept whatever their size: alert evaluators fill their gaps from blocks, and a limit that is far too low
// must not take lines away before anybody has seen them.
const Least = time.Hour

// Policy is what users ask for.
type Policy struct {
	Age   time.Duration // since receipt; 0 = for ever
	Bytes int64         // of all blocks and their filters; 0 = however many
}

// Stored is what came in until a moment, and not before the moment of the next one.
type Stored struct {
	Until int64 // ns, exclusive
	Bytes int64
}

// Cutoff is a moment and why.
type Cutoff struct {
	At   int64  // ns: blocks stored before are to go; 0 = none
	Why  string // Age or Bytes
	Over int64  // bytes above the limit that stay because they are younger than Least
}

// Reasons of a cutoff.
const (
	Age   = "age"
	Bytes = "bytes"
)

// Cutoff says what is to go now (ns). stored is all there is, newest first.
func (p Policy) Cutoff(now int64, stored []Stored) Cutoff {
	var c Cutoff
	if p.Age > 0 {
		c = Cutoff{At: max(0, now-int64(p.Age)), Why: Age}
	}
	at, least := p.full(stored), now-int64(Least)
	if at > least {
		at = least
		c.Over = bytesFrom(stored, least) - p.Bytes
	}
	if at > c.At {
		c.At, c.Why = at, Bytes
	}
	return c
}

// full is the moment since when as much came in as is kept; 0 when there is room for all.
func (p Policy) full(stored []Stored) int64 {
	sum := int64(0)
	for _, s := range stored {
		if sum += s.Bytes; p.Bytes > 0 && sum > p.Bytes {
			return s.Until
		}
	}
	return 0
}

func bytesFrom(stored []Stored, from int64) (sum int64) {
	for _, s := range stored {
		if s.Until > from {
			sum += s.Bytes
		}
	}
	return sum
}

// Expired are the first blocks of a partition, in the order of offsets, that were stored before the cutoff. Those that the windows do not
// hold yet (offsets from through on) stay.
func Expired(blocks []compact.Block, cutoff, through int64) []compact.Block {
	n := 0
	for n < len(blocks) && blocks[n].Stored < cutoff && blocks[n].To < through {
		n++
	}
	return blocks[:n]
}
