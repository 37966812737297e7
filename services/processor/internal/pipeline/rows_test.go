package pipeline

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
)

func TestRows(t *testing.T) {
	t.Parallel()
	rows := rowsOf([]contract.Rejected{{Row: 3}, {Row: 7}, {Row: 8}, {Row: 9}, {Row: 12, Rest: true}})
	require.Equal(t, "3,7-9,12-", rows.String())
	for row, want := range map[int]bool{0: false, 3: true, 4: false, 7: true, 9: true, 10: false, 11: false, 12: true, 1 << 40: true} {
		require.Equal(t, want, rows.Has(row), row)
	}
	require.Equal(t, "8-9,12-20", rows.and(Rows{{4, 6}, {8, 10}, {12, 20}}).String())
	for _, bad := range []string{"x", "1,", "3-2", "2,1", "1-3,3", "-", "-1", "1--", "1-2-3"} {
		_, err := ParseRows(bad)
		require.Error(t, err, bad)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		var bad []contract.Rejected
		in := map[int]bool{}
		for row := range 40 {
			if in[row] = r.IntN(3) == 0; in[row] {
				bad = append(bad, contract.Rejected{Row: row})
			}
		}
		rows, err := ParseRows(rowsOf(bad).String())
		require.NoError(t, err)
		for row := range 41 {
			require.Equal(t, in[row], rows.Has(row), "%s %d", rows, row)
		}
	}
}
