package quota

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
)

func lines(service string, n int) []logrec.Record {
	out := make([]logrec.Record, n)
	for i := range out {
		out[i].Service = service
	}
	return out
}

// TestAServiceOverItsQuota: a loud service is held to its rate over time, the others notice nothing, and a mixed request is refused whole.
func TestAServiceOverItsQuota(t *testing.T) {
	t.Parallel()
	c, err := catalogue.Parse([]byte("services: {loud: {limits: {lines_per_second: 100}}, heavy: {limits: {bytes_per_second: 1000}}, 'free-*': {}}"))
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	q := New(func() (*catalogue.Catalogue, int) { return c, 1 }, func() time.Time { return now }, prometheus.NewRegistry())
	sent, refused := 0, 0
	for range 1000 { // 10 s, 50 lines every 10 ms: 5,000 a second
		now = now.Add(10 * time.Millisecond)
		require.NoError(t, q.Take(lines("free-1", 100), 1<<20))
		err := q.Take(lines("loud", 50), 5000)
		if err == nil {
			sent += 50
			continue
		}
		refused += 50
		var f *fault.Error
		require.True(t, errors.As(err, &f))
		require.Equal(t, fault.Overload, f.Kind)
		require.Positive(t, f.RetryAfter)
		require.ErrorContains(t, err, "loud")
	}
	require.InDelta(t, 100*(10+burst.Seconds()), sent, 60)
	require.Positive(t, refused)

	require.Error(t, q.Take(append(lines("free-1", 1), lines("loud", 1)...), 10))
	now = now.Add(time.Minute)
	require.NoError(t, q.Take(append(lines("free-1", 1), lines("loud", 10_000)...), 10), "one large request is possible …")
	require.Error(t, q.Take(lines("loud", 1), 10), "… and paid for")
	require.NoError(t, q.Take(lines("heavy", 1), 4000))
	require.NoError(t, q.Take(lines("heavy", 1), 4000))
	require.Error(t, q.Take(lines("heavy", 1), 4000))
	require.NoError(t, (*Quotas)(nil).Take(lines("x", 1), 1))
}

func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	c, err := catalogue.Parse([]byte("services: {'*': {limits: {lines_per_second: 1}}}"))
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	q := New(func() (*catalogue.Catalogue, int) { return c, 1 }, func() time.Time { return now }, prometheus.NewRegistry())
	for i := range 3 * maxTracked {
		now = now.Add(10 * time.Millisecond)
		require.NoError(t, q.Take(lines(string(rune('a'+i%26))+time.Duration(i).String(), 1), 1))
	}
	require.LessOrEqual(t, len(q.buckets), maxTracked+1)
}
