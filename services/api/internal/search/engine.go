// Package search runs queries over blocks: a ladder of cheap checks first (metadata, token filter), then only the columns of
// only the blocks that may match, newest first, until the page is full or the budget is spent.
package search

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// BlockInfo is a block's metadata.
type BlockInfo struct {
	ID               uint64
	Stream           uint32
	Partition        int32
	Rows, Bytes      int
	MinTime, MaxTime int64 // ns
	LevelMask        uint8
	Services         []string
	Checksum         uint32
}

// Selection is a page of metadata: blocks that overlap [Start, End), by (MaxTime, ID) descending or (MinTime, ID) ascending, behind After.
type Selection struct {
	Start, End int64
	Oldest     bool
	After      *BlockInfo
	Limit      int
}

// Source is where blocks are.
type Source interface {
	Blocks(ctx context.Context, s Selection) ([]BlockInfo, error)
	Filters(ctx context.Context, ids []uint64) (map[uint64][]byte, error)
	Data(ctx context.Context, id uint64) ([]byte, error) // nil = it is gone
}

// Budget bounds one query. Past it the answer is partial and says where to go on.
type Budget struct {
	Rows  int64
	Bytes int64
	Time  time.Duration
}

// Hit is a record found.
type Hit struct {
	Key    query.Key
	Record logrec.Record
}

