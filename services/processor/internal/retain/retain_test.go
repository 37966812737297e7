package retain

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/compact"
)

const (
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
)

func TestCutoff(t *testing.T) {
	t.Parallel()
	now := 1000 * hour
	stored := []Stored{{now - 2*minute, 10}, {now - 3*hour, 20}, {now - 5*hour, 30}}
	for name, c := range map[string]struct {
		policy Policy
		want   Cutoff
	}{
		"for ever":                      {Policy{}, Cutoff{}},
		"by age":                        {Policy{Age: 4 * time.Hour}, Cutoff{At: now - 4*hour, Why: Age}},
		"longer than there is time":     {Policy{Age: 2000 * time.Hour}, Cutoff{Why: Age}},
		"there is room":                 {Policy{Bytes: 60}, Cutoff{}},
		"one byte too much":             {Policy{Bytes: 59}, Cutoff{At: now - 5*hour, Why: Bytes}},
		"only the newest fit":           {Policy{Bytes: 29}, Cutoff{At: now - 3*hour, Why: Bytes}},
		"not even the newest fit":       {Policy{Bytes: 4}, Cutoff{At: now - hour, Why: Bytes, Over: 6}},
		"age is stricter":               {Policy{Age: 2 * time.Hour, Bytes: 59}, Cutoff{At: now - 2*hour, Why: Age}},
		"bytes are stricter":            {Policy{Age: 9 * time.Hour, Bytes: 29}, Cutoff{At: now - 3*hour, Why: Bytes}},
		"too much, but young, and aged": {Policy{Age: time.Hour, Bytes: 4}, Cutoff{At: now - hour, Why: Age, Over: 6}},
	} {
		require.Equal(t, c.want, c.policy.Cutoff(now, stored), name)
	}
}

// TestWhatIsLeftFits: random stores and limits; what is left after the cutoff fits, and one more would not.
func TestWhatIsLeftFits(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		now := 100 * hour
		var stored []Stored
		total := int64(0)
		for at := now - hour - r.Int64N(hour); at > 0 && len(stored) < 50; at -= minute * (1 + r.Int64N(200)) {
			stored = append(stored, Stored{at, 1 + r.Int64N(100)})
			total += stored[len(stored)-1].Bytes
		}
		p := Policy{Bytes: 1 + r.Int64N(total+100)}
		c := p.Cutoff(now, stored)
		require.Zero(t, c.Over)
		left, next := int64(0), int64(0)
		for _, s := range stored {
			if s.Until > c.At {
				left += s.Bytes
			} else if next == 0 {
				next = s.Bytes
			}
		}
		require.LessOrEqual(t, left, p.Bytes)
		if left < total {
			require.Greater(t, left+next, p.Bytes)
		}
	}
}

func TestExpired(t *testing.T) {
	t.Parallel()
	blocks := []compact.Block{{To: 1, Stored: 10}, {To: 2, Stored: 20}, {To: 3, Stored: 30}, {To: 4, Stored: 5}}
	require.Len(t, Expired(blocks, 30, 100), 2, "stored at the cutoff is not before it")
	require.Len(t, Expired(blocks, 31, 100), 4)
	require.Len(t, Expired(blocks, 31, 2), 1, "windows do not hold offset 2")
	require.Empty(t, Expired(blocks, 10, 100))
	require.Empty(t, Expired(nil, 10, 100))
}
