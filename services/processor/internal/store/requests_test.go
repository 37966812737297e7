package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/shared/contract"
)

func key(n int) contract.RequestKey {
	return contract.RequestKey{0xff, byte(n), byte(n >> 8), 15: '\''}
}

func TestRequestsAreRememberedWithTheBlock(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	c := commit(0, 4)
	c.Requests = map[contract.RequestKey]dedup.Seen{}
	var keys []contract.RequestKey
	for n := range 150 { // more than one statement's worth, both ways
		keys = append(keys, key(n))
		c.Requests[key(n)] = dedup.Seen{Fingerprint: ^uint64(n), At: int64(n) * 10}
	}
	old := p
	p, err := f.Commit(t.Context(), p, c)
	require.NoError(t, err)
	_, err = f.Commit(t.Context(), old, Commit{From: 9, To: 9, Requests: map[contract.RequestKey]dedup.Seen{key(999): {}}})
	require.ErrorIs(t, err, ErrFenced)

	got, err := f.Requests(t.Context(), p, append(keys, key(999), key(998)))
	require.NoError(t, err)
	require.Equal(t, c.Requests, got, "a fenced commit remembers nothing")
	other := p
	other.Partition = 3
	got, err = f.Requests(t.Context(), other, keys)
	require.NoError(t, err)
	require.Empty(t, got, "another partition knows nothing of it")

	again := map[contract.RequestKey]dedup.Seen{key(0): {Fingerprint: 7, At: 5000}}
	p, err = f.Commit(t.Context(), p, Commit{From: 5, To: 5, Requests: again}) // poison: no block
	require.NoError(t, err)
	got, err = f.Requests(t.Context(), p, keys[:1])
	require.NoError(t, err)
	require.Equal(t, again, got)
}

func TestOldRequestsAreDroppedInPortions(t *testing.T) {
	t.Parallel()
	f := open(t)
	p := f.acquire(t)
	c := Commit{Requests: map[contract.RequestKey]dedup.Seen{}}
	for n := range 10 {
		c.Requests[key(n)] = dedup.Seen{At: int64(n)}
	}
	p, err := f.Commit(t.Context(), p, c)
	require.NoError(t, err)
	for _, want := range []int64{4, 3, 0} {
		n, err := f.DropRequests(t.Context(), p, 7, 4)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 3, f.count(t, "SELECT COUNT(*) FROM request_key WHERE at_ns >= 7"))
	require.Equal(t, 3, f.count(t, "SELECT COUNT(*) FROM request_key"))
}
