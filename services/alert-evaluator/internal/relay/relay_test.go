//go:build !race

// Not under the race detector: sarama 1.61 reads why a transaction failed beside its own retry that writes it (transactionManager.lastError), when a
// producer is fenced, which is what is tested here. `make test` runs the package without it.

package relay

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// outbox is an outbox in memory.
type outbox struct {
	mu     sync.Mutex
	events []store.Pending
	sent   int64
}

func (o *outbox) add(t *testing.T) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	seq := int64(len(o.events) + 1)
	e := contract.AlertEvent{SpecVersion: "1.0", ID: fmt.Sprint(seq), Type: contract.AlertFiring, Time: time.Now(), Sequence: fmt.Sprintf("%010d", seq), Data: contract.AlertData{Fingerprint: "f"}}
	raw, err := e.Encode()
	require.NoError(t, err)
	o.events = append(o.events, store.Pending{Seq: seq, Tick: time.Now().UnixNano(), Event: raw})
}

func (o *outbox) Unsent(context.Context, uint32, string, int) ([]store.Pending, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.events[o.sent:]), nil
}

func (o *outbox) StillFiring(context.Context, uint32, string) ([]store.Pending, error) {
	return nil, nil
}

func (o *outbox) DecidedThrough(context.Context, uint32, string) (int64, error) {
	return time.Now().UnixNano(), nil
}

func (o *outbox) Mark(_ context.Context, _ uint32, _ string, through int64, _ []int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = max(o.sent, through)
	return nil
}

func (o *outbox) MarkOne(context.Context, uint32, string, int64) error { return nil }

// stopped is the outbox as a relay sees it that is stopped, as by SIGSTOP, behind its next read.
type stopped struct {
	*outbox
	once     sync.Once
	behindIt func()
}

func (s *stopped) Unsent(ctx context.Context, stream uint32, source string, limit int) ([]store.Pending, error) {
	out, err := s.outbox.Unsent(ctx, stream, source, limit)
	s.once.Do(s.behindIt)
	return out, err
}

func newRelay(t *testing.T, kafka config.Kafka, o Outbox) *Relay {
	t.Helper()
	r := New(Deps{Outbox: o, Stream: 1, MaxAge: time.Hour, Now: time.Now, Log: zerolog.Nop(), Owned: func() []string { return []string{"p0"} },
		Open: func(ctx context.Context, id string) (Sender, error) {
			return bus.NewTransactional(ctx, kafka, "test", id)
		}}, prometheus.NewRegistry())
	t.Cleanup(func() {
		for _, s := range r.senders {
			_ = s.Close()
		}
	})
	return r
}

// TestStateNeverGoesBack: a relay that is stopped between reading the outbox and sending, while another one takes its source over and sends
// more, sends nothing stale when it goes on, whether it has sent before or not.
func TestStateNeverGoesBack(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"first batch": false, "later batch": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
				box := &outbox{}
				zombie, heir := newRelay(t, kafka, box), newRelay(t, kafka, box)
				if before {
					box.add(t)
					require.NoError(t, zombie.drain(t.Context(), "p0"))
				}
				box.add(t)
				zombie.Outbox = &stopped{outbox: box, behindIt: func() {
					require.NoError(t, heir.drain(t.Context(), "p0"))
					box.add(t)
					require.NoError(t, heir.drain(t.Context(), "p0"))
				}}
				_ = zombie.drain(t.Context(), "p0") // fenced, or with nothing to do
				require.Equal(t, box.events[len(box.events)-1].Event, state(t, kafka))
			})
		})
	}
}

// state is the last message of alerts.state.
func state(t *testing.T, kafka config.Kafka) (last []byte) {
	t.Helper()
	client := testkit.BusClient(t, kafka)
	end, err := client.EndOffsets(t.Context(), contract.TopicAlertsState)
	require.NoError(t, err)
	conf := sarama.NewConfig()
	conf.Version, conf.Consumer.IsolationLevel = sarama.V2_8_0_0, sarama.ReadCommitted
	c, err := sarama.NewConsumer(kafka.Brokers, conf)
	require.NoError(t, err)
	defer c.Close()
	for p := range kafka.Partitions {
		pc, err := c.ConsumePartition(kafka.Topic(contract.TopicAlertsState), p, sarama.OffsetOldest)
		require.NoError(t, err)
		for next := int64(0); next < end[p]; {
			if next, err = client.Vacant(t.Context(), contract.TopicAlertsState, p, next); err == nil && next < end[p] {
				m := <-pc.Messages()
				last, next = m.Value, m.Offset+1
			}
			require.NoError(t, err)
		}
		require.NoError(t, pc.Close())
	}
	return last
}