// Stats say what an answer cost.
type Stats struct {
	Blocks int   `json:"blocks"` // read, of those that could not be ruled out
	Pruned int   `json:"pruned"` // ruled out by metadata or filter
	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`
	TookMS int64 `json:"took_ms"`
}

// Result is an answer. Partial says that there may be more than is told, why, and Next where to go on.
type Result struct {
	Hits    []Hit
	Total   int64 // matches seen; exact when Count was asked for and the answer is not partial
	Next    *query.Key
	Partial bool
	Reason  string
	Stats   Stats
}

// Engine answers queries. Safe for concurrent use.
type Engine struct {
	source Source
	budget Budget
	now    func() time.Time
}

// New makes an engine.
func New(source Source, budget Budget, now func() time.Time) *Engine {
	return &Engine{source: source, budget: budget, now: now}
}

const (
	setSize      = 100_000 // blocks whose metadata is read with one statement: only so are they one set (docs/blocks.md)
	metadataPage = 256     // blocks whose filters are looked at together
	parallel     = 2       // blocks read at the same time by one query
)

// Search answers q. Errors are the source's and ctx's; a damaged block is not one: it is passed over and named.
func (e *Engine) Search(ctx context.Context, q *query.Query) (Result, error) {
	began := e.now()
	ctx, cancel := context.WithTimeout(ctx, e.budget.Time)
	defer cancel()
	r := &run{e: e, q: q, matcher: query.NewMatcher(q.Search), tokens: q.Tokens(), keep: q.Limit + q.Offset + 1}
	err := r.all(ctx)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		err = nil
		r.stop(fmt.Sprintf("the time limit of %s is reached", e.budget.Time))
	}
	if err != nil {
		return Result{}, err
	}
	res := r.result()
	res.Stats.TookMS = e.now().Sub(began).Milliseconds()
	return res, nil
}

// run is one query under way.
type run struct {
	e        *Engine
	q        *query.Query
	matcher  query.Matcher
	tokens   []string
	keep     int   // hits worth keeping: the page, what is skipped before it, and one more to know whether there is more
	hits     []Hit // in the query's order, at most keep
	total    int64
	stats    Stats
	frontier int64 // time of the first block that was not read; valid when stopped
	next     *BlockInfo
	stopped  string
	damaged  []string
}

func (r *run) stop(reason string) {
	r.stopped = reason
	if r.next != nil {
		r.frontier = r.edge(*r.next)
	}
}

// edge is the first moment, in the query's order, that a block can have a record at.
func (r *run) edge(b BlockInfo) int64 {
	if r.q.Oldest {
		return b.MinTime
	}
	return b.MaxTime
}

func (r *run) all(ctx context.Context) error {
	sel := Selection{Start: r.q.Start, End: r.q.End, Oldest: r.q.Oldest, Limit: setSize}
	r.narrow(&sel)
	for r.stopped == "" {
		page, err := r.e.source.Blocks(ctx, sel)
		if err != nil {
			return fmt.Errorf("listing blocks: %w", err)
		}
		for some := range slices.Chunk(page, metadataPage) {
			if full, err := r.page(ctx, some); err != nil || full {
				return err
			}
		}
		if len(page) < sel.Limit {
			return nil
		}
		sel.After = &page[len(page)-1]
	}
	return nil
}

// narrow moves the range's border to the cursor.
func (r *run) narrow(s *Selection) {
	if r.q.After == nil {
		return
	}
	if r.q.Oldest {
		s.Start = max(s.Start, r.q.After.Time)
	} else {
		s.End = min(s.End, r.q.After.Time+1)
	}
}

// page reads one page of candidates; done says that nothing further can enter the answer.
func (r *run) page(ctx context.Context, page []BlockInfo) (done bool, err error) {
	candidates, err := r.prune(ctx, page)
	if err != nil {
		return false, err
	}
	for len(candidates) > 0 {
		r.next = &candidates[0]
		if r.complete(candidates[0]) {
			return true, nil
		}
		if r.spent() {
			return true, nil
		}
		n := min(parallel, len(candidates))
		if err := r.read(ctx, candidates[:n]); err != nil {
			return false, err
		}
		candidates = candidates[n:]
	}
	return false, nil
}

// complete tells whether the answer is full and no record of b, or of any block behind it, comes before its last one.
func (r *run) complete(b BlockInfo) bool {
	if r.q.Count || len(r.hits) < r.keep {
		return false
	}
	last := r.hits[len(r.hits)-1].Key.Time
	if r.q.Oldest {
		return b.MinTime > last
	}
	return b.MaxTime < last
}

// spent never stops before the query has come further than its cursor: blocks overlap, and a page that ends where it began would
// be asked for again and again.
func (r *run) spent() bool {
	switch {
	case !r.further(*r.next):
	case r.stats.Rows >= r.e.budget.Rows:
		r.stop(fmt.Sprintf("the limit of %d rows read is reached", r.e.budget.Rows))
	case r.stats.Bytes >= r.e.budget.Bytes:
		r.stop(fmt.Sprintf("the limit of %d bytes read is reached", r.e.budget.Bytes))
	}
	return r.stopped != ""
}

// further tells whether stopping before b would move the cursor on.
func (r *run) further(b BlockInfo) bool {
	switch {
	case r.q.After == nil:
		return true
	case r.q.Oldest:
		return b.MinTime > r.q.After.Time
	}
	return b.MaxTime < r.q.After.Time
}

// prune rules blocks out by metadata, then by filter.
func (r *run) prune(ctx context.Context, page []BlockInfo) ([]BlockInfo, error) {
	var out []BlockInfo
	for _, b := range page {
		if r.mayMatch(b) {
			out = append(out, b)
		}
	}
	if len(r.tokens) > 0 && len(out) > 0 {
		ids := make([]uint64, len(out))
		for i, b := range out {
			ids[i] = b.ID
		}
		filters, err := r.e.source.Filters(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("reading filters: %w", err)
		}
		out = slices.DeleteFunc(out, func(b BlockInfo) bool { return !containsAll(filters[b.ID], r.tokens) })
	}
	r.stats.Pruned += len(page) - len(out)
	return out, nil
}

func (r *run) mayMatch(b BlockInfo) bool {
	if r.q.LevelMask != 0 && b.LevelMask&r.q.LevelMask == 0 {
		return false
	}
	if len(r.q.Services) == 0 {
		return true
	}
	return slices.ContainsFunc(r.q.Services, func(s string) bool {
		_, found := slices.BinarySearch(b.Services, s)
		return found
	})
}

func containsAll(filter []byte, tokens []string) bool {
	for _, t := range tokens {
		if !block.MayContain(filter, t) {
			return false
		}
	}
	return true
}

// read scans blocks side by side and takes in what they have.
func (r *run) read(ctx context.Context, blocks []BlockInfo) error {
	found := make([]scan, len(blocks))
	g, ctx := errgroup.WithContext(ctx)
	for i, b := range blocks {
		g.Go(func() (err error) {
			found[i], err = r.scan(ctx, b)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, s := range found {
		r.stats.Blocks++
		r.stats.Rows += int64(blocks[i].Rows)
		r.stats.Bytes += int64(blocks[i].Bytes)
		r.total += s.matches
		r.hits = append(r.hits, s.hits...)
		if s.damage != "" {
			r.damaged = append(r.damaged, s.damage)
		}
	}
	slices.SortFunc(r.hits, func(a, b Hit) int { return r.order(a.Key, b.Key) })
	r.hits = r.hits[:min(len(r.hits), r.keep)]
	return nil
}

// order compares in the query's order.
func (r *run) order(a, b query.Key) int {
	if r.q.Oldest {
		return a.Compare(b)
	}
	return b.Compare(a)
}

func (r *run) result() Result {
	res := Result{Total: r.total, Stats: r.stats}
	if r.stopped != "" {
		r.cut(&res)
	}
	if len(r.damaged) > 0 {
		res.Partial = true
		res.Reason = strings.Join(append([]string{res.Reason}, r.damaged...), "; ")
		res.Reason = strings.TrimPrefix(res.Reason, "; ")
	}
	r.hits = r.hits[min(r.q.Offset, len(r.hits)):]
	if len(r.hits) > r.q.Limit {
		r.hits = r.hits[:r.q.Limit]
		if r.q.Limit > 0 { // else only the count is asked for
			res.Next = &r.hits[r.q.Limit-1].Key
		}
	}
	res.Hits = r.hits
	return res
}

// cut keeps what is certain when the query had to stop: hits before the frontier. Behind it, blocks that were not read may have
// records in between; the cursor goes on from there.
func (r *run) cut(res *Result) {
	res.Partial, res.Reason = true, r.stopped
	if r.next == nil {
		return
	}
	certain := slices.IndexFunc(r.hits, func(h Hit) bool {
		if r.q.Oldest {
			return h.Key.Time >= r.frontier
		}
		return h.Key.Time <= r.frontier
	})
	if certain >= 0 {
		r.hits = r.hits[:certain]
	}
	res.Next = &query.Key{Time: r.frontier, ID: before}
	if !r.q.Oldest {
		res.Next.ID = behind
	}
}

// before and behind are ids at the ends: a cursor on them leaves no record of its moment out.
var (
	before = logrec.ID{Partition: -1, Offset: -1, Row: -1}
	behind = logrec.ID{Stream: 1<<32 - 1, Partition: 1<<31 - 1, Offset: 1<<63 - 1, Row: 1<<31 - 1}
)

// scan is what one block has.
type scan struct {
	hits    []Hit
	matches int64
	damage  string
}

func (r *run) scan(ctx context.Context, b BlockInfo) (s scan, err error) {
	data, err := r.e.source.Data(ctx, b.ID)
	if err != nil {
		return s, fmt.Errorf("reading block %d: %w", b.ID, err)
	}
	if data == nil {
		s.damage = fmt.Sprintf("block %d was deleted before it was read", b.ID)
		return s, nil
	}
	if block.Checksum(data) != b.Checksum {
		s.damage = fmt.Sprintf("block %d is damaged and left out (checksum)", b.ID)
		return s, nil
	}
	rd, err := block.Open(data)
	if err == nil {
		err = r.match(rd, b, &s)
	}
	if err != nil {
		return scan{damage: fmt.Sprintf("block %d is damaged and left out (%v)", b.ID, err)}, nil
	}
	return s, nil
}

// match finds the rows, counts them, and materialises those that can enter the answer.
func (r *run) match(rd *block.Reader, b BlockInfo, s *scan) error {
	rows, err := r.rows(rd, b)
	if err != nil {
		return err
	}
	s.matches = int64(len(rows))
	if len(rows) > r.keep { // rows are in time order
		if r.q.Oldest {
			rows = rows[:r.keep]
		} else {
			rows = rows[len(rows)-r.keep:]
		}
	}
	if len(rows) == 0 {
		return nil
	}
	recs, err := rd.Records(rows)
	if err != nil {
		return err
	}
	for _, rec := range recs {
		s.hits = append(s.hits, Hit{Key: keyOf(b, &rec), Record: rec})
	}
	return nil
}

func keyOf(b BlockInfo, rec *logrec.Record) query.Key {
	return query.Key{Time: rec.Timestamp, ID: logrec.ID{Stream: b.Stream, Partition: b.Partition, Offset: rec.SrcOffset, Row: rec.SrcRow}}
}
