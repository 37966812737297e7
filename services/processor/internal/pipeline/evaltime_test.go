package pipeline

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	second  = int64(1e9)
	maxLate = 300 * second
	now     = 1_800_000_000 * second
)

func TestObservedAt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ observed, kafka, want int64 }{
		"as the collector says":            {now - 5, now - 9, now - 5},
		"absent: Kafka's":                  {0, now - 9, now - 9},
		"absent, and Kafka has none":       {0, 0, now},
		"a collector's clock ahead of us":  {now + 5, now - 9, now},
		"a producer's clock ahead of us":   {0, now + second, now},
		"before 1970 counts as absent":     {-5, now - 9, now - 9},
		"the far future moves time to now": {math.MaxInt64, 0, now},
	} {
		require.Equal(t, c.want, observedAt(c.observed, c.kafka, now), name)
	}
}

func TestEvalTime(t *testing.T) {
	t.Parallel()
	wm := now - second/2
	for name, c := range map[string]struct {
		timestamp, observed, watermark int64
		want                           int64
		late                           bool
		why                            Unevaluated
	}{
		"its own time":                            {now, now, wm, now, false, Evaluated},
		"just above the watermark":                {wm + 1, now, wm, wm + 1, false, Evaluated},
		"at the watermark":                        {wm, now, wm, wm + 1, true, Evaluated},
		"a little late":                           {now - 60*second, now, wm, wm + 1, true, Evaluated},
		"a sender's clock a second ahead":         {now + second, now, wm, now + second, false, Evaluated},
		"further ahead is not believed":           {now + second + 1, now, wm, now + second, false, Evaluated},
		"the year 2262":                           {math.MaxInt64, now, wm, now + second, false, Evaluated},
		"as old as allowed at receipt":            {now - maxLate, now, now - 2*maxLate, now - maxLate, false, Evaluated},
		"one ns older":                            {now - maxLate - 1, now, now - 2*maxLate, 0, false, TooOld},
		"1970":                                    {1, now, wm, 0, false, TooOld},
		"before all time":                         {math.MinInt64, now, wm, 0, false, TooOld},
		"as late as allowed behind the mark":      {wm - maxLate, wm - maxLate, wm, wm + 1, true, Evaluated},
		"one ns later: a very late batch":         {wm - maxLate - 1, wm - maxLate - 1, wm, 0, false, TooLate},
		"late batch whose sender's clock is fast": {wm, wm - maxLate - 2*second, wm, 0, false, TooLate},
		"catching up after an outage":             {now - 7200*second, now - 7200*second, now - 7201*second, now - 7200*second, false, Evaluated},
		"a fresh partition":                       {now, now, 0, now, false, Evaluated},
	} {
		eval, late, why := evalTime(c.timestamp, c.observed, c.watermark, maxLate)
		require.Equal(t, c.why.String(), why.String(), name)
		require.Equal(t, c.want, eval, name)
		require.Equal(t, c.late, late, name)
	}
}

func TestNextWatermark(t *testing.T) {
	t.Parallel()
	lag := int64(WatermarkLag)
	for name, c := range map[string]struct{ watermark, maxObserved, want int64 }{
		"follows receipt":                  {0, now - second, now - second - lag},
		"never passes now":                 {0, now + second, now - lag},
		"never goes back":                  {now - lag, now - 3600*second, now - lag},
		"not even when it is ahead of now": {now + second, now, now + second},
	} {
		require.Equal(t, c.want, nextWatermark(c.watermark, now, c.maxObserved), name)
	}
}

// TestEvalTimeIsAboveTheWatermark is the promise that the evaluator builds on, over all corners of what senders and clocks can do.
func TestEvalTimeIsAboveTheWatermark(t *testing.T) {
	t.Parallel()
	corners := []int64{math.MinInt64, -second, 0, 1, now - maxLate - 1, now - maxLate, now - 1, now, now + 1, now + second, now + second + 1, now + maxLate, math.MaxInt64}
	for _, ts := range corners {
		for _, observed := range corners {
			for _, wm := range []int64{0, now - maxLate - 1, now - 1, now, now + second} {
				at := observedAt(observed, 0, now)
				require.LessOrEqual(t, at, now)
				eval, _, why := evalTime(ts, at, wm, maxLate)
				if why != Evaluated {
					require.Zero(t, eval)
					continue
				}
				require.Greater(t, eval, wm)
				require.LessOrEqual(t, eval, max(now+second, wm+1))
				require.GreaterOrEqual(t, nextWatermark(wm, now, at), wm)
			}
		}
	}
}
