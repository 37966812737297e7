package enrich

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// received is when the lines of these tests were received.
var received = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()

func ns(t *testing.T, rfc3339 string) int64 {
	t.Helper()
	if rfc3339 == "" {
		return 0
	}
	at, err := time.Parse(time.RFC3339Nano, rfc3339)
	require.NoError(t, err)
	return at.UnixNano()
}
