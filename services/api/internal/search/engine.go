// Package search answers queries over blocks: a ladder of cheap checks first (metadata and token filters in memory), then only the columns
// that are asked for, of only the blocks that may match, several at a time, in the order of the answer, until it is full or the budget is spent.
package search

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
)

// Index knows which blocks there are: everything that was committed before Fresh was called.
type Index interface {
	Fresh(ctx context.Context) (*index.Set, error)
}

// Source is where blocks are.
type Source interface {
	// Data are a block's bytes, nil when they are not there any more.
	Data(ctx context.Context, b *scan.Block) ([]byte, error)
	// Filters are those that do not fit into memory.
	Filters(ctx context.Context, blocks []*scan.Block) (map[uint64][]byte, error)
}

// Budget bounds one query. Past it the answer is partial and says where to go on.
type Budget struct {
	Rows  int64
	Bytes int64
	Time  time.Duration
}

// Config of an engine.
type Config struct {
	Budget Budget
	Cache  int64 // bytes of blocks and columns kept in memory

	Windows Windows // nil: sums come from blocks
}

// Engine answers queries. Safe for concurrent use.
type Engine struct {
	index  Index
	source Source
	budget Budget
	now    func() time.Time
	cache  *cache
	sums   *cache // summaries of blocks

	windows Windows
	wishes  chan wanting  // of summaries; holds one
	fewRows int64         // of blocks: more, and windows are asked
	slots   chan struct{} // blocks read at the same time, by all queries

	partings  chan parting
	rowsAPart int
}

// New makes an engine.
func New(ix Index, source Source, cfg Config, now func() time.Time) *Engine {
	return &Engine{index: ix, source: source, budget: cfg.Budget, now: now, cache: newCache(cfg.Cache - cfg.Cache/summaryShare), sums: newCache(cfg.Cache / summaryShare), windows: cfg.Windows, wishes: make(chan wanting, 1), fewRows: fewRows,
		slots: make(chan struct{}, slotsPerCPU*runtime.GOMAXPROCS(0)), partings: make(chan parting, maxPartings), rowsAPart: rowsAPart}
}

// Stats say what an answer cost.
type Stats struct {
	Blocks int   `json:"blocks"` // read, of those that could not be ruled out
	Pruned int   `json:"pruned"` // ruled out by metadata or filter
	Rows   int64 `json:"rows"`   // of the blocks read
	Bytes  int64 `json:"bytes"`  // of the blocks read
	TookMS int64 `json:"took_ms"`
}

// CacheStats are figures of the cache.
func (e *Engine) CacheStats() CacheStats { return e.cache.stats() }

// walk is a query's way through the blocks that may match, in its order.
type walk struct {
	e          *Engine
	program    *scan.Program
	set        *index.Set
	start, end int64
	oldest     bool
	until      time.Time // when the time is over
	began      time.Time

	mu         sync.Mutex
	at         int // in the set
	considered int
	pruned     map[string]int
	filters    map[uint64][]byte // of blocks ahead whose filters are not in memory
	stats      Stats
	stopped    string      // why it did not go to the end
	frontier   *scan.Block // the first block that was not read, when stopped
	damaged    []string
	cost       cost
	explain    Explain
}

// begin makes a fresh set and a program of a query.
func (e *Engine) begin(ctx context.Context, q *query.Query) (*walk, error) {
	w := &walk{e: e, start: q.Start, end: q.End, oldest: q.Oldest, began: e.now(), pruned: map[string]int{}}
	w.until = w.began.Add(e.budget.Time)
	var err error
	if w.set, err = e.index.Fresh(ctx); err != nil {
		return nil, err
	}
	w.explain.stage("refresh", e.now().Sub(w.began))
	filter := q.Filter
	if filter == nil {
		filter = query.All{}
	}
	if w.program, err = scan.Compile(filter, w.began, w.set.Services); err != nil {
		return nil, fmt.Errorf("preparing the filter: %w", err)
	}
	return w, nil
}

