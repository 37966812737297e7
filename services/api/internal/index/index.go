// Package index keeps what is known of all stored blocks in memory: times, levels, services and token filters. It follows the sets of
// blocks as docs/blocks.md says, and is current at the beginning of every query: what was committed before Fresh was called is in the
// set that it returns.
package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/logmill/logmill/services/api/internal/scan"
)

// Partition is a partition of a stream.
type Partition struct {
	Stream uint32
	Part   int32
}

// Row is a block as it is stored. Services are those in Block.Services by name.
type Row struct {
	scan.Block
	Services []string
}

// Change is how a partition's set of blocks came from one number to another.
type Change struct {
	Partition
	Seq     int64
	Whole   bool // Added is the whole set
	Added   []Row
	Removed []uint64 // ids; some may never have been there
}

// Source is where blocks are described.
type Source interface {
	// Changes are those since the numbers in known, of all partitions, from one snapshot. It says Whole of those that are not in known, and
	// where changes cannot be told any more. Filters come with them, but for Whole.
	Changes(ctx context.Context, known map[Partition]int64) ([]Change, error)
	// Filters are the token filters of blocks.
	Filters(ctx context.Context, blocks []*scan.Block) (map[uint64][]byte, error)
}

// Set is the set of blocks at some moment. Immutable.
type Set struct {
	Newest   []*scan.Block // by (MaxTime, ID) descending
	Oldest   []*scan.Block // by (MinTime, ID) ascending
	Services []string      // names that scan.Block.Services point into
	rows     int64
	bytes    int64 // of memory
	filtered int   // blocks whose filter is in memory
}

// Stats are figures of a set.
type Stats struct {
	Blocks   int   `json:"blocks"`
	Filtered int   `json:"filtered"` // whose filter is in memory
	Rows     int64 `json:"rows"`
	Bytes    int64 `json:"bytes"` // of memory
}

// Stats of s.
func (s *Set) Stats() Stats { return Stats{len(s.Newest), s.filtered, s.rows, s.bytes} }

// Index follows a source. Safe for concurrent use.
type Index struct {
	source Source
	budget int64

	clock   atomic.Int64  // counts arrivals and beginnings, to order them
	turn    chan struct{} // holds one token: whoever has it refreshes
	begun   int64         // when the last refresh that worked began; with the token
	known   map[Partition]int64
	places  map[string]uint32
	names   []string
	current atomic.Pointer[Set]
}

// New makes an index that takes about budget bytes of memory at most: filters beyond it stay in MySQL, the oldest first.
func New(source Source, budget int64) *Index {
	x := &Index{source: source, budget: budget, turn: make(chan struct{}, 1), known: map[Partition]int64{}, places: map[string]uint32{}}
	x.turn <- struct{}{}
	x.current.Store(&Set{})
	return x
}

// Current is the newest set in memory, however old.
func (x *Index) Current() *Set { return x.current.Load() }

