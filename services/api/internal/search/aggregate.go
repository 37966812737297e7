package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/services/api/internal/tally"
)

// Wanted is a table of sums: groups by fields, and figures of each.
type Wanted struct {
	By       []query.Field
	Measures []query.Measure
	Step     int64 // ns: figures over time too; 0: none
	Points   int   // when above zero, a step that makes about so many points
	Limit    int   // groups in the answer
}

// Sums is the answer of Aggregate. It is complete for [From, End); Partial says that From is not Start, or that something is missing.
type Sums struct {
	Tables     []tally.Result
	Steps      []int64 // ns, of each table
	Starts     []int64 // ns, where the first step of each begins
	Start, End int64   // the range, with ends where none were given
	From       int64
	Source     string // FromBlocks, FromWindows
	Partial    bool
	Reason     string
	Stats      Stats
	Explain    *Explain
}

// ErrSteps is a step that is too short for its range.
var ErrSteps = fmt.Errorf("cuts the range into more than %d points", MaxPoints)

// Aggregate sums up the lines that q's filter and range ask for. It goes from the newest backwards, part by part, and stops between two when its
// budget is spent: what it tells is exact for the part of the range that it covered. Errors are as Search's, and ErrSteps.
func (e *Engine) Aggregate(ctx context.Context, q *query.Query, wanted []Wanted) (Sums, error) {
	ctx, cancel := context.WithTimeout(ctx, hardTimes*e.budget.Time)
	defer cancel()
	w, err := e.begin(ctx, q)
	if err != nil {
		return Sums{}, err
	}
	w.oldest = false
	s := &sums{walk: w, wanted: wanted}
	s.out.Start, s.out.End = w.span()
	if err := s.specs(); err != nil {
		return Sums{}, err
	}
	scanned := e.now()
	if err := s.parts(ctx, q); err != nil {
		return Sums{}, err
	}
	w.explain.stage("scan", e.now().Sub(scanned))
	return s.result(q)
}

// span is the range, from the first line to the last where it is open.
func (w *walk) span() (start, end int64) {
	start, end = w.start, w.end
	if len(w.set.Newest) == 0 { // nothing is nowhere, but an answer has a range
		at := w.began.UnixNano()
		return at, at
	}
	if start == math.MinInt64 {
		start = min(end, w.set.Oldest[0].MinTime)
	}
	if end == math.MaxInt64 {
		end = max(start, w.set.Newest[0].MaxTime+1)
	}
	return start, end
}

// sums is one Aggregate under way.
type sums struct {
	*walk
	wanted   []Wanted
	spec     []tally.Spec
	summable bool
	total    []*tally.Table
	out      Sums
}

func (s *sums) specs() error {
	for _, w := range s.wanted {
		t := tally.Spec{By: w.By, Measures: w.Measures, Step: w.Step, Steps: 1, Bytes: tableBytes / len(s.wanted)}
		span := uint64(s.out.End) - uint64(s.out.Start)
		if w.Points > 0 {
			t.Step = niceStep(span, uint64(w.Points))
		}
		if t.Step > 0 {
			if span/uint64(t.Step) >= MaxPoints {
				return ErrSteps
			}
			t.Start = floor(s.out.Start, t.Step)
			t.Steps = int((uint64(s.out.End) - uint64(t.Start) + uint64(t.Step) - 1) / uint64(t.Step))
		}
		s.spec = append(s.spec, t)
		s.out.Steps, s.out.Starts = append(s.out.Steps, t.Step), append(s.out.Starts, t.Start)
	}
	s.summable = summable(s.wanted, s.out.Steps)
	s.total = s.tables()
	return nil
}

func (s *sums) tables() []*tally.Table {
	out := make([]*tally.Table, len(s.spec))
	for i := range out {
		out[i] = tally.New(s.spec[i])
	}
	return out
}

// niceSteps are those that people read well, ns.
var niceSteps = []uint64{1e6, 1e7, 1e8, 1e9, 2e9, 5e9, 10e9, 15e9, 30e9, 60e9, 120e9, 300e9, 600e9, 900e9, 1800e9, 3600e9, 7200e9, 10800e9, 21600e9, 43200e9, 86400e9}

