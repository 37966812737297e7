package vector

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLacks: the first answer and the ones from memory are the same.
func TestLacks(t *testing.T) {
	t.Parallel()
	for _, texts := range []Texts{{Data: []byte("some text, QUITE short")}, {Data: []byte("some text, QUITE short"), learned: &learned{}}} {
		for range 2 {
			for c := range 256 {
				require.Equal(t, bytes.IndexByte(texts.Data, byte(c)) < 0, texts.Lacks(byte(c)), c)
			}
		}
	}
}
