package search

import (
	"context"
	"slices"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/services/api/internal/tally"
	"github.com/logmill/logmill/shared/logrec"
)

// Where sums come from.
const (
	FromBlocks  = "blocks"
	FromWindows = "windows" // some of them; the rest is from blocks
)

// Minutes are windows in memory, summed up by the minute (windows.Set). Times are ns.
type Minutes interface {
	Names() []string
	Since() int64
	Minutes(from, to int64, f func(start int64, service int, c *metrics.Cell))
}

// Windows gives the windows as they are now.
type Windows func(ctx context.Context) (Minutes, error)

// windowed is the part of a range that windows answer.
type windowed struct {
	from, to int64
	set      Minutes
	take     []bool // by place of the service and level
}

// windows is the part of the range that windows can answer, and should: when it is asked for, or when much would have to be read. Nil for none. A filter
// that asks for more than service and level cannot be answered by them, nor the minutes that lines are still coming into.
func (s *sums) windows(ctx context.Context, q *query.Query) (*windowed, error) {
	if s.e.windows == nil || !s.summable || q.Source == FromBlocks || len(s.set.Newest) == 0 {
		return nil, nil
	}
	settled := s.e.now().UnixNano() - settledAfter
	w := &windowed{from: s.out.Start, to: floor(min(s.out.End, settled), minute)}
	if q.Source != FromWindows { // they know lines, too, that retention has removed
		w.from = max(w.from, s.set.Oldest[0].MinTime)
	}
	w.from = floor(w.from+minute-1, minute)
	if w.from >= w.to || q.Source != FromWindows && s.unread(w.from, w.to) < s.e.fewRows {
		return nil, nil
	}
	var err error
	if w.set, err = s.e.windows(ctx); err != nil {
		return nil, nil // then the blocks are read: they answer all that windows do
	}
	w.from = max(w.from, w.set.Since())
	if w.from >= w.to || !w.decide(s, q) {
		return nil, nil
	}
	return w, nil
}

// unread is how many rows would have to be read for a range.
func (s *sums) unread(from, to int64) (rows int64) {
	for _, b := range s.set.Newest {
		if b.MaxTime < from {
			break
		}
		if b.MinTime >= to {
			continue
		}
		if some, _ := s.program.MayMatch(b); some && !s.summarized(b) {
			rows += int64(b.Rows)
		}
	}
	return rows
}

// ofWindows are the fields that a filter of windows may ask for.
var ofWindows = []query.Field{{Name: "service"}, {Name: "level"}, {Name: "timestamp"}}

// decide asks the filter of each service and level.
func (w *windowed) decide(s *sums, q *query.Query) bool {
	names := w.set.Names()
	known := true
	query.EachTerm(q.Filter, func(t *query.Term) { known = known && slices.Contains(ofWindows, t.Field) })
	if !known {
		return false
	}
	program, err := scan.Compile(q.Filter, s.began, names)
	if err != nil {
		return false
	}
	w.take = make([]bool, len(names)<<3)
	for service := range names {
		for _, l := range logrec.Levels {
			b := scan.Block{Services: []uint32{uint32(service)}, LevelMask: 1 << l, MinTime: w.from, MaxTime: w.to - 1}
			some, all := program.Decide(&b)
			if some != all {
				return false
			}
			w.take[service<<3|int(l)] = all
		}
	}
	return true
}

// count adds the windows to the totals.
func (w *windowed) count(s *sums) {
	names := w.set.Names()
	for i, t := range s.total {
		groups := make([]*tally.Group, len(w.take))
		w.set.Minutes(w.from, w.to, func(start int64, service int, c *metrics.Cell) {
			for l, n := range c.Levels {
				at := service<<3 | l
				if n == 0 || !w.take[at] {
					continue
				}
				if groups[at] == nil {
					groups[at] = groupOf(t, s.wanted[i].By, names[service], logrec.Level(l))
				}
				t.Count(groups[at], start, int64(n))
			}
		})
	}
}

// groupOf is the group of a service and a level.
func groupOf(t *tally.Table, by []query.Field, service string, level logrec.Level) *tally.Group {
	values := make([]tally.Value, len(by))
	for i, f := range by {
		if f.Name == "service" {
			values[i].Text = service
		} else {
			values[i].Text = level.String()
		}
	}
	return t.Group(values)
}