// niceStep cuts a span, ns, into points at most.
func niceStep(span, points uint64) int64 {
	for _, s := range niceSteps {
		if span/s < points {
			return int64(s)
		}
	}
	const day = uint64(86400e9)
	return int64((span/points/day + 1) * day)
}

// parts sums up part after part, from the newest backwards; what windows answer is one of them.
func (s *sums) parts(ctx context.Context, q *query.Query) error {
	s.out.From, s.out.Source = s.out.End, FromBlocks
	began := s.e.now()
	w, err := s.windows(ctx, q)
	if err != nil {
		return err
	}
	if w != nil {
		if done, err := s.back(ctx, w.to); err != nil || !done {
			return err
		}
		w.count(s)
		s.wish(w)
		s.out.From, s.out.Source = w.from, FromWindows
		s.explain.stage("windows", s.e.now().Sub(began))
	}
	_, err = s.back(ctx, s.out.Start)
	return err
}

// back sums up blocks back to a moment; false when the budget is spent before.
func (s *sums) back(ctx context.Context, to int64) (done bool, err error) {
	for s.out.From > to {
		from := max(s.cut(s.out.From), to)
		if err := s.part(ctx, from, s.out.From); err != nil {
			return false, err
		}
		s.out.From = from
		if from > s.out.Start && s.spent() {
			return false, nil
		}
	}
	return true, nil
}

// cut is where the part that ends at end begins: so that what must be read of it is about partRows a processor. At a whole minute, where it can.
func (s *sums) cut(end int64) int64 {
	most := min(partRows*int64(runtime.GOMAXPROCS(0)), s.e.budget.Rows-s.stats.Rows)
	rows := int64(0)
	for _, b := range s.set.Newest {
		if b.MaxTime < s.out.Start {
			break
		}
		if b.MinTime >= end {
			continue
		}
		if some, _ := s.program.MayMatch(b); !some || s.summable && s.summarized(b) {
			continue
		}
		behind := b.MaxTime + 1
		if up := floor(behind+minute-1, minute); up < end {
			behind = up
		}
		if rows > 0 && rows+int64(b.Rows) > most && behind < end {
			return behind
		}
		rows += int64(b.Rows)
	}
	return s.out.Start
}

func (s *sums) summarized(b *scan.Block) bool {
	_, ok := s.e.sums.peek(cacheKey{block: b.ID, column: summaryKey})
	return ok
}

