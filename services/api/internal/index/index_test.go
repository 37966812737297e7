package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/services/api/internal/scan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// table is the processor's tables: blocks with the numbers at which they came and went.
type table struct {
	mu      sync.Mutex
	rng     *rand.Rand
	seq     map[Partition]int64
	erased  map[Partition]int64
	rows    []tableRow
	next    uint64
	failing bool
	asked   int
}

type tableRow struct {
	Row
	came, went int64 // 0 = still there
}

var errAway = errors.New("MySQL is away")

func newTable(seed uint64) *table {
	return &table{rng: rand.New(rand.NewPCG(seed, 1)), seq: map[Partition]int64{}, erased: map[Partition]int64{}}
}

// change ingests, merges, removes, or erases old rows.
func (t *table) change() {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := Partition{1, int32(t.rng.IntN(3))}
	switch t.rng.IntN(6) {
	case 0, 1, 2:
		t.seq[p]++
		t.add(p)
	case 3, 4: // merge, or retention
		t.seq[p]++
		for i := range t.rows {
			if r := &t.rows[i]; r.went == 0 && r.Stream == p.Stream && r.Partition == p.Part && t.rng.IntN(2) == 0 {
				r.went = t.seq[p]
			}
		}
		if t.rng.IntN(2) == 0 {
			t.add(p)
		}
	case 5:
		t.erased[p] = t.seq[p]
		t.rows = slices.DeleteFunc(t.rows, func(r tableRow) bool { return r.Partition == p.Part && r.went != 0 })
	}
}

func (t *table) add(p Partition) {
	t.next++
	at := t.rng.Int64N(1000)
	t.rows = append(t.rows, tableRow{came: t.seq[p], Row: Row{Services: []string{fmt.Sprintf("s%d", t.rng.IntN(20)), "common"}, Block: scan.Block{
		ID: t.next, Stream: p.Stream, Partition: p.Part, Rows: 1 + t.rng.IntN(9), MinTime: at, MaxTime: at + t.rng.Int64N(100), FilterBytes: 100, Filter: make([]byte, 100)}}})
}

func (t *table) Changes(_ context.Context, known map[Partition]int64) (out []Change, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	if t.failing && t.rng.IntN(3) == 0 {
		return nil, errAway
	}
	for p, seq := range t.seq {
		from, ok := known[p]
		if ok && from == seq {
			continue
		}
		c := Change{Partition: p, Seq: seq, Whole: !ok || t.erased[p] > from}
		for _, r := range t.rows {
			switch mine := r.Stream == p.Stream && r.Partition == p.Part; {
			case mine && r.went == 0 && (c.Whole || r.came > from):
				row := r.Row
				if c.Whole {
					row.Filter = nil
				}
				c.Added = append(c.Added, row)
			case mine && r.went > from && !c.Whole:
				c.Removed = append(c.Removed, r.ID)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

func (t *table) Filters(_ context.Context, blocks []*scan.Block) (map[uint64][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing && t.rng.IntN(3) == 0 {
		return nil, errAway
	}
	out := map[uint64][]byte{}
	for _, b := range blocks {
		out[b.ID] = make([]byte, 100)
	}
	return out, nil
}

func (t *table) ids() (out []uint64, rows int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rows {
		if r.went == 0 {
			out = append(out, r.ID)
			rows += int64(r.Rows)
		}
	}
	slices.Sort(out)
	return out, rows
}

func idsOf(list []*scan.Block) (out []uint64) {
	for _, b := range list {
		out = append(out, b.ID)
	}
	slices.Sort(out)
	return out
}

// TestTheSetIsWhatIsStored goes through random histories, with failures, and compares the set with the table after each look.
func TestTheSetIsWhatIsStored(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		tab := newTable(seed)
		tab.failing = seed%2 == 0
		budget := int64(seed%3) * 5000
		x := New(tab, budget)
		for step := range 200 {
			for range tab.rng.IntN(4) {
				tab.change()
			}
			s, err := x.Fresh(t.Context())
			if tab.failing && errors.Is(err, errAway) {
				continue
			}
			require.NoError(t, err)
			want, rows := tab.ids()
			require.Equal(t, want, idsOf(s.Newest), "seed %d, step %d", seed, step)
			require.Equal(t, want, idsOf(s.Oldest))
			require.True(t, slices.IsSortedFunc(s.Newest, NewestFirst))
			require.True(t, slices.IsSortedFunc(s.Oldest, OldestFirst))
			require.Equal(t, rows, s.Stats().Rows)
			check(t, tab, s, budget)
		}
	}
}

// check compares what is said of each block, and the memory.
func check(t *testing.T, tab *table, s *Set, budget int64) {
	t.Helper()
	filtered, memory := 0, int64(0)
	for _, b := range s.Newest {
		i := slices.IndexFunc(tab.rows, func(r tableRow) bool { return r.ID == b.ID })
		var services []string
		for _, p := range b.Services {
			services = append(services, s.Services[p])
		}
		require.ElementsMatch(t, tab.rows[i].Services, services)
		require.True(t, slices.IsSorted(b.Services))
		if len(b.Filter) > 0 {
			filtered++
		}
		memory += blockBytes + 8 + int64(len(b.Filter))
	}
	require.Equal(t, filtered, s.Stats().Filtered)
	require.Equal(t, memory, s.Stats().Bytes)
	if filtered > 0 {
		require.LessOrEqual(t, memory, budget)
	}
}

// TestWhatWasCommittedBeforeIsThere while many ask and others write.
func TestWhatWasCommittedBeforeIsThere(t *testing.T) {
	t.Parallel()
	tab := newTable(1)
	x := New(tab, 1<<20)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				tab.mu.Lock()
				p := Partition{1, 0}
				tab.seq[p]++
				tab.add(p)
				id := tab.next
				tab.mu.Unlock()
				s, err := x.Fresh(context.Background())
				if err != nil || !slices.ContainsFunc(s.Newest, func(b *scan.Block) bool { return b.ID == id }) {
					t.Errorf("block %d is not in the set (%v)", id, err)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, tab.asked, 1600)
}

func TestACallerWhoWaitsCanGo(t *testing.T) {
	t.Parallel()
	x := New(newTable(1), 0)
	<-x.turn // somebody refreshes, for ever
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := x.Fresh(ctx)
	require.ErrorIs(t, err, context.Canceled)
}
