// Package windows keeps windows and error texts in memory, summed up by the minute, and hours, as far back as its budget goes, so
// that figures of any range are a matter of milliseconds. It follows what processors write by the table window_change.
package windows

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/logmill/logmill/services/api/internal/metrics"
)

// Partition is a partition of a stream.
type Partition struct {
	Stream uint32
	Part   int32
}

// Position is how far a partition's windows are written.
type Position struct {
	Partition
	Through int64 // windows hold all offsets below
	From    int64 // windows before it were deleted, or hours are not whole, s
}

// scale is how wide the windows are that are kept.
type scale struct {
	width      int64
	loadAtOnce int64
	fine       bool // the newest are kept by 10 s as well
	begins     bool // before From there is more than these windows know
}

var (
	byMinutes = scale{width: minute, loadAtOnce: loadAtOnce, fine: true}
	byHours   = scale{width: hour, loadAtOnce: hoursAtOnce, begins: true}
)

// Span is [From, To), s, multiples of a minute.
type Span struct{ From, To int64 }

// Source is where windows are stored. No two of its answers need to come from one moment.
type Source interface {
	WindowPositions(ctx context.Context) ([]Position, error)
	// TouchedMinutes are the minutes, in order, with a window that was written after through.
	TouchedMinutes(ctx context.Context, p Partition, through int64) ([]int64, error)
	// WindowSpan is from the first window's minute to behind the last one's; empty without windows.
	WindowSpan(ctx context.Context, p Partition) (Span, error)
	// PartitionWindows calls f with the rows of windows; each is f's until it returns.
	PartitionWindows(ctx context.Context, p Partition, s Span, f func(*metrics.Window)) error
	PartitionErrors(ctx context.Context, p Partition, s Span, f func(*ErrorRow)) error
}

// Set is what is in memory at some moment. Immutable.
type Set struct {
	width int64
	parts []part
	names []string // tables as they were
	texts []text
	from  int64 // everything from here on is here, s
	fine  int64 // also by 10 s
	bytes int64
}

type part struct {
	Partition
	minutes, tens series // or hours, and nothing
}

// Stats are figures of a set.
type Stats struct {
	Minutes int       `json:"minutes"` // of partitions
	Bytes   int64     `json:"bytes"`
	From    time.Time `json:"from"` // zero when all there is is in memory
}

// Stats of s.
func (s *Set) Stats() Stats {
	out := Stats{Bytes: s.bytes}
	for i := range s.parts {
		out.Minutes += len(s.parts[i].minutes)
	}
	if s.from > math.MinInt64 {
		out.From = time.Unix(s.from, 0).UTC()
	}
	return out
}

// Resident follows a source. Safe for concurrent use.
type Resident struct {
	scale
	source Source
	budget int64
	now    func() time.Time

	turn    chan struct{} // holds one token: whoever has it refreshes
	begun   atomic.Int64  // when the last refresh that worked began, ns
	known   map[Partition]*following
	tables  *tables
	floor   int64 // nothing before it fits, s
	current atomic.Pointer[Set]
}

// following is what is known of a partition; with the token.
type following struct {
	through int64
	from    int64
	first   int64 // its first minute when it was met
	next    int64 // history is loaded down to here, s
}

// New makes a copy that takes about budget bytes of memory at most: the oldest windows stay in MySQL.
func New(source Source, budget int64, now func() time.Time) *Resident {
	return newResident(byMinutes, source, budget, now)
}

// NewHours makes a copy of hours: minutes of the source are hours. Response times of services have no bins: those of a service are in MySQL.
func NewHours(source Source, budget int64, now func() time.Time) *Resident {
	return newResident(byHours, source, budget, now)
}

