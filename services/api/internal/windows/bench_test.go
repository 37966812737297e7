package windows

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/metrics"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// traffic is the windows of the bench profile: 200 services at home on six partitions, with lines of three levels in every window.
type traffic struct{ hours int64 }

func (traffic) WindowPositions(context.Context) (out []Position, err error) {
	for p := range int32(6) {
		out = append(out, Position{Partition: Partition{1, p}, Through: 1})
	}
	return out, nil
}

func (traffic) TouchedMinutes(context.Context, Partition, int64) ([]int64, error) { return nil, nil }

func (t traffic) WindowSpan(context.Context, Partition) (Span, error) {
	return Span{t0 - t.hours*3600, t0}, nil
}

func (traffic) PartitionWindows(_ context.Context, p Partition, s Span, f func(*metrics.Window)) error {
	rng := rand.New(rand.NewPCG(uint64(p.Part), uint64(s.From)))
	for at := s.From; at < s.To; at += second {
		for service := int(p.Part); service < 200; service += 6 {
			for _, level := range []logrec.Level{logrec.LevelInfo, logrec.LevelWarn, logrec.LevelError} {
				f(row(rng, at, fmt.Sprintf("service-%d", service), level))
			}
		}
	}
	return nil
}

func row(rng *rand.Rand, at int64, service string, level logrec.Level) *metrics.Window {
	w := &metrics.Window{Start: at, Row: counts.Row{Service: service, Level: level, Lines: 10}}
	for range 3 {
		w.Times.Observe([]float64{math.Exp(rng.NormFloat64() + 3)})
	}
	w.Status[1] = 3
	return w
}

func (traffic) PartitionErrors(_ context.Context, p Partition, s Span, f func(*ErrorRow)) error {
	for at := s.From; at < s.To; at += minute {
		for service := int(p.Part); service < 200; service += 6 {
			for text := range 5 {
				f(&ErrorRow{at, fmt.Sprintf("service-%d", service), fmt.Sprintf("connection to # failed with code %d", text), 3})
			}
		}
	}
	return nil
}

// BenchmarkReport is an answer of GET /api/metrics from memory: the last hour by half minutes, six hours by minutes, and one service of them.
func BenchmarkReport(b *testing.B) {
	r := New(traffic{6}, 4<<30, func() time.Time { return time.Unix(t0, 0) })
	for more := true; more; {
		var err error
		more, err = r.refresh(b.Context())
		require.NoError(b, err)
	}
	set := r.Current()
	end := time.Unix(t0, 0).UTC()
	for name, q := range map[string]Query{
		"hour/30s":               {Start: end.Add(-time.Hour), End: end, Step: 30 * time.Second},
		"six hours/1m":           {Start: end.Add(-6 * time.Hour), End: end, Step: time.Minute},
		"six hours/1m/one":       {Start: end.Add(-6 * time.Hour), End: end, Step: time.Minute, Service: "service-7"},
		"six hours/10m/services": {Start: end.Add(-6 * time.Hour), End: end, Step: 10 * time.Minute},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				build, err := metrics.NewBuilder(q.Start, q.End, q.Step, name == "six hours/10m/services")
				require.NoError(b, err)
				from, textsFrom := set.Covered(q)
				require.Equal(b, q.Start, from)
				texts := metrics.Errors{}
				set.AddErrors(texts, q, textsFrom)
				require.NoError(b, set.Fill(build, q, from))
				_ = build.Report(texts.Top(20))
			}
			b.ReportMetric(float64(set.bytes)/1e6, "MB")
		})
	}
}

// month is the hours of the bench profile.
type month struct{ traffic }

func (month) WindowSpan(context.Context, Partition) (Span, error) {
	return Span{Hour(t0) - 30*24*hour, Hour(t0)}, nil
}

func (month) PartitionWindows(_ context.Context, p Partition, s Span, f func(*metrics.Window)) error {
	rng := rand.New(rand.NewPCG(uint64(p.Part), uint64(s.From)))
	for at := s.From; at < s.To; at += hour {
		for service := int(p.Part); service < 200; service += 6 {
			w := row(rng, at, fmt.Sprintf("service-%d", service), logrec.LevelInfo)
			for range 30 {
				w.Times.Observe([]float64{math.Exp(rng.NormFloat64() + 3)})
			}
			f(w)
		}
	}
	return nil
}

func (month) PartitionErrors(_ context.Context, p Partition, s Span, f func(*ErrorRow)) error {
	for at := s.From; at < s.To; at += hour {
		for service := int(p.Part); service < 200; service += 6 {
			for text := range 20 {
				f(&ErrorRow{at, fmt.Sprintf("service-%d", service), fmt.Sprintf("connection to # failed with code %c", 'a'+text), 3})
			}
		}
	}
	return nil
}

// BenchmarkMonth is an answer of GET /api/metrics for thirty days, and of GET /api/services, from memory.
func BenchmarkMonth(b *testing.B) {
	r := NewHours(month{}, 4<<30, func() time.Time { return time.Unix(t0, 0) })
	for more := true; more; {
		var err error
		more, err = r.refresh(b.Context())
		require.NoError(b, err)
	}
	set := r.Current()
	end := time.Unix(Hour(t0), 0).UTC()
	q := Query{Start: end.Add(-30 * 24 * time.Hour), End: end, Step: 6 * time.Hour}
	from, _ := set.Covered(q)
	require.Equal(b, q.Start, from)
	b.Run("metrics", func(b *testing.B) {
		for b.Loop() {
			build, err := metrics.NewBuilder(q.Start, q.End, q.Step, false)
			require.NoError(b, err)
			texts := metrics.Errors{}
			set.AddErrors(texts, q, from)
			require.NoError(b, set.Fill(build, q, from))
			_ = build.Report(texts.Top(20))
		}
		b.ReportMetric(float64(set.bytes)/1e6, "MB")
	})
	b.Run("services", func(b *testing.B) {
		for b.Loop() {
			sums := Services{}
			set.AddServices(sums, q, from)
			require.Len(b, sums.After("", 1000), 200)
		}
	})
}
