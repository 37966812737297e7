package search

import (
	"context"
	"errors"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

const (
	minute     = int64(60e9)
	summaryKey = "\x00summary"
)

// summary is a block's lines by minute, service and level. It answers what asks for no more than that without any column. Immutable.
type summary struct {
	pairs   []pair
	minutes []int64  // where they begin, ns, ascending
	from    []uint32 // where a minute's cells begin; one more than minutes
	pairOf  []uint16 // of each cell
	lines   []uint32
}

// pair is a service, by its place in the set's table of names, and a level.
type pair struct {
	service uint32
	level   logrec.Level
}

// errNoSummary is a block that has none: its columns are not what its description says, or it has too many services.
var errNoSummary = errors.New("this block cannot be summed up")

func (s *summary) size() int {
	return 128 + 8*len(s.pairs) + 12*len(s.minutes) + 6*len(s.lines)
}

// summarize makes a block's summary of three of its columns.
func summarize(v scan.View, b *scan.Block, services []string) (*summary, error) {
	var c [3]*vector.Column
	for i, name := range []string{"timestamp", "service", "level"} {
		var err error
		if c[i], err = v.Column(name); err != nil {
			return nil, err
		}
		if c[i] == nil || c[i].Valid() != nil || i > 0 && !c[i].Codes.Any() || c[i].Values() != v.Rows() {
			return nil, errNoSummary
		}
	}
	m, err := newMatrix(c[1], c[2], b, services)
	if err != nil {
		return nil, err
	}
	s := &summary{from: []uint32{0}}
	times := c[0].Ints
	for at := 0; at < len(times); {
		begin := floor(times[at], minute)
		_, end := scan.Between(times, begin, begin+minute-1)
		m.count(c[1], c[2], at, end)
		s.minutes = append(s.minutes, begin)
		m.flush(s)
		s.from = append(s.from, uint32(len(s.lines)))
		at = end
	}
	return s, nil
}

// matrix counts a minute's lines by the codes of service and level.
type matrix struct {
	pairs   []pair // by code of the service * levels + code of the level
	numbers []uint16
	levels  int
	counts  []uint32
	used    []int
}

// newMatrix finds the places of the services of a block's dictionary.
func newMatrix(service, level *vector.Column, b *scan.Block, services []string) (*matrix, error) {
	places := make(map[string]uint32, len(b.Services))
	for _, p := range b.Services {
		if int(p) < len(services) {
			places[services[p]] = p
		}
	}
	m := &matrix{levels: level.Texts.Len()}
	for i := range service.Texts.Len() {
		place, ok := places[service.Texts.String(i)]
		if !ok {
			return nil, errNoSummary
		}
		for k := range m.levels {
			l, ok := logrec.ParseLevel(level.Texts.String(k))
			if !ok {
				return nil, errNoSummary
			}
			m.pairs = append(m.pairs, pair{place, l})
		}
	}
	if len(m.pairs) >= noNumber {
		return nil, errNoSummary
	}
	m.counts, m.numbers = make([]uint32, len(m.pairs)), make([]uint16, len(m.pairs))
	for i := range m.numbers {
		m.numbers[i] = noNumber
	}
	return m, nil
}

const noNumber = 1<<16 - 1

func (m *matrix) count(service, level *vector.Column, from, to int) {
	for row := from; row < to; row++ {
		at := service.Codes.At(row)*m.levels + level.Codes.At(row)
		if m.counts[at] == 0 {
			m.used = append(m.used, at)
		}
		m.counts[at]++
	}
}

// flush moves the counts into cells.
func (m *matrix) flush(s *summary) {
	for _, at := range m.used {
		if m.numbers[at] == noNumber {
			m.numbers[at] = uint16(len(s.pairs))
			s.pairs = append(s.pairs, m.pairs[at])
		}
		s.pairOf, s.lines = append(s.pairOf, m.numbers[at]), append(s.lines, m.counts[at])
		m.counts[at] = 0
	}
	m.used = m.used[:0]
}

// floor is the greatest multiple of unit that is not above ns.
func floor(ns, unit int64) int64 {
	r := ns % unit
	if r < 0 {
		r += unit
	}
	return ns - r
}

// summable tells whether summaries can answer what is wanted, as far as its form goes: counts by service and level, over whole minutes.
func summable(wanted []Wanted, steps []int64) bool {
	for i, w := range wanted {
		if len(w.Measures) > 0 || steps[i]%minute != 0 {
			return false
		}
		for _, f := range w.By {
			if f != (query.Field{Name: "service"}) && f != (query.Field{Name: "level"}) {
				return false
			}
		}
	}
	return true
}

// decided tells of each pair whether the filter takes its lines of this block; false when that is not known without reading.
func decided(p *scan.Program, b *scan.Block, pairs []pair) (take []bool, ok bool) {
	take = make([]bool, len(pairs))
	some, all := p.Decide(b)
	part, service := *b, [1]uint32{} // of one service and level; the same memory for all: there are hundreds of them in a block
	part.Services = service[:]
	for i, of := range pairs {
		if some && !all {
			service[0], part.LevelMask = of.service, 1<<of.level
			s, a := p.Decide(&part)
			if s != a {
				return nil, false
			}
			take[i] = s
			continue
		}
		take[i] = all
	}
	return take, true
}

// decidable is decided for a block whose pairs are not known: for all that it may have.
func decidable(p *scan.Program, b *scan.Block) bool {
	if some, all := p.Decide(b); some == all {
		return true
	}
	pairs := make([]pair, 0, len(b.Services)*len(logrec.Levels))
	for _, s := range b.Services {
		for _, l := range logrec.Levels {
			if b.LevelMask>>l&1 == 1 {
				pairs = append(pairs, pair{s, l})
			}
		}
	}
	_, ok := decided(p, b, pairs)
	return ok
}

// summary is a block's, from memory or made now.
func (e *Engine) summary(v *view, b *scan.Block, services []string) (*summary, error) {
	value, _, err := e.sums.get(v.ctx, cacheKey{block: b.ID, column: summaryKey}, func(context.Context) (any, int, error) {
		s, err := summarize(v, b, services)
		if err != nil {
			return nil, 0, err
		}
		return s, s.size(), nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*summary), nil
}

// wanting is blocks that queries would like to have the summaries of.
type wanting struct {
	blocks   []*scan.Block
	services []string
}

// wish asks for the summaries of blocks whose lines windows have told: they answer faster, and to the line. It never waits.
func (s *sums) wish(w *windowed) {
	var blocks []*scan.Block
	for _, b := range s.set.Newest {
		if b.MaxTime >= w.from && b.MinTime < w.to && !s.summarized(b) {
			blocks = append(blocks, b)
		}
	}
	select {
	case s.e.wishes <- wanting{blocks, s.set.Services}:
	default: // it is at work already
	}
}

// Warm makes what queries wished for, one block at a time, until ctx ends. What it cannot make the next query will say.
func (e *Engine) Warm(ctx context.Context) {
	var words block.Words
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-e.partings:
			e.part(ctx, p, &words)
		case w := <-e.wishes:
			for _, b := range w.blocks {
				if ctx.Err() != nil || e.sums.stats().Bytes > e.sums.budget/10*9 {
					break
				}
				e.warm(ctx, b, w.services)
			}
		}
	}
}

func (e *Engine) warm(ctx context.Context, b *scan.Block, services []string) {
	if !e.slot(ctx) {
		return
	}
	defer e.done()
	if v, err := e.view(ctx, b, &cost{}); err == nil {
		_, _ = e.summary(v, b, services) // without one its columns are read, as ever
	}
}
