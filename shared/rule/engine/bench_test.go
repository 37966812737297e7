package engine

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
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

// benchBlocks are blocks of a second of four services, the same four or others in each block.
func benchBlocks(b *testing.B, rows, services int, message func(i int) string) (blocks [][]byte) {
	b.Helper()
	rng := rand.New(rand.NewPCG(2, 2))
	levels := []logrec.Level{logrec.LevelInfo, logrec.LevelInfo, logrec.LevelError}
	for k := range max(4, services/4) {
		recs := make([]logrec.Record, rows)
		for i := range recs {
			at := t0 + int64(i)*int64(time.Second)/int64(rows) + 1
			recs[i] = logrec.Record{Timestamp: at, EvalTime: at, Service: fmt.Sprintf("svc-%d", (4*k+i%4)%services), Level: levels[i%3], Message: message(i), HasResponseTime: true,
				ResponseTimeMS: float64(rng.IntN(12000)), SrcOffset: int64(k), SrcRow: int32(i)}
		}
		builder, err := block.NewBuilder(block.Options{})
		require.NoError(b, err)
		blk, err := builder.Build(recs)
		require.NoError(b, err)
		blocks = append(blocks, slices.Clone(blk.Data))
	}
	return blocks
}

// columns are a block's columns in memory, as the fold sees them once they are decoded.
type columns struct {
	*block.Reader
	eval, offset, row []int64
	ms                []float64
	msValid           []bool
	texts             map[string]block.StringColumn
}

func decoded(b *testing.B, data []byte) *columns {
	b.Helper()
	r, err := block.Open(data)
	require.NoError(b, err)
	c := &columns{Reader: r, texts: map[string]block.StringColumn{}}
	for name, into := range map[string]*[]int64{timeColumn: &c.eval, "src_offset": &c.offset, "src_row": &c.row} {
		*into, _, err = r.Ints(name)
		require.NoError(b, err)
	}
	c.ms, c.msValid, err = r.Floats("response_time_ms")
	require.NoError(b, err)
	for _, name := range []string{"service", "level", "message"} {
		c.texts[name], err = r.Strings(name)
		require.NoError(b, err)
	}
	return c
}

func (c *columns) Ints(name string) ([]int64, []bool, error) {
	return map[string][]int64{timeColumn: c.eval, "src_offset": c.offset, "src_row": c.row}[name], nil, nil
}
func (c *columns) Floats(string) ([]float64, []bool, error)        { return c.ms, c.msValid, nil }
func (c *columns) Strings(name string) (block.StringColumn, error) { return c.texts[name], nil }

// at gives the columns of a second.
func (c *columns) at(second int64) *columns {
	out := *c
	out.eval = slices.Clone(c.eval)
	for i := range out.eval {
		out.eval[i] += second * int64(time.Second)
	}
	return &out
}

// cpu is what the process has used so far: the machine may have other things to do.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFold folds a second of 4,000 records of four services and closes its four ticks. records/s is of a core (CPU time, -cpu 1), from columns
// that are decoded, evidence collected; check-ms is the CPU time of one tick of all alerts of the services, those of rules over everything included;
// heap-MB what the engine holds at the end.
func BenchmarkFold(b *testing.B) {
	for _, c := range []struct {
		name     string
		unique   bool
		services int
		rules    int
	}{{"10000-rules/shared", false, 4, 10_000}, {"10000-rules/unique", true, 4, 10_000}, {"10000-rules/unique-200-services", true, 200, 10_000}, {"1000-rules/shared", false, 4, 1000}} {
		b.Run(c.name, func(b *testing.B) {
			const rows = 4000
			blocks := benchBlocks(b, rows, c.services, func(int) string { return "x" })
			sources := make([]*columns, len(blocks))
			for i := range blocks {
				sources[i] = decoded(b, blocks[i])
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			e := New(Place{All: true}, t0)
			require.NoError(b, e.Schedule(benchRules(c.rules, c.unique), nil))
			e.Advance(t0 + 1e9)
			b.ReportAllocs()
			var fold, check time.Duration
			second := int64(2)
			for b.Loop() {
				src := sources[int(second)%len(blocks)].at(second)
				began := cpu(b)
				require.NoError(b, e.Fold(src, 0))
				folded := cpu(b)
				e.Early()
				second++
				e.Advance(t0 + second*int64(time.Second))
				fold, check = fold+folded-began, check+cpu(b)-folded
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(rows)*float64(b.N)/fold.Seconds(), "records/s")
			b.ReportMetric(check.Seconds()*1e3/float64(4*b.N), "check-ms")
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
			b.ReportMetric(float64(e.Series()), "series")
		})
	}
}

// BenchmarkLike folds records against rules that look for a text of their own each in the message.
func BenchmarkLike(b *testing.B) {
	const rows = 4000
	for _, rules := range []int{1, 30, 300} {
		b.Run(fmt.Sprintf("%d-rules", rules), func(b *testing.B) {
			blocks := benchBlocks(b, rows, 4, func(i int) string {
				return fmt.Sprintf("GET /api/v1/orders/%d completed in %d ms, upstream shard-%d answered with %x", i*7919, i%400, i%17, uint64(i)*0x9e3779b97f4a7c15)
			})
			versions := make([]Version, rules)
			for k := range versions {
				r := rule.Rule{Name: fmt.Sprint("like", k), Enabled: true, Condition: fmt.Sprintf("COUNT(CASE WHEN message LIKE '%%failure %d of pool%%' THEN 1 END)", k), Threshold: 1, TimeWindow: rule.Window(time.Minute)}
				r.Normalize()
				versions[k] = Version{RuleID: fmt.Sprint(k + 1), Number: 1, Effective: t0, Rule: r}
			}
			sources := make([]*columns, len(blocks))
			for i := range blocks {
				sources[i] = decoded(b, blocks[i])
			}
			e := New(Place{All: true}, t0)
			require.NoError(b, e.Schedule(versions, nil))
			e.Advance(t0 + 1e9)
			var fold time.Duration
			second := int64(2)
			for b.Loop() {
				src := sources[int(second)%len(sources)].at(second)
				began := cpu(b)
				require.NoError(b, e.Fold(src, 0))
				fold += cpu(b) - began
				second++
				e.Advance(t0 + second*int64(time.Second))
			}
			b.ReportMetric(float64(rows)*float64(b.N)/fold.Seconds(), "records/s")
		})
	}
}
