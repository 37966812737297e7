// Package follow decides what a message of logs.enriched is to a reader of a partition: new, a repeat, or one behind a gap. It
// knows no Kafka and no SQL.
package follow

import "github.com/logmill/logmill/shared/contract"

// Position is how far a reader has come in a partition.
type Position struct {
	NextOffset int64 // on logs.enriched: where to read on
	SourceNext int64 // on logs.raw: all below is folded
	Watermark  int64 // ns
	Begun      bool  // something was read: before, any place is a good beginning
}

// Verdict is what to do with a message.
type Verdict uint8

// The verdicts.
const (
	Fold   Verdict = iota // new: take it in
	Repeat                // had already
	Gap                   // blocks are missing before it
)

// Judge compares a message's source offsets with the position. prev, not from, tells a gap: offsets without a block (poison,
// transaction markers) are no loss.
func (p Position) Judge(h contract.Enriched) Verdict {
	switch {
	case !h.Heartbeat() && h.To < p.SourceNext:
		return Repeat
	case p.Begun && h.Prev >= p.SourceNext:
		return Gap
	}
	return Fold
}

// Missing are the source offsets, both included, that a gap lacks.
func (p Position) Missing(h contract.Enriched) (from, to int64) { return p.SourceNext, h.Prev }

// Advance is the position after a message at an offset of logs.enriched. Watermarks never go back: a block that is published again brings its old one.
func (p Position) Advance(h contract.Enriched, offset int64) Position {
	p.NextOffset = max(p.NextOffset, offset+1)
	p.SourceNext = max(p.SourceNext, h.To+1) // a heartbeat's To is the last offset that is stored or known to be empty
	p.Watermark = max(p.Watermark, h.Watermark)
	p.Begun = true
	return p
}
