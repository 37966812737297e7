package contract

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplay(t *testing.T) {
	t.Parallel()
	read := func(hs []Header) Replay {
		m := map[string]string{}
		for _, h := range hs {
			m[h.Key] = h.Value
		}
		return ParseReplay(m)
	}
	r := Replay{Stream: 3, Partition: 5, Offset: 1 << 40, By: "ann"}
	require.Equal(t, r, read(r.Headers()))
	require.Empty(t, Replay{Partition: 1}.Headers())
	for _, bad := range []string{"", "0-0-0", "1-2", "1-2-3-4", "1-2-x", "+1-2-3", "01-2-3", "1-2-3 ", "-1-2-3", "4294967296-1-1"} {
		require.Equal(t, Replay{}, ParseReplay(map[string]string{HeaderReplay: bad}), bad)
	}
}