// each visits the blocks that may match, several at the same time, in order of their beginnings. more is asked before each, one at a
// time, and ends the walk with false. The context that visit gets ends with the first error.
func (w *walk) each(ctx context.Context, more func(next *scan.Block) bool, visit func(ctx context.Context, b *scan.Block) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			for {
				b, err := w.next(ctx, more)
				if b == nil || err != nil {
					return err
				}
				if err := w.visit(ctx, b, visit); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// visit notes damage and goes on: a damaged block is named in the answer, not an error.
func (w *walk) visit(ctx context.Context, b *scan.Block, visit func(ctx context.Context, b *scan.Block) error) error {
	if !w.e.slot(ctx) {
		return ctx.Err()
	}
	err := visit(ctx, b)
	w.e.done()
	return w.note(b, err)
}

// slot waits until a block may be worked on; false when ctx ends before. done gives it back.
func (e *Engine) slot(ctx context.Context) bool {
	select {
	case e.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (e *Engine) done() { <-e.slots }

// note remembers damage; other errors come back.
func (w *walk) note(b *scan.Block, err error) error {
	if !errors.Is(err, block.ErrDamaged) && !errors.Is(err, block.ErrNewer) && !errors.Is(err, errGone) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.damaged) == maxDamaged {
		w.damaged = append(w.damaged, "and others")
	} else if len(w.damaged) < maxDamaged {
		w.damaged = append(w.damaged, fmt.Sprintf("block %d is left out: %v", b.ID, err))
	}
	return nil
}

// next is the next block to read, nil at the end.
func (w *walk) next(ctx context.Context, more func(*scan.Block) bool) (*scan.Block, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.stopped == "" && ctx.Err() == nil {
		b := w.candidate()
		if b == nil {
			return nil, nil
		}
		if ok, err := w.mayMatch(ctx, b); err != nil || !ok {
			if err != nil {
				return nil, err
			}
			w.at++
			continue
		}
		if !more(b) {
			w.at = w.len()
			return nil, nil
		}
		if w.stopped != "" {
			w.frontier = b
			return nil, nil
		}
		w.at++
		w.stats.Blocks++
		w.stats.Rows += int64(b.Rows)
		w.stats.Bytes += int64(b.Bytes)
		return b, nil
	}
	return nil, ctx.Err()
}

func (w *walk) len() int { return len(w.set.Newest) }

// candidate is the next block in the range of time, from at on; nil when there is none.
func (w *walk) candidate() *scan.Block {
	list := w.set.Newest
	if w.oldest {
		list = w.set.Oldest
	}
	for ; w.at < len(list); w.at++ {
		b := list[w.at]
		if w.oldest && b.MinTime >= w.end || !w.oldest && b.MaxTime < w.start { // none behind it either
			w.at = len(list)
			return nil
		}
		if b.MaxTime >= w.start && b.MinTime < w.end {
			w.considered++
			return b
		}
	}
	return nil
}

func (w *walk) mayMatch(ctx context.Context, b *scan.Block) (bool, error) {
	ok, why := w.program.MayMatch(b)
	if ok && len(b.Filter) == 0 && b.FilterBytes > 0 && w.program.Tokens() {
		with := *b
		var err error
		if with.Filter, err = w.filter(ctx, b); err != nil {
			return false, err
		}
		ok, why = w.program.MayMatch(&with)
	}
	if !ok {
		w.stats.Pruned++
		w.pruned[why]++
	}
	return ok, nil
}

// filter is that of a block, read with those of the blocks behind it.
func (w *walk) filter(ctx context.Context, b *scan.Block) ([]byte, error) {
	if f, ok := w.filters[b.ID]; ok {
		return f, nil
	}
	list := w.set.Newest
	if w.oldest {
		list = w.set.Oldest
	}
	var batch []*scan.Block
	for _, next := range list[w.at:] {
		if len(next.Filter) == 0 && next.FilterBytes > 0 {
			batch = append(batch, next)
		}
		if len(batch) == filterBatch {
			break
		}
	}
	var err error
	if w.filters, err = w.e.source.Filters(ctx, batch); err != nil {
		return nil, fmt.Errorf("reading filters: %w", err)
	}
	return w.filters[b.ID], nil
}

// spent stops the walk when the budget is. It is called before each block.
func (w *walk) spent() bool {
	switch {
	case w.stats.Rows >= w.e.budget.Rows:
		w.stopped = fmt.Sprintf("the limit of %d rows read is reached", w.e.budget.Rows)
	case w.stats.Bytes >= w.e.budget.Bytes:
		w.stopped = fmt.Sprintf("the limit of %d bytes read is reached", w.e.budget.Bytes)
	case !w.e.now().Before(w.until):
		w.stopped = fmt.Sprintf("the time limit of %s is reached", w.e.budget.Time)
	}
	return w.stopped != ""
}

// partial is why an answer may lack something, "" when it is complete.
func (w *walk) partial() string {
	reasons := w.damaged
	if w.stopped != "" {
		reasons = append([]string{w.stopped}, reasons...)
	}
	return strings.Join(reasons, "; ")
}

// rows are those of a block in the range of time.
func (w *walk) rows(v *view) (scan.Bitmap, error) {
	all := scan.All(v.Rows())
	if v.block.MinTime >= w.start && v.block.MaxTime < w.end {
		return all, nil
	}
	times, err := v.Column("timestamp")
	if err != nil {
		return nil, err
	}
	if times == nil || len(times.Ints) != v.Rows() {
		return nil, fmt.Errorf("%w: no times", block.ErrDamaged)
	}
	from, to := scan.Between(times.Ints, w.start, lastBefore(w.end))
	all.ClearRange(0, from)
	all.ClearRange(to, v.Rows())
	return all, nil
}

func lastBefore(end int64) int64 {
	if end == math.MinInt64 {
		return end
	}
	return end - 1
}
