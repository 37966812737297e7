package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

// batch publishes a message of one line to partition 0, as a collector that is producer's sequence-th.
func (s *system) batch(t *testing.T, producer byte, sequence int64) {
	t.Helper()
	now := time.Now().UnixNano()
	var enc contract.Encoder
	enc.Add(&logrec.Record{Service: "s", Level: logrec.LevelError, Message: fmt.Sprintf("m-%d-%d", producer, sequence), Timestamp: now, Observed: now})
	headers := append(contract.Identity{Producer: contract.ProducerID{producer}, Sequence: sequence}.Headers(),
		contract.Header{Key: contract.HeaderContentType, Value: contract.ContentTypeOTLP})
	require.NoError(t, s.out.Publish(t.Context(), contract.TopicRaw, 0, nil, enc.AppendTo(nil), headers))
}

// TestABatchWrittenTwiceIsStoredOnce: what a broker does that forgot its producers; the memory goes from one processor to the next.
func TestABatchWrittenTwiceIsStoredOnce(t *testing.T) {
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		s := newSystem(t, kafka)
		_, stop := s.start(t)
		for _, n := range []int64{1, 2, 3, 2, 3, 4} {
			s.batch(t, 1, n)
		}
		s.batch(t, 2, 3)
		s.sent = 5
		s.requireExact(t)
		stop()
		_, stop = s.start(t)
		for _, n := range []int64{3, 4, 5} {
			s.batch(t, 1, n)
		}
		s.batch(t, 2, 3)
		s.batch(t, 2, 4)
		s.sent = 7
		s.requireExact(t)
		stop()
		require.EqualValues(t, 7, s.number(t, "SELECT SUM(row_count) FROM block"))
		require.EqualValues(t, 12, s.number(t, "SELECT next_offset FROM partition_progress WHERE part = 0"))
	})
}
