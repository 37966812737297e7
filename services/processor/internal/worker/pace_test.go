package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPaceOf: few rows are written every two seconds, many a second less often, and never more than ten seconds apart.
func TestPaceOf(t *testing.T) {
	t.Parallel()
	require.Equal(t, WindowsEvery, paceOf(0))
	require.Equal(t, WindowsEvery, paceOf(WindowRows))
	require.Equal(t, 5*time.Second, paceOf(5*WindowRows))
	require.Equal(t, WindowsSlowest, paceOf(1_000_000))
}
