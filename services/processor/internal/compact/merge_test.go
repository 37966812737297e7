package compact

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// TestMergeNamesTheDamagedBlock: by checksum, by format, by its number of rows; the others can be merged afterwards.
func TestMergeNamesTheDamagedBlock(t *testing.T) {
	t.Parallel()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	var job []Block
	var data [][]byte
	for i := range 3 {
		blk, err := b.Build([]logrec.Record{{Timestamp: int64(10 - i), Service: "s", SrcOffset: int64(i)}, {Timestamp: 20, Service: "s", SrcOffset: int64(i), SrcRow: 1}})
		require.NoError(t, err)
		job = append(job, Block{ID: uint64(i + 1), From: int64(i), To: int64(i), Prev: int64(i - 1), Rows: 2, Checksum: blk.Meta.Checksum, Day: 7, Stored: int64(100 - i), Watermark: int64(i), Generation: i})
		data = append(data, blk.Data)
	}
	m, err := NewMerger()
	require.NoError(t, err)
	var damaged *DamagedError
	for name, harm := range map[string]func(){
		"a bit":    func() { data[1][len(data[1])/2] ^= 1 },
		"its rows": func() { job[1].Rows = 3 },
		"its format": func() {
			data[1] = []byte("no block")
			job[1].Checksum = block.Checksum(data[1])
		},
	} {
		keptJob, keptData := slices.Clone(job), []([]byte){data[0], slices.Clone(data[1]), data[2]}
		harm()
		_, err := m.Merge(job, data)
		require.ErrorAs(t, err, &damaged, name)
		require.EqualValues(t, 2, damaged.Block.ID, name)
		job, data = keptJob, keptData
	}
	out, err := m.Merge(job, data)
	require.NoError(t, err)
	require.Equal(t, 6, out.Meta.Rows)
	out.Block = block.Block{}
	require.Equal(t, Merged{From: 0, To: 2, Prev: -1, Generation: 3, Day: 7, Stored: 100, Watermark: 2}, out)
}