// Fresh is a set with everything that was committed before it was called. Those who wait at the same time share a look at MySQL.
func (x *Index) Fresh(ctx context.Context) (*Set, error) {
	arrived := x.clock.Add(1)
	select {
	case <-x.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { x.turn <- struct{}{} }()
	if x.begun > arrived {
		return x.Current(), nil
	}
	begun := x.clock.Add(1)
	if err := x.refresh(ctx); err != nil {
		return nil, fmt.Errorf("following the blocks: %w", err)
	}
	x.begun = begun
	return x.Current(), nil
}

// Run keeps the index warm until ctx ends, so that queries find little to do. Its errors are those that the next query gets too.
func (x *Index) Run(ctx context.Context) {
	t := time.NewTicker(refreshEvery)
	defer t.Stop()
	for {
		tryCtx, cancel := context.WithTimeout(ctx, refreshTimeout)
		_, _ = x.Fresh(tryCtx)
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (x *Index) refresh(ctx context.Context) error {
	changes, err := x.source.Changes(ctx, x.known)
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		return nil
	}
	old := x.current.Load()
	removed, added := removed(old, changes), x.added(changes)
	s := &Set{Services: x.names, Newest: merge(old.Newest, added, removed, NewestFirst), Oldest: merge(old.Oldest, added, removed, OldestFirst)}
	if err := x.filters(ctx, s); err != nil {
		return err
	}
	for i := range changes { // only now: a round that failed is asked for again, whole
		x.known[changes[i].Partition] = changes[i].Seq
	}
	x.current.Store(s)
	return nil
}

// removed are the ids that left the set.
func removed(old *Set, changes []Change) map[uint64]bool {
	gone, whole := map[uint64]bool{}, map[Partition]bool{}
	for i := range changes {
		whole[changes[i].Partition] = changes[i].Whole
		for _, id := range changes[i].Removed {
			gone[id] = true
		}
	}
	for _, b := range old.Newest {
		if whole[Partition{b.Stream, b.Partition}] {
			gone[b.ID] = true
		}
	}
	return gone
}

// added makes blocks of what came.
func (x *Index) added(changes []Change) []*scan.Block {
	var out []*scan.Block
	for i := range changes {
		for k := range changes[i].Added {
			row := &changes[i].Added[k]
			b := row.Block
			b.Services = make([]uint32, 0, len(row.Services))
			for _, s := range row.Services {
				b.Services = append(b.Services, x.place(s))
			}
			slices.Sort(b.Services)
			out = append(out, &b)
		}
	}
	return out
}

// place is a service's in the table of names, which only grows.
func (x *Index) place(service string) uint32 {
	p, ok := x.places[service]
	if !ok {
		p = uint32(len(x.names))
		x.names = append(x.names, service)
		x.places[service] = p
	}
	return p
}

// NewestFirst and OldestFirst order a Set's lists.
func NewestFirst(a, b *scan.Block) int {
	return cmp.Or(cmp.Compare(b.MaxTime, a.MaxTime), cmp.Compare(b.ID, a.ID))
}

func OldestFirst(a, b *scan.Block) int {
	return cmp.Or(cmp.Compare(a.MinTime, b.MinTime), cmp.Compare(a.ID, b.ID))
}

// merge is a new slice of old without those removed, and added, in order.
func merge(old, added []*scan.Block, removed map[uint64]bool, order func(a, b *scan.Block) int) []*scan.Block {
	added = slices.Clone(added)
	slices.SortFunc(added, order)
	out := make([]*scan.Block, 0, len(old)+len(added))
	for _, b := range old {
		if removed[b.ID] {
			continue
		}
		for len(added) > 0 && order(added[0], b) < 0 {
			out = append(out, added[0])
			added = added[1:]
		}
		out = append(out, b)
	}
	return append(out, added...)
}

// blockBytes is about what a block takes without its services and filter.
const blockBytes = 220

// filters gives the newest blocks their filters, as far as the budget goes, and takes them from older ones.
func (x *Index) filters(ctx context.Context, s *Set) error {
	for _, b := range s.Newest {
		s.rows += int64(b.Rows)
		s.bytes += blockBytes + 4*int64(len(b.Services))
	}
	var missing []*scan.Block
	replaced := map[uint64]*scan.Block{}
	for i, b := range s.Newest {
		size := int64(max(b.FilterBytes, len(b.Filter)))
		switch fits := s.bytes+size <= x.budget; {
		case fits && len(b.Filter) > 0:
		case fits && size > 0:
			missing = append(missing, b)
		case len(b.Filter) > 0:
			without := *b
			without.Filter = nil
			s.Newest[i], replaced[b.ID] = &without, &without
			continue
		default:
			continue
		}
		s.bytes += size
		s.filtered++
	}
	for batch := range slices.Chunk(missing, filterBatch) {
		found, err := x.source.Filters(ctx, batch)
		if err != nil {
			return err
		}
		for _, b := range batch {
			with := *b
			with.Filter = found[b.ID]
			replaced[b.ID] = &with
		}
	}
	s.replace(replaced)
	return nil
}

// replace puts other descriptions of the same blocks in their places.
func (s *Set) replace(by map[uint64]*scan.Block) {
	if len(by) == 0 {
		return
	}
	for _, list := range [][]*scan.Block{s.Newest, s.Oldest} {
		for i, b := range list {
			if r := by[b.ID]; r != nil {
				list[i] = r
			}
		}
	}
}
