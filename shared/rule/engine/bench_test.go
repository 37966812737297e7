package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

// benchRules are n rules: 60 % of one of 200 services, 30 % grouped by service, 10 % over everything. unique gives 600 different constants instead of ten.
func benchRules(n int, unique bool) []Version {
	rng := rand.New(rand.NewPCG(1, 1))
	out := make([]Version, n)
	for i := range out {
		c := 100 * (1 + rng.IntN(10))
		if unique {
			c = 100 + i%600 // some 1,200 accumulators, in two groupings
		}
		r := rule.Rule{Name: fmt.Sprint("r", i), Enabled: true, Threshold: 1e9, Operator: ">", TimeWindow: rule.Window([]time.Duration{time.Minute, 5 * time.Minute}[rng.IntN(2)])}
		switch rng.IntN(4) {
		case 0:
			r.Condition = fmt.Sprintf("COUNT(CASE WHEN response_time_ms > %d THEN 1 END)", c)
		case 1:
			r.Condition = fmt.Sprintf("COUNT(CASE WHEN response_time_ms > %d THEN 1 END) * 100.0 / COUNT(*)", c)
		case 2:
			r.Condition = "AVG(response_time_ms)"
		default:
			r.Condition = "COUNT(CASE WHEN level = 'error' THEN 1 END)"
		}
		switch k := rng.IntN(10); {
		case k < 6:
			r.Filter = fmt.Sprintf("service = 'svc-%d'", rng.IntN(200))
		case k < 9:
			r.GroupBy = []string{"service"}
		}
		r.Normalize()
		out[i] = Version{RuleID: fmt.Sprint(i + 1), Number: 1, Effective: t0, Rule: r}
	}
	return out
}

// BenchmarkFold folds blocks of 4,000 records of four services, a second each. records/s is a core's, decoding of columns included; check-ms is
// what closing the second's four ticks costs besides, with every rule of the four services evaluated at each.
func BenchmarkFold(b *testing.B) {
	for name, unique := range map[string]bool{"shared": false, "unique": true} {
		b.Run("10000-rules-"+name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			e := New(Place{All: true}, t0)
			require.NoError(b, e.Schedule(benchRules(10_000, unique), nil))
			e.Advance(t0 + 1e9)
			rng := rand.New(rand.NewPCG(2, 2))
			const rows = 4000
			recs := make([]logrec.Record, rows)
			second := int64(2)
			b.ReportAllocs()
			var check time.Duration
			for b.Loop() {
				b.StopTimer()
				for i := range recs {
					at := t0 + second*1e9 + int64(i)*200_000
					recs[i] = logrec.Record{Timestamp: at, EvalTime: at, Service: fmt.Sprintf("svc-%d", i%4), Level: []logrec.Level{logrec.LevelInfo, logrec.LevelInfo, logrec.LevelError}[i%3],
						Message: "x", HasResponseTime: true, ResponseTimeMS: float64(rng.IntN(12000)), SrcRow: int32(i)}
				}
				r := blockOf(b, recs)
				b.StartTimer()
				require.NoError(b, e.Fold(r, 0))
				b.StopTimer()
				began := time.Now()
				e.Early()
				second++
				e.Advance(t0 + second*1e9)
				check += time.Since(began)
				b.StartTimer()
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
			b.ReportMetric(float64(e.Series()), "series")
			b.ReportMetric(check.Seconds()*1e3/float64(b.N), "check-ms")
		})
	}
}
