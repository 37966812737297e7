package search

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// benchLines are 1 M lines of an hour and a quarter in merged blocks: 200 services (Zipf), 8 % errors.
const (
	benchBlocks = 16
	benchRows   = 64_000
)

func benchWorld(b *testing.B) *world { return largeWorld(b, benchBlocks, benchRows) }

// largeWorld is blocks of so many rows; in the middle of each is a line of "quantum flux".
func largeWorld(b testing.TB, blocks, rows int) *world {
	w := &world{set: &index.Set{}, data: map[uint64][]byte{}, filters: map[uint64][]byte{}}
	builder, err := block.NewBuilder(block.Options{})
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 1, 199)
	words := []string{"payment", "accepted", "for", "order", "upstream", "connection", "reset", "by", "peer", "cache", "miss", "user", "session", "expired", "retrying", "request"}
	for id := uint64(1); id <= uint64(blocks); id++ {
		recs := make([]logrec.Record, rows)
		for i := range recs {
			rec := &recs[i]
			*rec = logrec.Record{Timestamp: 1_800_000_000e9 + (int64(id)*int64(rows)+int64(i))*4_300_000, Level: logrec.LevelInfo, Service: fmt.Sprintf("service-%d", zipf.Uint64()), SrcOffset: int64(id), SrcRow: int32(i),
				Host: fmt.Sprintf("h%d", r.IntN(40)), Message: fmt.Sprintf("%s %s %s %d in %d ms (%x)", words[r.IntN(16)], words[r.IntN(16)], words[r.IntN(16)], r.IntN(1e6), r.IntN(5000), r.Uint64())}
			if r.IntN(100) < 8 {
				rec.Level = logrec.LevelError
			}
			if r.IntN(4) == 0 {
				rec.HasResponseTime, rec.ResponseTimeMS, rec.ResponseStatus = true, r.ExpFloat64()*100, 200
			}
		}
		recs[rows/2].Message += " quantum flux capacitor overheated"
		blk, err := builder.Build(recs)
		require.NoError(b, err)
		w.data[id], w.filters[id] = blk.Data, blk.Filter
		w.set.Newest = append(w.set.Newest, &scan.Block{ID: id, Stream: 1, From: int64(id), To: int64(id), Rows: blk.Meta.Rows, Bytes: len(blk.Data), MinTime: blk.Meta.MinTime, MaxTime: blk.Meta.MaxTime,
			LevelMask: blk.Meta.LevelMask, Checksum: blk.Meta.Checksum, Filter: blk.Filter, FilterBytes: len(blk.Filter), Services: w.places(blk.Meta.Services)})
	}
	w.set.Oldest = append(w.set.Oldest, w.set.Newest...)
	reverse(w.set.Newest)
	return w
}

func reverse(list []*scan.Block) {
	for i, k := 0, len(list)-1; i < k; i, k = i+1, k-1 {
		list[i], list[k] = list[k], list[i]
	}
}

// BenchmarkAggregate sums up 1 M lines, warm: counts that summaries answer, and what columns are read for.
func BenchmarkAggregate(b *testing.B) {
	w := benchWorld(b)
	e := New(w, w, Config{Budget: ample, Cache: 2 << 30}, time.Now)
	service, level := query.Field{Name: "service"}, query.Field{Name: "level"}
	errors := query.Equal(level, "error")
	p95, err := query.ParseMeasure("p95(response_time_ms)")
	require.NoError(b, err)
	for name, of := range map[string]struct {
		filter query.Node
		want   Wanted
	}{
		"top services":                 {query.All{}, Wanted{By: []query.Field{service}, Limit: 10}},
		"errors by service and minute": {errors, Wanted{By: []query.Field{service}, Step: minute, Limit: 1000}},
		"the same by seconds":          {errors, Wanted{By: []query.Field{service}, Step: 10e9, Limit: 1000}},
		"top hosts":                    {query.All{}, Wanted{By: []query.Field{{Name: "host"}}, Limit: 10}},
		"regular expression":           {&query.Term{Field: query.Message, Pred: query.Regexp{Source: `in 4[0-9]{3} ms \(0`}}, Wanted{Limit: 1}},
		"percentile by service":        {query.All{}, Wanted{By: []query.Field{service}, Measures: []query.Measure{p95}, Limit: 10}},
	} {
		b.Run(name, func(b *testing.B) {
			q := all(0)
			q.Filter = of.filter
			b.ReportAllocs()
			for b.Loop() {
				sums, err := e.Aggregate(b.Context(), q, []Wanted{of.want})
				require.NoError(b, err)
				require.False(b, sums.Partial)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchBlocks/benchRows, "ns/line")
		})
	}
}

// BenchmarkPhrase looks for four words that one line of each block has, warm: in all messages, and in the parts that have the words.
func BenchmarkPhrase(b *testing.B) {
	w := benchWorld(b)
	q := all(100)
	q.Filter, q.Count = query.Contains("quantum flux capacitor overheated"), true
	for name, parts := range map[string]bool{"whole": false, "in parts": true} {
		b.Run(name, func(b *testing.B) {
			e := New(w, w, Config{Budget: ample, Cache: 2 << 30}, time.Now)
			ask := func() {
				res, err := e.Search(b.Context(), q)
				require.NoError(b, err)
				require.EqualValues(b, benchBlocks, res.Total)
			}
			ask()
			if parts {
				var words block.Words
				began := time.Now()
				for _, of := range w.set.Newest {
					e.part(b.Context(), parting{of, "message"}, &words)
				}
				b.Logf("making the parts took %.2f µs a line", float64(time.Since(began).Microseconds())/benchBlocks/benchRows)
			}
			b.ReportAllocs()
			for b.Loop() {
				ask()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/benchBlocks, "µs/block")
		})
	}
}
