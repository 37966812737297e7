package search

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// TestStorageAddsUp: the sample has all blocks of a small store, so nothing is estimated but what a service's share of a block is.
func TestStorageAddsUp(t *testing.T) {
	t.Parallel()
	w := &world{set: &index.Set{}, data: map[uint64][]byte{}}
	builder, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	for b := range uint64(10) {
		var recs []logrec.Record
		for i := range 300 {
			r := logrec.Record{Timestamp: int64(b)*1000 + int64(i), Service: "short", Level: logrec.LevelInfo, Message: fmt.Sprint("a", i*7919%300)}
			if i%3 == 0 {
				r.Service, r.Message = "long", strings.Repeat(fmt.Sprint(i*104729%9973, " "), 30)
			}
			recs = append(recs, r)
		}
		blk, err := builder.Build(recs)
		require.NoError(t, err)
		w.data[b] = blk.Data
		w.set.Newest = append(w.set.Newest, &scan.Block{ID: b, Rows: blk.Meta.Rows, Bytes: len(blk.Data), FilterBytes: len(blk.Filter), Checksum: blk.Meta.Checksum, Day: 20000})
	}
	s, err := w.engine(ample, 1<<20).Storage(t.Context())
	require.NoError(t, err)
	require.Equal(t, s.Taken, s.Sampled)
	require.Equal(t, Taken{Blocks: 10, Lines: 3000, Bytes: s.Bytes, Filters: s.Filters}, s.Taken)
	require.Len(t, s.Services, 2)
	require.Equal(t, []string{"long", "short"}, []string{s.Services[0].Service, s.Services[1].Service})
	require.EqualValues(t, 1000, s.Services[0].Lines)
	require.Greater(t, s.Services[0].Bytes, 2*s.Services[1].Bytes*1000/2000, "its messages are longer")
	require.InDelta(t, s.Bytes+s.Filters, s.Services[0].Bytes+s.Services[1].Bytes, 2)
	sum := int64(0)
	for _, c := range s.Columns {
		require.Positive(t, c.Bytes, c.Column)
		sum += c.Bytes
	}
	require.Equal(t, "message", s.Columns[0].Column)
	require.Greater(t, s.Columns[0].Raw, int64(10*300*40))
	require.Less(t, sum, s.Bytes, "the footers")
	require.Greater(t, sum, s.Bytes*3/4)
	require.Len(t, s.Days, 1)
	require.Equal(t, "2024-10-04", s.Days[0].Day)
	require.Equal(t, s.Taken, s.Days[0].Taken)
}

func TestSpread(t *testing.T) {
	t.Parallel()
	var blocks []*scan.Block
	total := int64(0)
	for i := range 1000 {
		b := &scan.Block{ID: uint64(i), Bytes: 1000 + i*i%7919}
		blocks = append(blocks, b)
		total += int64(b.Bytes)
	}
	got := spread(blocks, total)
	require.InDelta(t, sampleBlocks, len(got), 1)
	require.Less(t, got[0].ID, uint64(60))
	require.Greater(t, got[len(got)-1].ID, uint64(900))
	require.Len(t, spread(blocks[:5], 5000), 5)
	blocks[0].Bytes, blocks[999].Bytes = sampleBytes+1, sampleBytes+1
	for _, b := range spread(blocks, 2*sampleBytes) {
		require.Less(t, b.Bytes, sampleBytes, "a block that is too large for the sample is not in it")
	}
	require.Empty(t, spread(nil, 0))
}
