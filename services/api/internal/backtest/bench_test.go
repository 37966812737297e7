package backtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

// BenchmarkRun backtests one rule over a million lines in blocks of 64k, as compaction leaves them, from memory: rows/s of a core.
func BenchmarkRun(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	const rows, blocks = 1 << 16, 16
	m := &memory{data: map[uint64][]byte{}, through: t0 + int64(time.Hour)}
	for n := range blocks {
		recs := make([]logrec.Record, rows)
		for i := range recs {
			at := t0 + int64(n)*int64(time.Hour)/blocks + int64(i)*int64(time.Hour)/blocks/rows
			recs[i] = logrec.Record{Timestamp: at, EvalTime: at + 1, Service: fmt.Sprint("svc-", i%20), Level: []logrec.Level{logrec.LevelInfo, logrec.LevelInfo, logrec.LevelError}[rng.IntN(3)],
				Message: fmt.Sprintf("GET /api/orders/%d answered in %d ms", rng.IntN(1e6), rng.IntN(500)), SrcOffset: int64(n), SrcRow: int32(i), HasResponseTime: true, ResponseTimeMS: float64(rng.IntN(500))}
		}
		m.add(b, recs, 0, int64(n), int64(n), t0+int64(n+1)*int64(time.Hour)/blocks)
	}
	for name, r := range map[string]rule.Rule{
		"ratio":    {Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)", Threshold: 90},
		"p99":      {Condition: "P99(response_time_ms)", GroupBy: []string{"service"}, Threshold: 900},
		"max":      {Condition: "MAX(response_time_ms)", GroupBy: []string{"service"}, Threshold: 900},
		"distinct": {Condition: "COUNT(DISTINCT response_time_ms)", GroupBy: []string{"service"}, Threshold: 900},
		"text":     {Condition: "COUNT(*)", Filter: "message LIKE '%answered in 499 ms%'", Threshold: 1e9},
	} {
		b.Run(name, func(b *testing.B) {
			c := compiled(b, r)
			for b.Loop() {
				res, err := Run(b.Context(), m, spec(c, t0+int64(10*time.Minute), t0+int64(time.Hour)), time.Now, quiet)
				require.NoError(b, err)
				require.Empty(b, res.Alerts)
			}
			b.ReportMetric(float64(rows*blocks)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
