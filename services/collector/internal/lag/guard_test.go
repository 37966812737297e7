package lag

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/fault"
)

// broker is a topic of one partition with a record a second.
type broker struct {
	committed, start, end int64
	config                map[string]string
	began                 time.Time
}

func one(v int64) (map[int32]int64, error) { return map[int32]int64{0: v}, nil }

func (b *broker) Committed(context.Context, string, string) (map[int32]int64, error) {
	return one(b.committed)
}
func (b *broker) StartOffsets(context.Context, string) (map[int32]int64, error) { return one(b.start) }
func (b *broker) EndOffsets(context.Context, string) (map[int32]int64, error)   { return one(b.end) }
func (b *broker) OffsetsForTime(_ context.Context, _ string, t time.Time) (map[int32]int64, error) {
	return one(max(0, min(b.end, int64(t.Sub(b.began).Seconds()))))
}
func (b *broker) TopicConfig(context.Context, string) (map[string]string, error) {
	return b.config, nil
}

func TestGuard(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		b            broker
		cap          int64
		refuse, warn bool
	}{
		"nothing waits":            {broker{committed: 1000, end: 1000, config: map[string]string{"retention.ms": "100000"}}, 0, false, false},
		"40 s of 100 s":            {broker{committed: 960, end: 1000, config: map[string]string{"retention.ms": "100000"}}, 0, false, false},
		"60 s of 100 s":            {broker{committed: 940, end: 1000, config: map[string]string{"retention.ms": "100000"}}, 0, false, true},
		"85 s of 100 s":            {broker{committed: 915, end: 1000, config: map[string]string{"retention.ms": "100000"}}, 0, true, true},
		"no retention":             {broker{committed: 0, end: 1000, config: map[string]string{"retention.ms": "-1"}}, 0, false, false},
		"bytes":                    {broker{committed: 100, end: 1000, config: map[string]string{"retention.bytes": "100000"}}, 0, true, true},
		"below the cap":            {broker{committed: 900, end: 1000, config: map[string]string{}}, 100_000, false, false},
		"at the cap":               {broker{committed: 0, end: 1000, config: map[string]string{}}, 100_000, true, true},
		"trimmed, never committed": {broker{committed: 0, start: 990, end: 1000, config: map[string]string{}}, 100_000, false, false},
	} {
		c.b.began = now.Add(-1000 * time.Second)
		g := New(&c.b, c.cap, func() int64 { return 100 }, prometheus.NewRegistry(), zerolog.Nop())
		require.NoError(t, g.measure(context.Background(), now))
		require.Equal(t, c.refuse, g.Check() != nil, name)
		require.Equal(t, c.warn, g.Health(context.Background()) != nil, name)
		if c.refuse {
			require.Equal(t, fault.Overload, fault.KindOf(g.Check()))
		}
	}
}
