package store

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/compact"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

const day = 20000 * int64(24*time.Hour)

// lines commits a block of n lines at the next offset.
func (f fixture) lines(t *testing.T, p Progress, n int) Progress {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	recs := make([]logrec.Record, n)
	for i := range recs {
		recs[i] = logrec.Record{Timestamp: p.NextOffset*100 + int64(i), Service: fmt.Sprint("s", i), Message: fmt.Sprint("m", i), Level: logrec.LevelInfo, SrcOffset: p.NextOffset, SrcRow: int32(i)}
	}
	blk, err := b.Build(recs)
	require.NoError(t, err)
	p, err = f.Commit(t.Context(), p, Commit{From: p.NextOffset, To: p.NextOffset, Watermark: p.NextOffset + 1, Stored: day + p.NextOffset, Block: blk})
	require.NoError(t, err)
	return p
}

func claimOf(p Progress) Claim { return Claim{p.Stream, p.Partition, p.Epoch} }

// merge merges n live blocks from an offset on.
func (f fixture) merge(t *testing.T, k *Keeper, c Claim, from int64, n int, now int64) ([]compact.Block, error) {
	t.Helper()
	blocks, _, err := k.Blocks(t.Context(), c, from, n)
	require.NoError(t, err)
	data, err := k.Data(t.Context(), blocks)
	require.NoError(t, err)
	m, err := compact.NewMerger()
	require.NoError(t, err)
	merged, err := m.Merge(blocks, data)
	require.NoError(t, err)
	return blocks, k.Replace(t.Context(), c, blocks, merged, now)
}

// follower is a reader as docs/blocks.md describes it.
type follower struct {
	db    *sql.DB
	seq   int64
	set   map[uint64][2]int64 // offsets
	loads int
}

func (f *follower) poll(t *testing.T) {
	t.Helper()
	tx, err := f.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback()) }()
	var seq, erased int64
	require.NoError(t, tx.QueryRow(`SELECT change_seq, erased_seq FROM partition_progress`).Scan(&seq, &erased))
	if f.set == nil || erased > f.seq {
		f.set, f.seq = map[uint64][2]int64{}, -1
		f.loads++
	}
	f.each(t, tx, `SELECT id, from_offset, to_offset FROM block WHERE change_seq > ? AND retired_seq IS NULL`, func(id uint64, at [2]int64) { f.set[id] = at })
	f.each(t, tx, `SELECT id, from_offset, to_offset FROM block WHERE retired_seq > ?`, func(id uint64, _ [2]int64) { delete(f.set, id) })
	f.seq = seq
}

func (f *follower) each(t *testing.T, tx *sql.Tx, query string, do func(uint64, [2]int64)) {
	t.Helper()
	rows, err := tx.Query(query, f.seq)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id uint64
		var at [2]int64
		require.NoError(t, rows.Scan(&id, &at[0], &at[1]))
		do(id, at)
	}
	require.NoError(t, rows.Err())
}

// covers checks that each offset of [0, end) is in one block of the set.
func (f *follower) covers(t *testing.T, end int64) {
	t.Helper()
	var all [][2]int64
	for _, at := range f.set {
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b [2]int64) int { return int(a[0] - b[0]) })
	next := int64(0)
	for _, at := range all {
		require.Equal(t, next, at[0])
		next = at[1] + 1
	}
	require.Equal(t, end, next)
}

func TestReplaceAndErase(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	quick, slow := &follower{db: f.db.Text}, &follower{db: f.db.Text}
	for range 7 {
		p = f.lines(t, p, 10)
		quick.poll(t)
	}
	slow.poll(t)
	c := claimOf(p)
	old, err := f.merge(t, k, c, 0, 3, day)
	require.NoError(t, err)
	quick.poll(t)
	quick.covers(t, 7)

	now, end, err := k.Blocks(t.Context(), c, 0, 9)
	require.NoError(t, err)
	require.True(t, end)
	require.Len(t, now, 5)
	m := now[0]
	require.Equal(t, compact.Block{ID: m.ID, From: 0, To: 2, Prev: -1, Generation: 1, Rows: 30, Bytes: m.Bytes, Raw: m.Raw, Checksum: m.Checksum, Day: 20000, Stored: day, Watermark: 3}, m)
	data, err := k.Data(t.Context(), now[:1])
	require.NoError(t, err)
	r, err := block.Open(data[0])
	require.NoError(t, err)
	recs, err := r.Records(nil)
	require.NoError(t, err)
	require.Len(t, recs, 30)
	b, ok, err := f.BlockFrom(t.Context(), p, 2)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []int64{0, 2, -1}, []int64{b.From, b.To, b.PrevTo}, "the block that holds offset 2 is the merged one")
	last, _, err := f.LastBlock(t.Context(), p)
	require.NoError(t, err)
	require.EqualValues(t, 6, last.From)

	data, err = k.Data(t.Context(), old)
	require.NoError(t, err, "what was replaced stays readable")
	require.Len(t, data, 3)
	n, err := k.Erase(t.Context(), c, day-1, 0)
	require.NoError(t, err)
	require.Zero(t, n, "retired later than that")
	slow.poll(t)
	slow.covers(t, 7)
	require.Equal(t, 1, slow.loads)
	n, err = k.Erase(t.Context(), c, day+int64(time.Second), 0)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	_, err = k.Data(t.Context(), old)
	require.ErrorIs(t, err, ErrChanged)
	for _, table := range []string{"block", "block_data", "block_filter"} {
		require.Equal(t, 5, f.count(t, "SELECT COUNT(*) FROM "+table), table)
	}
	quick.poll(t)
	require.Equal(t, 1, quick.loads, "it knew")
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM partition_progress WHERE change_seq = 8 AND erased_seq = 8"))
}

