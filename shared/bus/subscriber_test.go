package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/broker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// positions stand for the database in which services keep what they have read.
type positions struct {
	mu    sync.Mutex
	next  map[int32]int64
	got   []string
	owner map[int32]string
}

func (p *positions) owners() (out string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for part := range int32(len(p.owner)) {
		out += p.owner[part]
	}
	return out
}

// consumer is one member of a group. late, when set, delays its loading until it returns.
type consumer struct {
	name string
	sub  *bus.Subscriber
	stop context.CancelFunc
	done chan struct{}
	log  syncBuffer
	late func(context.Context) error
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (p *positions) consume(t *testing.T, cfg config.Kafka, name string, late func(context.Context) error) *consumer {
	t.Helper()
	c := &consumer{name: name, done: make(chan struct{}), late: late}
	hook := bus.Hook{
		Load: func(ctx context.Context, _ string, parts []int32) (map[int32]int64, error) {
			if c.late != nil {
				if err := c.late(ctx); err != nil {
					return nil, err
				}
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			out := map[int32]int64{}
			for _, part := range parts {
				out[part] = p.next[part]
			}
			return out, nil
		},
		Assigned: func(claim *bus.Claim) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.owner[claim.Partition] = name
		},
		Revoked: func(claim *bus.Claim) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.owner[claim.Partition] = "-"
		},
		Lost: func(_ string, part int32, want int64) { t.Errorf("%s lost %d at %d", name, part, want) },
	}
	sub, err := bus.NewSubscriber(cfg, "group", hook, zerolog.New(&c.log))
	require.NoError(t, err)
	c.sub = sub
	var ctx context.Context
	ctx, c.stop = context.WithCancel(context.Background())
	messages, err := sub.Subscribe(ctx, contract.TopicEnriched)
	require.NoError(t, err)
	go func() {
		defer close(c.done)
		for msg := range messages {
			info := bus.InfoOf(msg)
			p.mu.Lock()
			if info.Offset == p.next[info.Partition] {
				p.next[info.Partition]++
				p.got = append(p.got, string(msg.Payload))
			}
			p.mu.Unlock()
			msg.Ack()
		}
	}()
	t.Cleanup(c.end)
	return c
}

func (c *consumer) end() {
	c.stop()
	_ = c.sub.Close()
	<-c.done
}

const patience = 90 * time.Second // of a machine at work

// TestPartitionsMove: a second member takes its share, and gives it back when it goes; every message is taken once, from the stored positions.
func TestPartitionsMove(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		cfg.SessionTimeout = 6 * time.Second
		p := &positions{next: map[int32]int64{}, owner: map[int32]string{0: "-", 1: "-", 2: "-"}}
		pub := bus.NewPublisher(cfg, "test", false, zerolog.Nop())
		defer func() { require.NoError(t, pub.Close()) }()
		var want []string
		send := func() {
			t.Helper()
			for part := range cfg.Partitions {
				for range 5 {
					v := fmt.Sprint("message ", len(want))
					want = append(want, v)
					require.NoError(t, pub.Publish(t.Context(), contract.TopicEnriched, part, nil, []byte(v), nil))
				}
			}
			require.Eventually(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.got) >= len(want) }, patience, 20*time.Millisecond)
		}
		p.consume(t, cfg, "a", nil)
		send()
		require.Equal(t, "aaa", p.owners())
		b := p.consume(t, cfg, "b", nil)
		require.Eventually(t, func() bool { o := p.owners(); return !strings.Contains(o, "-") && o != "aaa" && o != "bbb" }, patience, 20*time.Millisecond)
		send()
		b.end()
		require.Eventually(t, func() bool { return p.owners() == "aaa" }, patience, 20*time.Millisecond)
		send()
		require.ElementsMatch(t, want, p.got)
		client := testkit.BusClient(t, cfg)
		committed, err := client.Committed(t.Context(), "group", contract.TopicEnriched)
		require.NoError(t, err)
		for part, next := range committed {
			require.Less(t, next, p.next[part], "an acknowledgement does not say that it is stored: only where sessions began is")
		}
	})
}

