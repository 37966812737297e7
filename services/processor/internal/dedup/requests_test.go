package dedup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
)

func request(key byte, fingerprint uint64) contract.Request {
	return contract.Request{Key: contract.RequestKey{key}, Fingerprint: fingerprint}
}

func TestARequestIsStoredOnceInTenMinutes(t *testing.T) {
	t.Parallel()
	const first = 1000 * second
	honoured := int64(HonourKey)
	for name, c := range map[string]struct {
		req  contract.Request
		at   int64
		want Verdict
	}{
		"at once":                       {request(1, 7), first, Repeat},
		"after ten minutes to the ns":   {request(1, 7), first + honoured, Repeat},
		"later":                         {request(1, 7), first + honoured + 1, New},
		"by a clock that is behind":     {request(1, 7), first - 500*second, Repeat},
		"another key":                   {request(2, 7), first, New},
		"another body":                  {request(1, 8), first + honoured, Conflict},
		"another body, when it may":     {request(1, 8), first + honoured + 1, New},
		"a message without key":         {contract.Request{}, first, New},
		"a key of zeros is a key still": {request(0, 1), first, New},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stored, same Requests
			stored.Begin(map[contract.RequestKey]Seen{{1}: {7, first}})
			require.Equal(t, c.want, stored.Judge(c.req, c.at))
			require.Equal(t, New, same.Judge(request(1, 7), first), "the first one")
			require.Equal(t, c.want, same.Judge(c.req, c.at), "in the same block")
		})
	}
}

func TestWhatABlockAddsToTheKeys(t *testing.T) {
	t.Parallel()
	var r Requests
	r.Begin(map[contract.RequestKey]Seen{{1}: {7, 5}, {2}: {7, 5}})
	require.Equal(t, Repeat, r.Judge(request(1, 7), 6))
	require.Equal(t, New, r.Judge(request(2, 8), 5+int64(HonourKey)+1), "used again when it may be")
	require.Equal(t, New, r.Judge(request(3, 9), 6))
	require.Equal(t, Repeat, r.Judge(request(3, 9), 7), "the first time counts")
	require.Equal(t, map[contract.RequestKey]Seen{{2}: {8, 6 + int64(HonourKey)}, {3}: {9, 6}}, r.Added())
	r.Begin(nil)
	require.Empty(t, r.Added(), "its commit failed")
	require.Equal(t, New, r.Judge(request(3, 9), 6))
}