// TestAFollowerThatMissedRemovalsLoadsAnew: rows are gone that it still holds.
func TestAFollowerThatMissedRemovalsLoadsAnew(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	for range 5 {
		p = f.lines(t, p, 3)
	}
	late := &follower{db: f.db.Text}
	late.poll(t)
	_, err := f.merge(t, k, claimOf(p), 0, 2, day)
	require.NoError(t, err)
	n, err := k.Erase(t.Context(), claimOf(p), day+int64(time.Second), 0)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	late.poll(t)
	late.covers(t, 5)
	require.Equal(t, 2, late.loads)
}

func TestReplaceIsFencedAndComparesAndSets(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	for range 5 {
		p = f.lines(t, p, 3)
	}
	old := claimOf(p)
	c := claimOf(f.acquire(t))
	_, err := f.merge(t, k, old, 0, 3, day)
	require.ErrorIs(t, err, ErrFenced)
	_, err = k.Erase(t.Context(), old, day, 0)
	require.NoError(t, err, "nothing to erase")

	blocks, _, err := k.Blocks(t.Context(), c, 0, 3)
	require.NoError(t, err)
	data, err := k.Data(t.Context(), blocks)
	require.NoError(t, err)
	m, err := compact.NewMerger()
	require.NoError(t, err)
	merged, err := m.Merge(blocks, data)
	require.NoError(t, err)
	_, err = f.merge(t, k, c, 1, 2, day)
	require.NoError(t, err)
	require.ErrorIs(t, k.Replace(t.Context(), c, blocks, merged, day), ErrChanged, "two of its blocks are replaced already")
	blocks[0], merged.From = blocks[1], blocks[1].From
	require.ErrorIs(t, k.Replace(t.Context(), c, blocks, merged, day), ErrChanged, "and one begins where the other did")
	require.Equal(t, 4, f.count(t, "SELECT COUNT(*) FROM block WHERE retired_seq IS NULL"))
	require.Equal(t, 6, f.count(t, "SELECT COUNT(*) FROM block_data"))
	require.Equal(t, 6, f.count(t, "SELECT change_seq FROM partition_progress"), "what failed took no number")
	_, err = k.Erase(t.Context(), old, day+int64(time.Hour), 0)
	require.ErrorIs(t, err, ErrFenced)
	require.Equal(t, 6, f.count(t, "SELECT COUNT(*) FROM block_data"))
}

// TestThePlaceOfTheNewestBlockIsKept: its data goes as all others' does, its row stays: the next block says in prev_to what came before.
func TestThePlaceOfTheNewestBlockIsKept(t *testing.T) {
	t.Parallel()
	f := open(t)
	k := NewKeeper(f.db)
	p := f.acquire(t)
	for range 3 {
		p = f.lines(t, p, 2)
	}
	_, err := f.db.Text.Exec(`UPDATE block SET retired_seq = 4, retired_at = '2024-10-04'`)
	require.NoError(t, err)
	for _, want := range []int{3, 0} {
		n, err := k.Erase(t.Context(), claimOf(p), day+int64(time.Hour), 0)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Zero(t, f.count(t, "SELECT COUNT(*) FROM block_data")+f.count(t, "SELECT COUNT(*) FROM block_filter"))
	require.Equal(t, 1, f.count(t, "SELECT COUNT(*) FROM block"))
	again := f.acquire(t)
	require.EqualValues(t, 2, again.PrevTo)
	_, ok, err := f.LastBlock(t.Context(), again)
	require.NoError(t, err)
	require.False(t, ok, "nothing to publish again")
	again = f.lines(t, again, 2)
	n, err := k.Erase(t.Context(), claimOf(again), day+int64(time.Hour), 0)
	require.NoError(t, err)
	require.Equal(t, 1, n, "there is a newer one now")
}
