package search

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// Hit is a record found. Not to be changed: it may be in the cache.
type Hit struct {
	Key    query.Key
	Record *logrec.Record
}

// Result is an answer. Partial says that there may be more than is told, why, and Next where to go on.
type Result struct {
	Hits    []Hit
	Total   int64 // matches seen; exact when Count was asked for and the answer is not partial
	Next    *query.Key
	Partial bool
	Damaged bool // blocks were left out, which no further page will have
	Reason  string
	Stats   Stats
	Explain *Explain
}

// Search answers q. Errors are the source's and ctx's; a damaged block is not one: it is passed over and named.
func (e *Engine) Search(ctx context.Context, q *query.Query) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, hardTimes*e.budget.Time)
	defer cancel()
	w, err := e.begin(ctx, q)
	if err != nil {
		return Result{}, err
	}
	r := &run{walk: w, q: q, keep: q.Limit + q.Offset + 1}
	r.narrow()
	scanned := e.now()
	if err := w.each(ctx, r.more, r.scan); err != nil {
		return Result{}, err
	}
	w.explain.stage("scan", e.now().Sub(scanned))
	return r.result(ctx)
}

// run is one search under way.
type run struct {
	*walk
	q     *query.Query
	keep  int   // hits worth keeping: the page, what is skipped before it, and one more to know whether there is more
	hits  []hit // in the query's order, at most keep
	total int64
}

// hit is a place of a record.
type hit struct {
	time  int64
	block *scan.Block
	row   int32
}

// narrow moves the range's border to the cursor.
func (r *run) narrow() {
	switch a := r.q.After; {
	case a == nil:
	case r.oldest:
		r.start = max(r.start, a.Time)
	case a.Time < r.end:
		r.end = a.Time + 1
	}
}

// more tells whether a block is to be read, and stops a query whose budget is spent.
func (r *run) more(next *scan.Block) bool {
	if r.complete(next) {
		return false
	}
	if r.further(next) {
		r.spent()
	}
	return true
}

// complete tells whether the answer is full and no record of b, or of any block behind it, comes before its last one.
func (r *run) complete(b *scan.Block) bool {
	if r.q.Count || len(r.hits) < r.keep {
		return false
	}
	last := r.hits[len(r.hits)-1].time
	if r.oldest {
		return b.MinTime > last
	}
	return b.MaxTime < last
}

// further tells whether stopping before b would move the cursor on. Blocks overlap, and a page that ends where it began would be asked
// for again and again.
func (r *run) further(b *scan.Block) bool {
	switch {
	case r.q.After == nil:
		return true
	case r.oldest:
		return b.MinTime > r.q.After.Time
	}
	return b.MaxTime < r.q.After.Time
}

// scan finds a block's rows, counts them, and keeps those that can enter the answer.
func (r *run) scan(ctx context.Context, b *scan.Block) error {
	v, err := r.e.view(ctx, b, &r.cost)
	if err != nil {
		return err
	}
	candidates, err := r.rows(v)
	if err != nil {
		return err
	}
	if err := r.behindCursor(v, candidates); err != nil {
		return err
	}
	found, err := r.program.Run(v, b, candidates)
	if err != nil || found.Empty() {
		return err
	}
	return r.take(v, found)
}

// behindCursor takes out what earlier pages had. Of the cursor's own moment, that is what comes before it by id.
func (r *run) behindCursor(v *view, rows scan.Bitmap) error {
	a, b := r.q.After, v.block
	if a == nil || b.MinTime > a.Time || b.MaxTime < a.Time {
		return nil
	}
	times, err := v.Column("timestamp")
	if err != nil {
		return err
	}
	from, to := scan.Between(times.Ints, a.Time, a.Time)
	for i := from; i < to; i++ {
		k, err := r.key(v, a.Time, i)
		if err != nil {
			return err
		}
		if order := k.Compare(*a); r.oldest && order <= 0 || !r.oldest && order >= 0 {
			rows.ClearRange(i, i+1)
		}
	}
	return nil
}

// key is a row's.
func (r *run) key(v *view, time int64, row int) (query.Key, error) {
	k := query.Key{Time: time, ID: logrec.ID{Stream: v.block.Stream, Partition: v.block.Partition}}
	offsets, err := v.Column("src_offset")
	if err != nil {
		return k, err
	}
	rows, err := v.Column("src_row")
	if err != nil {
		return k, err
	}
	if offsets == nil || rows == nil || row >= len(offsets.Ints) || row >= len(rows.Ints) {
		return k, fmt.Errorf("%w: no ids", block.ErrDamaged)
	}
	k.ID.Offset, k.ID.Row = offsets.Ints[row], int32(rows.Ints[row])
	return k, nil
}

