package broker

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offset asks for an end of partition 0 of topic t: −2 the first, −1 the last.
func offset(t *testing.T, client *kgo.Client, at int64) int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp = at
	req.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{p}}}
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.Zero(t, resp.Topics[0].Partitions[0].ErrorCode)
	return resp.Topics[0].Partitions[0].Offset
}

// TestRetentionKeepsTheLastBatch: what is too much goes, also after a restart, but never all of it: an emptied partition would begin at 0 again.
func TestRetentionKeepsTheLastBatch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var end int64
	for range 2 {
		b, err := Start(Config{Dir: dir})
		require.NoError(t, err)
		require.NoError(t, b.CreateTopic("t", 1, map[string]string{"retention.ms": "-1", "retention.bytes": "1000", "segment.bytes": "1000"}))
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("t"))
		require.NoError(t, err)
		require.Equal(t, end, offset(t, client, -1), "offsets do not go back")
		before := offset(t, client, -2)
		for range 10 {
			require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord(strings.Repeat("x", 900))).FirstErr())
			require.NoError(t, client.ProduceSync(t.Context(), kgo.StringRecord(strings.Repeat("x", 2000))).FirstErr()) // more than may stay
		}
		end += 20
		for offset(t, client, -2) <= before+10 {
			<-time.After(100 * time.Millisecond) // retention comes by itself; the test's own time limit ends this
		}
		require.Less(t, offset(t, client, -2), end, "the last batch stays")
		client.Close()
		b.Close()
	}
}

// TestSequencesOfACleanStopAreForgotten: they are true once. Loaded again after a crash they would be old, and end every living producer.
func TestSequencesOfACleanStopAreForgotten(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	b, err := Start(Config{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, b.CreateTopic("t", 1, map[string]string{"retention.ms": "-1"}))
	n := portOf(t, b.Addr())
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("t"), kgo.StopProducerOnDataLossDetected())
	require.NoError(t, err)
	defer client.Close()
	produce := func() {
		t.Helper()
		for range 3 {
			require.NoError(t, client.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr())
		}
	}
	produce()
	b.Close()
	_, err = os.Stat(filepath.Join(dir, staleWindowsFile))
	require.NoError(t, err, "a clean stop writes them")
	for range 2 {
		cmd, _ := child(t, dir, n)
		produce()
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	}
}