// part sums up [from, end), by several workers, each into its own tables, and adds them to the total.
func (s *sums) part(ctx context.Context, from, end int64) error {
	s.start, s.end, s.at = from, end, 0
	g, ctx := errgroup.WithContext(ctx)
	workers := make([]*summer, min(runtime.GOMAXPROCS(0), maxSummers))
	for i := range workers {
		w := &summer{sums: s, tables: s.tables()}
		workers[i] = w
		g.Go(func() error { return w.run(ctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, w := range workers {
		for i, t := range w.tables {
			if err := s.total[i].Merge(t); err != nil {
				return err
			}
		}
	}
	return nil
}

// summer is a worker.
type summer struct {
	*sums
	tables []*tally.Table
	groups [][]*tally.Group // of each table, by place of the service and level: what summaries count into
}

func (w *summer) run(ctx context.Context) error {
	for {
		b, err := w.next(ctx)
		if b == nil || err != nil {
			return err
		}
		if w.bySummary(b) {
			continue
		}
		if err := w.visit(ctx, b, w.block); err != nil {
			return err
		}
	}
}

// next is the next block of the part that may have lines.
func (s *sums) next(ctx context.Context) (*scan.Block, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ctx.Err() == nil {
		b := s.candidate()
		if b == nil {
			return nil, nil
		}
		ok, err := s.mayMatch(ctx, b)
		if err != nil {
			return nil, err
		}
		s.at++
		if ok {
			return b, nil
		}
	}
	return nil, ctx.Err()
}

// aligned tells whether the part has each minute of b whole or not at all.
func (s *sums) aligned(b *scan.Block) bool {
	return (b.MinTime >= s.start || floor(s.start, minute) == s.start) && (b.MaxTime < s.end || floor(s.end, minute) == s.end)
}

// bySummary counts a block's lines by its summary; false when that cannot be.
func (w *summer) bySummary(b *scan.Block) bool {
	if !w.summable || !w.aligned(b) {
		return false
	}
	value, ok := w.e.sums.peek(cacheKey{block: b.ID, column: summaryKey})
	if !ok {
		return false
	}
	if !w.count(b, value.(*summary)) {
		return false
	}
	w.mu.Lock()
	w.explain.Summed++
	w.mu.Unlock()
	return true
}

func (w *summer) count(b *scan.Block, sum *summary) bool {
	take, ok := decided(w.program, b, sum.pairs)
	if !ok {
		return false
	}
	for i := range w.tables {
		w.cells(i, sum, take)
	}
	return true
}

// cells adds a summary's cells to a table.
func (w *summer) cells(table int, sum *summary, take []bool) {
	groups := make([]*tally.Group, len(sum.pairs))
	for i, p := range sum.pairs {
		if take[i] {
			groups[i] = w.group(table, p)
		}
	}
	t := w.tables[table]
	for m, begin := range sum.minutes {
		if begin+minute <= w.start || begin >= w.end {
			continue
		}
		for c := sum.from[m]; c < sum.from[m+1]; c++ {
			if g := groups[sum.pairOf[c]]; g != nil {
				t.Count(g, begin, int64(sum.lines[c]))
			}
		}
	}
}

// group is a pair's in a table.
func (w *summer) group(table int, p pair) *tally.Group {
	if w.groups == nil {
		w.groups = make([][]*tally.Group, len(w.tables))
	}
	at := int(p.service)<<3 | int(p.level)
	if grow := at + 1 - len(w.groups[table]); grow > 0 {
		w.groups[table] = append(w.groups[table], make([]*tally.Group, grow)...)
	}
	if g := w.groups[table][at]; g != nil {
		return g
	}
	g := groupOf(w.tables[table], w.wanted[table].By, w.set.Services[p.service], p.level)
	w.groups[table][at] = g
	return g
}

// block reads a block's columns; when a summary would do another time, it makes one of them.
func (w *summer) block(ctx context.Context, b *scan.Block) error {
	w.mu.Lock()
	w.stats.Blocks++
	w.stats.Rows += int64(b.Rows)
	w.stats.Bytes += int64(b.Bytes)
	w.mu.Unlock()
	v, err := w.e.view(ctx, b, &w.cost)
	if err != nil {
		return err
	}
	if w.summable && decidable(w.program, b) {
		sum, err := w.e.summary(v, b, w.set.Services)
		if err != nil && !errors.Is(err, errNoSummary) {
			return err
		}
		if err == nil && w.aligned(b) && w.count(b, sum) {
			return nil
		}
	}
	candidates, err := w.rows(v)
	if err != nil {
		return err
	}
	found, err := w.program.Run(v, b, candidates)
	if err != nil || found.Empty() {
		return err
	}
	for _, t := range w.tables {
		if err := t.Add(v, found); err != nil {
			return err
		}
	}
	return nil
}

func (s *sums) result(q *query.Query) (Sums, error) {
	out := s.out
	began := s.e.now()
	short := ""
	for i, t := range s.total {
		r, err := t.Result(s.wanted[i].Limit)
		if err != nil {
			return out, err
		}
		if r.Short != "" {
			short = r.Short
		}
		out.Tables = append(out.Tables, r)
	}
	s.explain.stage("groups", s.e.now().Sub(began))
	if short != "" {
		s.damaged = append(s.damaged, short)
	}
	out.Reason = s.partial()
	out.Partial = out.Reason != ""
	out.Stats, out.Explain = s.finish(q)
	return out, nil
}