func newResident(s scale, source Source, budget int64, now func() time.Time) *Resident {
	r := &Resident{scale: s, source: source, budget: budget, now: now, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	r.forget()
	return r
}

// forget starts anew.
func (r *Resident) forget() {
	r.known, r.tables, r.floor = map[Partition]*following{}, newTables(), math.MinInt64
	r.current.Store(&Set{width: r.width, from: math.MaxInt64, fine: math.MaxInt64})
}

// Current is the newest set in memory, however old.
func (r *Resident) Current() *Set { return r.current.Load() }

// Fresh is a set that was begun at most staleAfter ago.
func (r *Resident) Fresh(ctx context.Context) (*Set, error) {
	if r.age() <= staleAfter {
		return r.Current(), nil
	}
	select {
	case <-r.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	if r.age() <= staleAfter {
		return r.Current(), nil
	}
	if _, err := r.refresh(ctx); err != nil {
		return nil, err
	}
	return r.Current(), nil
}

func (r *Resident) age() time.Duration { return time.Duration(r.now().UnixNano() - r.begun.Load()) }

// Run keeps the copy warm until ctx ends, and loads history into it, newest first. Its errors are those that the next query gets too.
func (r *Resident) Run(ctx context.Context) {
	for ctx.Err() == nil {
		tryCtx, cancel := context.WithTimeout(ctx, refreshTimeout)
		more, err := r.round(tryCtx)
		cancel()
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(refreshEvery):
		}
	}
}

func (r *Resident) round(ctx context.Context) (more bool, err error) {
	select {
	case <-r.turn:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	return r.refresh(ctx)
}

// refresh takes in what was written since, and a piece of history; more: there is more of it.
func (r *Resident) refresh(ctx context.Context) (more bool, err error) {
	begun := r.now()
	if r.age() > startOver || r.tables.wasteful(r.Current()) {
		r.forget()
	}
	positions, err := r.source.WindowPositions(ctx)
	if err != nil {
		return false, fmt.Errorf("following the windows: %w", err)
	}
	if r.replaced(positions) {
		r.forget()
	}
	next := &Set{width: r.width, from: math.MinInt64, fine: math.MaxInt64}
	if r.fine {
		next.fine = floor(begun.Unix()-fineFor, minute)
	}
	after := make(map[Partition]*following, len(positions))
	changed := len(positions) != len(r.Current().parts)
	for _, p := range positions {
		step, err := r.follow(ctx, p, next.fine)
		if err != nil {
			return false, fmt.Errorf("following the windows of partition %d: %w", p.Part, err)
		}
		after[p.Partition] = step.now
		next.parts = append(next.parts, step.part)
		changed = changed || step.changed
		if !step.whole {
			next.from, more = max(next.from, step.now.next), true
		}
		if r.begins {
			next.from = max(next.from, p.From)
		}
	}
	r.known = after // only now: what a round that failed has read is read again
	if changed {
		next.names, next.texts = r.tables.names, r.tables.texts
		r.publish(next)
	}
	r.begun.Store(begun.UnixNano())
	return more, nil
}

// replaced tells whether a partition has gone back or away, another database, or has windows again that it had not.
func (r *Resident) replaced(now []Position) bool {
	there := 0
	for _, p := range now {
		f := r.known[p.Partition]
		if f == nil {
			continue
		}
		if there++; p.Through < f.through || p.From < f.from {
			return true
		}
	}
	return there < len(r.known)
}

// step is what a round makes of a partition.
type step struct {
	part
	now     *following
	changed bool
	whole   bool // there is no history left to load
}

// follow is a partition as it is now: what was touched is read again, and one more piece of what was before.
func (r *Resident) follow(ctx context.Context, p Position, fine int64) (out step, err error) {
	f, old := r.known[p.Partition], r.old(p.Partition)
	var spans []Span
	if f != nil && p.Through > f.through {
		var first int64
		if spans, first, err = r.touched(ctx, p, f); err != nil {
			return step{}, err
		}
		f = &following{through: p.Through, from: f.from, first: first, next: f.next}
		if len(spans) > touchedAtOnce { // an import: its windows come in order, like the rest of history
			f, spans, old = nil, nil, part{Partition: p.Partition}
		}
	}
	if f == nil {
		if f, err = r.meet(ctx, p); err != nil {
			return step{}, err
		}
	}
	floor := max(r.floor, p.From)
	now := &following{through: p.Through, from: p.From, first: f.first, next: f.next}
	if end := max(f.first, floor); f.next > end {
		now.next = max(end, f.next-r.loadAtOnce)
		spans = join(append(spans, Span{now.next, f.next}))
	}
	known := r.known[p.Partition]
	out = step{part: old, now: now, changed: len(spans) > 0 || known == nil || r.begins && known.from != p.From || len(old.minutes.between(math.MinInt64, floor)) > 0, whole: now.next <= max(f.first, floor)}
	if out.changed {
		out.part, err = r.read(ctx, old, spans, floor, fine)
	}
	return out, err
}

// meet is a partition of which nothing is in memory.
func (r *Resident) meet(ctx context.Context, p Position) (*following, error) {
	span, err := r.source.WindowSpan(ctx, p.Partition)
	if err != nil {
		return nil, err
	}
	if span.From >= span.To {
		span = Span{math.MinInt64, math.MinInt64}
	}
	return &following{through: p.Through, first: span.From, next: span.To}, nil
}

// old is what is in memory of a partition.
func (r *Resident) old(p Partition) part {
	for _, have := range r.Current().parts {
		if have.Partition == p {
			return have
		}
	}
	return part{Partition: p}
}

// touched are the minutes, among those in memory and newer ones, that were written since; first is where history begins now.
func (r *Resident) touched(ctx context.Context, p Position, f *following) (_ []Span, first int64, err error) {
	minutes, err := r.source.TouchedMinutes(ctx, p.Partition, f.through)
	first = f.first
	if err != nil {
		return nil, first, err
	}
	floor, loading := max(r.floor, p.From), f.next > f.first
	var spans []Span
	for _, m := range minutes {
		switch {
		case m < floor:
		case loading && m < f.next: // it comes with history
			first = min(first, m)
		default:
			spans = append(spans, Span{m, m + r.width})
		}
	}
	return join(spans), first, nil
}

// join is spans in order, with those that touch made one.
func join(spans []Span) []Span {
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
			continue
		}
		out = append(out, s)
	}
	return out
}

