package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// newestOf is what a reader from the beginning knows of each key, when it has seen the key "end".
func newestOf(t *testing.T, addr, end string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer c.Close()
	out := map[string]string{}
	for out["end"] != end {
		fetches := c.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "saw %v", out)
		fetches.EachRecord(func(r *kgo.Record) {
			if out[string(r.Key)] = string(r.Value); r.Value == nil {
				delete(out, string(r.Key))
			}
		})
	}
	delete(out, "end")
	return out
}

// TestCompactionKeepsTheNewest: of what two writers committed, aborted and deleted, by turns with compactions.
func TestCompactionKeepsTheNewest(t *testing.T) {
	t.Parallel()
	dial := new(net.Dialer).DialContext
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for round := range 4 {
		b, err := Start(Config{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, b.CreateTopic("t", 1, map[string]string{"retention.ms": "-1", "cleanup.policy": "compact"}))
		writers := []*kgo.Client{transactional(t, b.Addr(), "p"), transactional(t, b.Addr(), "q")}
		for n := range 40 {
			w, commit := writers[rng.IntN(2)], rng.IntN(3) > 0
			require.NoError(t, w.BeginTransaction())
			for range 1 + rng.IntN(3) {
				r := kgo.KeyStringRecord(fmt.Sprint("key ", rng.IntN(6)), fmt.Sprint(round, "/", n))
				if rng.IntN(4) == 0 {
					r.Value = nil
				}
				require.NoError(t, w.ProduceSync(t.Context(), r).FirstErr())
				if commit && r.Value == nil {
					delete(want, string(r.Key))
				} else if commit {
					want[string(r.Key)] = string(r.Value)
				}
			}
			require.NoError(t, w.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)))
		}
		end := func(v string) {
			require.NoError(t, writers[0].BeginTransaction())
			require.NoError(t, writers[0].ProduceSync(t.Context(), kgo.KeyStringRecord("end", v)).FirstErr())
			require.NoError(t, writers[0].EndTransaction(t.Context(), kgo.TryCommit))
		}
		end(fmt.Sprint(round, " a"))
		require.Equal(t, want, newestOf(t, b.Addr(), fmt.Sprint(round, " a")))
		require.NoError(t, b.compact(t.Context(), dial, 0))
		require.Less(t, offset(t, writers[0], -1)-offset(t, writers[0], -2), int64(12), "what is old is gone")
		end(fmt.Sprint(round, " b"))
		require.Equal(t, want, newestOf(t, b.Addr(), fmt.Sprint(round, " b")))
		for _, w := range writers {
			w.Close()
		}
		b.Close()
	}
}

// TestNoCompactionUnderAnOpenTransaction: it survives a clean stop, and its end comes later.
func TestNoCompactionUnderAnOpenTransaction(t *testing.T) {
	t.Parallel()
	b, err := Start(Config{Dir: t.TempDir()})
	require.NoError(t, err)
	defer b.Close()
	require.NoError(t, b.CreateTopic("t", 1, map[string]string{"retention.ms": "-1", "cleanup.policy": "compact"}))
	p := transactional(t, b.Addr(), "p")
	for range 10 {
		begin(t, p, "x")
		require.NoError(t, p.EndTransaction(t.Context(), kgo.TryCommit))
	}
	begin(t, p, "open")
	require.NoError(t, b.compact(t.Context(), new(net.Dialer).DialContext, 0))
	require.Zero(t, offset(t, p, -2), "nothing was deleted")
	require.NoError(t, p.EndTransaction(t.Context(), kgo.TryCommit))
}
