package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func transactional(t *testing.T, addr, id string) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("t"), kgo.TransactionalID(id))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// begin writes values in a transaction that stays open.
func begin(t *testing.T, c *kgo.Client, values ...string) {
	t.Helper()
	require.NoError(t, c.BeginTransaction())
	for _, v := range values {
		require.NoError(t, c.ProduceSync(t.Context(), kgo.StringRecord(v)).FirstErr())
	}
}

// committed is what a reader from the beginning sees, up to the one that is the last.
func committed(t *testing.T, addr, last string) (values []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer c.Close()
	for len(values) == 0 || values[len(values)-1] != last {
		fetches := c.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "saw %v, waits for %s", values, last)
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// TestACrashInTheMiddleOfATransaction: it never happened, and hides nothing that its producer commits later.
func TestACrashInTheMiddleOfATransaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, addr := child(t, dir, 0)
	n := portOf(t, addr)
	want := []string{}
	for round := range 3 {
		p, other := transactional(t, addr, "p"), transactional(t, addr, "other")
		begin(t, p, fmt.Sprint("committed ", round))
		require.NoError(t, p.EndTransaction(t.Context(), kgo.TryCommit))
		begin(t, p, "aborted")
		require.NoError(t, p.EndTransaction(t.Context(), kgo.TryAbort))
		begin(t, other, fmt.Sprint("other ", round))
		begin(t, p, "open", "open too")
		require.NoError(t, other.EndTransaction(t.Context(), kgo.TryCommit))
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		cmd, _ = child(t, dir, n)
		require.Error(t, p.EndTransaction(t.Context(), kgo.TryCommit), "its records are lost")
		p = transactional(t, addr, "p")
		last := fmt.Sprint("after ", round)
		begin(t, p, last)
		require.NoError(t, p.EndTransaction(t.Context(), kgo.TryCommit))
		want = append(want, fmt.Sprint("committed ", round), fmt.Sprint("other ", round), last)
		require.Equal(t, want, committed(t, addr, last))
	}
}
