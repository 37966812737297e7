package bus

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
)

// slow is a producer whose send takes until it is let go, and that notices being closed under it.
type slow struct {
	sarama.SyncProducer
	begun, letGo, closed chan struct{}
	sending, torn        atomic.Bool
}

func (*slow) BeginTxn() error  { return nil }
func (*slow) CommitTxn() error { return nil }

func (s *slow) SendMessages([]*sarama.ProducerMessage) error {
	s.sending.Store(true)
	close(s.begun)
	<-s.letGo
	s.sending.Store(false)
	return nil
}

func (s *slow) Close() error {
	s.torn.Store(s.sending.Load())
	close(s.closed)
	return nil
}

// TestCloseWaitsForASendThatWasGivenUp: a caller that waited long enough closes the producer while its Send still runs.
func TestCloseWaitsForASendThatWasGivenUp(t *testing.T) {
	t.Parallel()
	s := &slow{begun: make(chan struct{}), letGo: make(chan struct{}), closed: make(chan struct{})}
	tx := &Transactional{cfg: config.Kafka{}, producer: s}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-s.begun; cancel() }()
	require.ErrorIs(t, tx.Send(ctx, []Message{{Topic: "t"}}), context.Canceled)
	require.NoError(t, tx.Close())
	close(s.letGo)
	<-s.closed
	require.False(t, s.torn.Load(), "it was closed under the one who sends")
}
