package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// TestReportEqualsASort compares sums exactly, and percentiles with a sort to 1 %.
func TestReportEqualsASort(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	start := time.Unix(1_700_000_000, 0).UTC()
	b, err := NewBuilder(start, start.Add(10*time.Minute), time.Minute, false)
	require.NoError(t, err)
	var all []float64
	lines, failed := int64(0), int64(0)
	for i := range 60 {
		for _, service := range []string{"a", "b"} {
			w := Window{Start: start.Unix() + int64(i)*10, Row: counts.Row{Service: service, Level: logrec.Levels[i%6], Lines: 10}}
			for range 10 {
				ms := math.Exp(rng.NormFloat64() + 3)
				all = append(all, ms)
				w.Times.Observe([]float64{ms})
			}
			w.Status[1], w.Status[4] = 9, 1
			require.NoError(t, b.Add(w))
			lines += 10
			if w.Level >= logrec.LevelError {
				failed += 10
			}
		}
	}
	r := b.Report(nil)
	slices.Sort(all)
	require.Equal(t, lines, r.Total)
	require.InDelta(t, float64(failed)*100/float64(lines), r.ErrorRate, 0.001)
	require.InDelta(t, 120, r.LogsPerMinute, 0.001)
	require.Equal(t, map[string]int64{"1xx": 0, "2xx": 1080, "3xx": 0, "4xx": 0, "5xx": 120}, r.ByStatus)
	require.Len(t, r.Series, 10)
	for q, got := range map[float64]float64{.5: r.ResponseTime.P50, .95: r.ResponseTime.P95, .99: r.ResponseTime.P99} {
		require.InEpsilon(t, all[int(q*float64(len(all)-1))], got, 0.011)
	}
	require.InDelta(t, all[len(all)-1], r.ResponseTime.Max, 0.001)
}

func TestStepsThatDoNotFit(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for _, step := range []time.Duration{0, 5 * time.Second, 15 * time.Second} {
		_, err := NewBuilder(now, now.Add(time.Hour), step, false)
		require.ErrorIs(t, err, ErrStep)
	}
	_, err := NewBuilder(now, now.Add(24*time.Hour), 10*time.Second, false)
	require.ErrorIs(t, err, ErrStep)
}