// TestPartitionsMoveWhileTheyAreLoaded: that is no error: who loads joins again at once, as the member that it is.
func TestPartitionsMoveWhileTheyAreLoaded(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		cfg.SessionTimeout = 6 * time.Second
		p := &positions{next: map[int32]int64{}, owner: map[int32]string{0: "-", 1: "-", 2: "-"}}
		loading, once := make(chan struct{}), sync.Once{}
		a := p.consume(t, cfg, "a", func(ctx context.Context) (err error) {
			once.Do(func() { // the first time
				close(loading)
				<-ctx.Done()
				err = ctx.Err()
			})
			return err
		})
		<-loading
		p.consume(t, cfg, "b", nil)
		require.Eventually(t, func() bool { o := p.owners(); return !strings.Contains(o, "-") && o != "aaa" && o != "bbb" }, patience, 20*time.Millisecond)
		require.NotContains(t, a.log.String(), "group consume error")
	})
}

// TestPublisherOutlivesItsBroker: while the broker is away a message fails within the caller's time; the next one after its return goes through.
func TestPublisherOutlivesItsBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := broker.Start(broker.Config{Dir: dir})
	require.NoError(t, err)
	addr := b.Addr()
	cfg := config.Kafka{Brokers: []string{addr}, Partitions: 1, Embedded: true}
	client, err := bus.NewClient(cfg, "test")
	require.NoError(t, err)
	require.NoError(t, client.EnsureTopics(t.Context(), contract.Topics(1, true)))
	require.NoError(t, client.Close())
	pub := bus.NewPublisher(cfg, "test", false, zerolog.Nop())
	publish := func(ctx context.Context, v string) error {
		return pub.Publish(ctx, contract.TopicEnriched, 0, nil, []byte(v), nil)
	}
	require.NoError(t, publish(t.Context(), "before"))
	b.Close()
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	require.Error(t, publish(short, "away"))

	var port int
	_, err = fmt.Sscanf(addr[strings.LastIndex(addr, ":"):], ":%d", &port)
	require.NoError(t, err)
	b, err = broker.Start(broker.Config{Dir: dir, Port: port})
	require.NoError(t, err)
	defer b.Close()
	require.Eventually(t, func() bool { return publish(t.Context(), "after") == nil }, patience, 100*time.Millisecond)
	var got []string
	reader := testkit.BusClient(t, cfg)
	end, err := reader.EndOffset(t.Context(), contract.TopicEnriched, 0)
	require.NoError(t, err)
	require.NoError(t, reader.Read(t.Context(), contract.TopicEnriched, 0, 0, end, func(r bus.Record) error { got = append(got, string(r.Value)); return nil }))
	require.Equal(t, "before", got[0])
	require.Contains(t, got, "after")
	require.NoError(t, pub.Close())
	require.Error(t, publish(t.Context(), "closed"))
}

// TestARefusedSessionTimeout: a broker that refuses a setting is not asked without pause, the log says which setting it is, and closing does not wait.
func TestARefusedSessionTimeout(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		cfg.SessionTimeout = 50 * time.Millisecond // below what any broker allows
		p := &positions{next: map[int32]int64{}, owner: map[int32]string{}}
		began := time.Now()
		c := p.consume(t, cfg, "a", nil)
		refusals := func() int { return strings.Count(c.log.String(), "KAFKA_SESSION_TIMEOUT") }
		require.Eventually(t, func() bool { return refusals() >= 4 }, patience, 5*time.Millisecond)
		require.GreaterOrEqual(t, time.Since(began), 700*time.Millisecond, "100, 200 and 400 ms between four tries")
		require.Contains(t, c.log.String(), "could not join the group, trying again")
		c.end()
	})
}
