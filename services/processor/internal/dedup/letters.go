package dedup

import "github.com/logmill/logmill/shared/contract"

// Letter is what is remembered of a message that went to logs.dead.
type Letter struct {
	Rows     string           // of it that are not stored, as package pipeline writes them; "" = all
	At       int64            // when it was first written to logs.raw, ns
	Import   bool             // its records are history
	Request  contract.Request // of an idempotency_conflict: clients repeat such a request too, and each time it is a letter of its own
	Replayed int64            // offset of the message in which they were stored, or died again; -1 = none
	Twin     int64            // the same of another letter of its Request; -1 = none
}

// Letters judges replays of dead letters against what is stored of the letters. The zero value is ready. Not safe for concurrent use.
type Letters struct {
	stored   map[int64]Letter // by offset on logs.raw
	round    map[int64]Replayed
	requests map[contract.Request]int64 // in the block in the making, with the offset that has it
}

// Replayed is which message has what of a letter was not stored.
type Replayed struct {
	As int64 // its offset
	By string
}

// Begin forgets the block in the making. stored is what MySQL remembers of the letters that may come.
func (l *Letters) Begin(stored map[int64]Letter) {
	l.stored, l.round, l.requests = stored, map[int64]Replayed{}, map[contract.Request]int64{}
}

// Judge the message at offset as, which is a replay. known is false for one of a letter that MySQL knows nothing of: it was never decided, so its message was
// stored some other way, or it is too old. Only a replay that is New is in the block from now on; a letter whose twin was replayed counts as replayed with it.
func (l *Letters) Judge(r contract.Replay, as int64) (letter Letter, v Verdict, known bool) {
	letter, known = l.stored[r.Offset]
	if _, twice := l.round[r.Offset]; !known || twice || letter.Replayed >= 0 {
		return letter, Repeat, known
	}
	twin, ok := l.requests[letter.Request]
	if !ok && letter.Twin >= 0 {
		twin, ok = letter.Twin, true
	}
	if ok {
		l.round[r.Offset] = Replayed{As: twin, By: r.By}
		return letter, Repeat, true
	}
	l.round[r.Offset] = Replayed{As: as, By: r.By}
	if letter.Request != (contract.Request{}) {
		l.requests[letter.Request] = as
	}
	return letter, New, true
}

// Stored says that a request is in the block in the making, in the message at offset as: letters of it miss nothing any more.
func (l *Letters) Stored(r contract.Request, as int64) {
	if len(l.stored) > 0 && r != (contract.Request{}) {
		l.requests[r] = as
	}
}

// Replays is what has to be stored with the block, by the letter's offset.
func (l *Letters) Replays() map[int64]Replayed { return l.round }
