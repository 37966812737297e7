package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// mortal is a consumer whose connections can be cut for good, as those of a process that is killed.
type mortal struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}

	mu    sync.Mutex
	dead  bool
	conns []net.Conn
}

func (m *mortal) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, errors.New("killed")
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		m.conns = append(m.conns, c)
	}
	return c, err
}

func (m *mortal) kill() {
	m.mu.Lock()
	m.dead = true
	for _, c := range m.conns {
		_ = c.Close()
	}
	m.mu.Unlock()
	m.cancel()
	<-m.done
	m.client.Close()
}

const testSession = time.Second

func newMortal(t *testing.T, addr string, got chan<- string) *mortal {
	t.Helper()
	m := &mortal{done: make(chan struct{})}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.Dialer(m.dial), kgo.Balancers(kgo.RangeBalancer()),
		kgo.SessionTimeout(testSession), kgo.HeartbeatInterval(testSession/5), kgo.RebalanceTimeout(2*testSession))
	require.NoError(t, err)
	m.client = client
	var ctx context.Context
	ctx, m.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			fetches := client.PollFetches(ctx)
			fetches.EachError(func(_ string, _ int32, err error) { t.Log(err) })
			fetches.EachRecord(func(r *kgo.Record) {
				select {
				case got <- string(r.Value):
				case <-ctx.Done():
				}
			})
		}
	}()
	return m
}

// TestAGroupOutlivesItsMembers: consumers come, and are killed at any moment of their joining; who is left in the end reads every partition.
func TestAGroupOutlivesItsMembers(t *testing.T) {
	t.Parallel()
	const partitions = 8
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 1))
			b, err := Start(Config{})
			require.NoError(t, err)
			defer b.Close()
			require.NoError(t, b.CreateTopic("t", partitions, map[string]string{"retention.ms": "-1"}))
			got := make(chan string, 100)
			var living []*mortal
			for range 40 {
				switch {
				case len(living) < 3 || rng.IntN(3) == 0 && len(living) < 6:
					living = append(living, newMortal(t, b.Addr(), got))
				default:
					i := rng.IntN(len(living))
					living[i].kill()
					living = append(living[:i], living[i+1:]...)
				}
				<-time.After(time.Duration(rng.IntN(150)) * time.Millisecond)
			}
			client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			require.NoError(t, err)
			defer client.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			missing := map[string]bool{}
			for p := range int32(partitions) {
				v := fmt.Sprint("to ", p)
				missing[v] = true
				require.NoError(t, client.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: p, Value: []byte(v)}).FirstErr())
			}
			for len(missing) > 0 {
				select {
				case v := <-got:
					delete(missing, v)
				case <-ctx.Done():
					require.Empty(t, missing, "%+v", b.groups.describe("g"))
				}
			}
			require.Eventually(t, func() bool { return described(t, client, "g") == stable }, time.Minute, 20*time.Millisecond)
			for _, m := range living {
				m.client.Close() // leaves
				m.kill()
			}
			require.Eventually(t, func() bool { return described(t, client, "g") == empty }, time.Minute, 20*time.Millisecond)
		})
	}
}

// TestAProcessDiesInItsJoin: nobody hears the answer to its join; its share goes to the other all the same.
func TestAProcessDiesInItsJoin(t *testing.T) {
	t.Parallel()
	b, err := Start(Config{})
	require.NoError(t, err)
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := func() (*mortal, func(*kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse) {
		m := &mortal{done: make(chan struct{}), cancel: func() {}}
		close(m.done)
		m.client, err = kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(m.dial))
		require.NoError(t, err)
		return m, func(req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
			req.SessionTimeoutMillis = 5000 // the machine may be busy
			resp, err := req.RequestWith(ctx, m.client)
			if err != nil {
				return nil // killed
			}
			return resp
		}
	}
	first, join := client()
	defer first.kill()
	id := join(joinRequest("", "x")).MemberID
	sync := func(generation int32) {
		req := kmsg.NewPtrSyncGroupRequest()
		req.Group, req.MemberID, req.Generation = "g", id, generation
		resp, err := req.RequestWith(ctx, first.client)
		require.NoError(t, err)
		require.Zero(t, resp.ErrorCode)
	}
	told := func(generation int32) {
		for code := int16(0); code != kerr.RebalanceInProgress.Code; <-time.After(50 * time.Millisecond) {
			req := kmsg.NewPtrHeartbeatRequest()
			req.Group, req.MemberID, req.Generation = "g", id, generation
			resp, err := req.RequestWith(ctx, first.client)
			require.NoError(t, err, "it was never told that the other is gone")
			code = resp.ErrorCode
		}
	}
	g := join(joinRequest(id, "x")).Generation
	sync(g)

	second, joinSecond := client()
	other := joinSecond(joinRequest("", "x")).MemberID
	go joinSecond(joinRequest(other, "x"))
	told(g)
	second.kill()
	r := join(joinRequest(id, "x"))
	require.Len(t, r.Members, 2)
	sync(r.Generation)
	told(r.Generation)
	require.Len(t, join(joinRequest(id, "x")).Members, 1)
}

// described is a group's state as Kafka's tools see it.
func described(t *testing.T, client *kgo.Client, group string) string {
	t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	resp, err := req.RequestWith(t.Context(), client)
	require.NoError(t, err)
	return resp.Groups[0].State
}

// TestOffsetsOutliveTheBroker: a member's commits are kept, and a fresh coordinator knows no members.
func TestOffsetsOutliveTheBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	commit := func(value string, want int64) {
		b, err := Start(Config{Dir: dir})
		require.NoError(t, err)
		defer b.Close()
		require.NoError(t, b.CreateTopic("t", 1, map[string]string{"retention.ms": "-1"}))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.DisableAutoCommit(), kgo.DefaultProduceTopic("t"))
		require.NoError(t, err)
		defer client.Close()
		require.NoError(t, client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr())
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		records := fetches.Records()
		require.Len(t, records, 1, "it begins where the last one stopped")
		require.Equal(t, value, string(records[0].Value))
		require.NoError(t, client.CommitRecords(ctx, records...))
		req := kmsg.NewPtrOffsetFetchRequest()
		req.Group = "g"
		topic := kmsg.NewOffsetFetchRequestTopic()
		topic.Topic, topic.Partitions = "t", []int32{0}
		req.Topics = append(req.Topics, topic)
		g := kmsg.NewOffsetFetchRequestGroup()
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = "t", []int32{0}
		g.Group, g.Topics = "g", append(g.Topics, gt)
		req.Groups = append(req.Groups, g)
		resp, err := req.RequestWith(ctx, client)
		require.NoError(t, err)
		require.Equal(t, want, resp.Groups[0].Topics[0].Partitions[0].Offset)
	}
	commit("first", 1)
	commit("second", 2)
}
