package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// TestDeadLettersAreReplayedOnce: of a request whose key was another's, and of a message that stays bad; each several times, across processors.
func TestDeadLettersAreReplayedOnce(t *testing.T) {
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		s := newSystem(t, kafka)
		var offset int64
		put := func(value string, headers []contract.Header) {
			hs := append(headers, contract.Header{Key: contract.HeaderContentType, Value: contract.ContentTypeJSON})
			require.NoError(t, s.out.Publish(t.Context(), contract.TopicRaw, 0, nil, []byte(value), hs))
			offset++
		}
		line := func(n int) string {
			return fmt.Sprintf(`{"service":"s","level":"error","message":"m-%d","timestamp":%q}`, n, time.Now().Format(time.RFC3339Nano))
		}
		request := func(value string) {
			put(value, contract.Request{Key: contract.RequestKey{1}, Fingerprint: contract.FingerprintOf("", []byte(value))}.Headers())
		}
		stored := func() { // all that was sent is decided
			t.Helper()
			require.Eventually(t, func() bool {
				return s.number(t, "SELECT COALESCE(MAX(next_offset), 0) FROM partition_progress WHERE part = 0") == int(offset)
			}, 60*time.Second, 20*time.Millisecond)
		}
		_, stop := s.start(t)
		first, second := line(1), line(2)
		request(first)
		request(second) // 1: a letter
		request(second) // 2: its client asks again
		bad := fmt.Sprintf(`[%s,{"message":"x","timestamp":"never"}]`, line(3))
		put(bad, nil) // 3
		stored()
		require.Equal(t, 3, s.number(t, "SELECT COUNT(*) FROM dead_letter WHERE replayed_as IS NULL"))
		stop()

		stream := uint32(s.number(t, "SELECT id FROM stream"))
		replay := func(of int64, value string) {
			put(value, contract.Replay{Stream: stream, Offset: of, By: "ann"}.Headers())
		}
		replay(1, second) // while no processor is there
		replay(2, second)
		_, stop = s.start(t)
		replay(1, second)
		replay(3, bad) // 7
		stored()
		stop()
		_, _ = s.start(t)
		replay(1, second)
		replay(3, bad)
		replay(7, bad) // 10
		stored()
		s.sent = 3
		s.requireExact(t)
		for offset := 1; offset <= 2; offset++ { // the lines of the one are those of the other
			require.Equal(t, 4, s.number(t, fmt.Sprintf("SELECT replayed_as FROM dead_letter WHERE raw_offset = %d AND replayed_by = 'ann'", offset)))
		}
		require.Equal(t, 7, s.number(t, "SELECT replayed_as FROM dead_letter WHERE raw_offset = 3"))
		require.Equal(t, 3, s.number(t, "SELECT replay_of FROM dead_letter WHERE raw_offset = 7 AND only_rows = '1' AND replayed_as = 10"))
		require.Equal(t, 7, s.number(t, "SELECT replay_of FROM dead_letter WHERE raw_offset = 10 AND replayed_as IS NULL"))
		require.Equal(t, 5, s.number(t, "SELECT COUNT(*) FROM dead_letter"))
	})
}