// read is a partition with its spans read again.
func (r *Resident) read(ctx context.Context, old part, spans []Span, from, fine int64) (part, error) {
	minutes, tens := newBuilder(r.width, r.tables), newBuilder(second, r.tables)
	for _, s := range spans {
		err := r.source.PartitionWindows(ctx, old.Partition, s, func(w *metrics.Window) {
			cell := w.Cell()
			minutes.add(w, &cell)
			if w.Start >= fine {
				tens.add(w, &cell)
			}
		})
		if err != nil {
			return part{}, err
		}
		if err := r.source.PartitionErrors(ctx, old.Partition, s, minutes.addError); err != nil {
			return part{}, err
		}
	}
	return part{old.Partition, old.minutes.with(minutes.done(), spans, from), old.tens.with(tens.done(), spans, max(from, fine))}, nil
}

// publish makes a set the current one, without what its budget has no room for.
func (r *Resident) publish(s *Set) {
	if s.measure(); s.bytes > r.budget {
		r.floor = max(r.floor, s.fits(r.budget))
		for i := range s.parts {
			p := &s.parts[i]
			p.minutes, p.tens = p.minutes.between(r.floor, math.MaxInt64), p.tens.between(r.floor, math.MaxInt64)
		}
		s.measure()
	}
	s.from = max(s.from, r.floor)
	s.fine = max(s.fine, s.from)
	r.current.Store(s)
}

// measure sums up what the set takes.
func (s *Set) measure() {
	s.bytes = textBytes * int64(len(s.texts))
	for i := range s.parts {
		for _, list := range []series{s.parts[i].minutes, s.parts[i].tens} {
			for _, c := range list {
				s.bytes += c.bytes
			}
		}
	}
}

// fits is the earliest moment from which on all there is takes nine tenths of budget: it is not looked for at every change.
func (s *Set) fits(budget int64) int64 {
	var all []*chunk
	for i := range s.parts {
		all = append(append(all, s.parts[i].minutes...), s.parts[i].tens...)
	}
	slices.SortFunc(all, func(a, b *chunk) int { return cmp.Compare(b.start, a.start) })
	sum := textBytes * int64(len(s.texts))
	for _, c := range all {
		if sum += c.bytes; sum > budget/10*9 {
			return floor(c.start, s.width) + s.width
		}
	}
	return math.MinInt64
}