// take adds a block's rows to the hits.
func (r *run) take(v *view, found scan.Bitmap) error {
	total := int64(found.Count())
	var rows []int32
	if r.oldest {
		rows = found.First(nil, r.keep)
	} else {
		rows = found.Last(nil, r.keep)
	}
	times, err := v.Column("timestamp")
	if err != nil {
		return err
	}
	if times == nil || len(times.Ints) != v.Rows() {
		return fmt.Errorf("%w: no times", block.ErrDamaged)
	}
	hits := make([]hit, len(rows))
	for i, row := range rows {
		hits[i] = hit{times.Ints[row], v.block, row}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total += total
	r.hits = r.merge(r.hits, hits)
	return nil
}

// merge is both, in order, at most keep of them.
func (r *run) merge(a, b []hit) []hit {
	out := make([]hit, 0, min(len(a)+len(b), r.keep))
	for len(out) < r.keep && len(a)+len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && r.order(a[0], b[0]) < 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return out
}

// order compares in the query's order, as query.Key does. Blocks of a partition do not overlap in offsets, and a block's rows are in order.
func (r *run) order(a, b hit) int {
	c := cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.block.Stream, b.block.Stream), cmp.Compare(a.block.Partition, b.block.Partition),
		cmp.Compare(a.block.From, b.block.From), cmp.Compare(a.row, b.row))
	if r.oldest {
		return c
	}
	return -c
}

func (r *run) result(ctx context.Context) (Result, error) {
	res := Result{Total: r.total}
	if r.stopped != "" {
		r.cut(&res)
	}
	hits := r.hits[min(r.q.Offset, len(r.hits)):]
	more := len(hits) > r.q.Limit
	hits = hits[:min(len(hits), r.q.Limit)]
	began := r.e.now()
	var err error
	if res.Hits, err = r.fetch(ctx, hits); err != nil {
		return Result{}, err
	}
	if more && len(res.Hits) > 0 {
		res.Next = &res.Hits[len(res.Hits)-1].Key
	}
	r.explain.stage("rows", r.e.now().Sub(began))
	res.Reason = r.partial()
	res.Partial, res.Damaged = res.Reason != "", len(r.damaged) > 0
	res.Stats, res.Explain = r.finish(r.q)
	return res, nil
}

// cut keeps what is certain when the query had to stop: hits before the frontier. Behind it, blocks that were not read may have
// records in between; the cursor goes on from there.
func (r *run) cut(res *Result) {
	if r.frontier == nil {
		return
	}
	edge := r.frontier.MaxTime
	if r.oldest {
		edge = r.frontier.MinTime
	}
	certain := sort.Search(len(r.hits), func(i int) bool {
		if r.oldest {
			return r.hits[i].time >= edge
		}
		return r.hits[i].time <= edge
	})
	r.hits = r.hits[:certain]
	res.Next = &query.Key{Time: edge, ID: before}
	if !r.oldest {
		res.Next.ID = behind
	}
}

// before and behind are ids at the ends: a cursor on them leaves no record of its moment out.
var (
	before = logrec.ID{Partition: -1, Offset: -1, Row: -1}
	behind = logrec.ID{Stream: 1<<32 - 1, Partition: 1<<31 - 1, Offset: 1<<63 - 1, Row: 1<<31 - 1}
)

// fetch makes records of places, block after block, several at the same time. Of a damaged block they are left out.
func (r *run) fetch(ctx context.Context, hits []hit) ([]Hit, error) {
	out := make([]Hit, len(hits))
	places := map[*scan.Block][]int{}
	var blocks []*scan.Block
	for i, h := range hits {
		if places[h.block] == nil {
			blocks = append(blocks, h.block)
		}
		places[h.block] = append(places[h.block], i)
	}
	err := r.e.parallel(ctx, len(blocks), func(ctx context.Context, i int) error {
		return r.visit(ctx, blocks[i], func(ctx context.Context, b *scan.Block) error { return r.records(ctx, b, hits, places[b], out) })
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out, func(h Hit) bool { return h.Record == nil }), nil
}
