package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/shared/contract"
)

func TestDeadLettersAreRememberedWithTheirPosition(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	old := p
	twice := contract.Request{Key: key(1), Fingerprint: ^uint64(0)}
	p, err := f.Commit(t.Context(), p, Commit{From: 0, To: 3, Dead: []Letter{{Offset: 0, Kind: "rejected_rows", Rows: "1,3-", At: 42},
		{Offset: 1, Kind: "idempotency_conflict", Request: twice}, {Offset: 2, Kind: "idempotency_conflict", Request: twice}, {Offset: 3, Kind: "undecodable", Import: true}}})
	require.NoError(t, err)
	_, err = f.Commit(t.Context(), old, Commit{From: 0, To: 4, Dead: []Letter{{Offset: 4}}, Replayed: map[int64]dedup.Replayed{0: {As: 4}}})
	require.ErrorIs(t, err, ErrFenced)

	letters, err := f.Letters(t.Context(), p, []int64{0, 1, 3, 4})
	require.NoError(t, err)
	require.Equal(t, map[int64]dedup.Letter{0: {Rows: "1,3-", At: 42, Replayed: -1, Twin: -1}, 1: {Request: twice, Replayed: -1, Twin: -1}, 3: {Import: true, Replayed: -1, Twin: -1}}, letters, "a fenced commit remembers nothing")

	p, err = f.Commit(t.Context(), p, Commit{From: 4, To: 5, Replayed: map[int64]dedup.Replayed{0: {As: 4, By: "ann"}, 1: {As: 5}},
		Dead: []Letter{{Offset: 4, Kind: "undecodable", ReplayOf: contract.Replay{Stream: p.Stream, Partition: 2}}}})
	require.NoError(t, err)
	letters, err = f.Letters(t.Context(), p, []int64{0, 1, 2, 3})
	require.NoError(t, err)
	for offset, want := range [][]int64{{4, -1}, {5, 5}, {-1, 5}, {-1, -1}} {
		l := letters[int64(offset)]
		require.Equal(t, want, []int64{l.Replayed, l.Twin}, offset)
	}
	require.Equal(t, 1, f.count(t, `SELECT COUNT(*) FROM dead_letter WHERE raw_offset = 0 AND replayed_as = 4 AND replayed_by = 'ann' AND replayed_at IS NOT NULL`))
	require.Equal(t, 1, f.count(t, `SELECT COUNT(*) FROM dead_letter WHERE raw_offset = 4 AND replay_of = 0`))

	_, err = f.db.Text.ExecContext(t.Context(), `UPDATE dead_letter SET died_at = died_at - INTERVAL 91 DAY WHERE raw_offset < 3`)
	require.NoError(t, err)
	for _, want := range []int64{2, 1, 0} {
		n, err := f.DropLetters(t.Context(), 2)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 2, f.count(t, `SELECT COUNT(*) FROM dead_letter`))
}

// TestStoredConflictsMissNothing: among more requests than one statement takes, and many look-ups, letters of a request that is stored are marked.
func TestStoredConflictsMissNothing(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	c := Commit{From: 0, To: 99}
	var offsets []int64
	for i := range int64(100) {
		c.Dead = append(c.Dead, Letter{Offset: i, Kind: "idempotency_conflict", Request: contract.Request{Key: key(int(i)), Fingerprint: uint64(i)}})
		offsets = append(offsets, i)
	}
	p, err := f.Commit(t.Context(), p, c)
	require.NoError(t, err)
	stored := map[contract.RequestKey]dedup.Seen{}
	for i := range 50 {
		stored[key(int(i))] = dedup.Seen{Fingerprint: uint64(i), At: 1}
	}
	stored[key(60)] = dedup.Seen{Fingerprint: 61, At: 1} // another body
	p, err = f.Commit(t.Context(), p, Commit{From: 100, To: 101, Requests: stored})
	require.NoError(t, err)
	letters, err := f.Letters(t.Context(), p, offsets)
	require.NoError(t, err)
	require.Len(t, letters, 100)
	for i, l := range letters {
		require.Equal(t, i < 50, l.Replayed == 101, i)
		require.Equal(t, i >= 50, l.Replayed == -1, i)
	}
}
