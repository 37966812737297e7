package app

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/logrec"
)

// TestAnswersWhileBlocksAreMerged: whatever is asked while neighbouring blocks become larger ones, again and again, each line is there once.
func TestAnswersWhileBlocksAreMerged(t *testing.T) {
	t.Parallel()
	base, db := api(t)
	w := blocktest.New(db)
	const blocks, size = 64, 20
	recs := make([][]logrec.Record, blocks)
	ids := make([]uint64, blocks)
	for b := range recs {
		for i := range size {
			at := b*size + i
			recs[b] = append(recs[b], logrec.Record{Timestamp: noon.Add(time.Duration(at) * 500 * time.Millisecond).UnixNano(), Observed: noon.UnixNano(), Level: logrec.LevelInfo, Service: fmt.Sprintf("svc-%d", at%3), Message: "line", SrcOffset: int64(b), SrcRow: int32(i)})
		}
		blk, err := blocktest.Build(append([]logrec.Record(nil), recs[b]...))
		require.NoError(t, err)
		ids[b], err = w.Block(t.Context(), 0, int64(b), int64(b), blk)
		require.NoError(t, err)
	}
	merged := make(chan error, 1)
	go func() { merged <- merge(t, w, recs, ids) }()
	asked := 0
	for done := false; !done || asked == 0; asked++ {
		select {
		case err := <-merged:
			require.NoError(t, err)
			done = true
		default:
		}
		got := ask(t, "Stats", base, "/api/logs/stats?by=service&step=1m")
		require.EqualValues(t, blocks*size, got["total"])
		require.Equal(t, false, got["partial"])
		require.EqualValues(t, blocks*size, ask(t, "Facets", base, "/api/logs/facets?fields=service,host&q=line")["total"])
		require.Equal(t, blocks*size, find(t, base, "count=true", "limit=0", "q=line").Total)
		raw, _, _ := download(t, base+"/api/logs/export")
		require.Equal(t, blocks*size, bytes.Count(raw, []byte("\n")))
	}
}

// merge makes one block of two neighbours until there is one.
func merge(t *testing.T, w *blocktest.Writer, recs [][]logrec.Record, ids []uint64) error {
	from := make([]int64, len(ids))
	to := make([]int64, len(ids))
	for i := range ids {
		from[i], to[i] = int64(i), int64(i)
	}
	for generation := 1; len(ids) > 1; generation++ {
		var nextIDs []uint64
		var nextRecs [][]logrec.Record
		var nextFrom, nextTo []int64
		for i := 0; i+1 < len(ids); i += 2 {
			both := append(append([]logrec.Record(nil), recs[i]...), recs[i+1]...)
			blk, err := blocktest.Build(append([]logrec.Record(nil), both...))
			if err != nil {
				return err
			}
			id, err := w.Replace(t.Context(), 0, ids[i:i+2], generation, from[i], to[i+1], blk)
			if err != nil {
				return err
			}
			nextIDs, nextRecs, nextFrom, nextTo = append(nextIDs, id), append(nextRecs, both), append(nextFrom, from[i]), append(nextTo, to[i+1])
		}
		ids, recs, from, to = nextIDs, nextRecs, nextFrom, nextTo
	}
	return nil
}
