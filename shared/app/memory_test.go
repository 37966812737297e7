package app

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnOperatorsMemoryLimitStays(t *testing.T) {
	before := debug.SetMemoryLimit(-1) // asks
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	t.Setenv("GOMEMLIMIT", "1GiB")
	LimitMemory(1 << 40)
	require.Equal(t, before, debug.SetMemoryLimit(-1))
	t.Setenv("GOMEMLIMIT", "")
	LimitMemory(1 << 40)
	require.EqualValues(t, 1<<40, debug.SetMemoryLimit(-1))
}

// TestBallast counts for the collector and takes up nothing.
func TestBallast(t *testing.T) {
	ballast = nil // tests of Main have set it
	t.Setenv("GOGC", "50")
	Ballast()
	require.Empty(t, len(ballast))
	t.Setenv("GOGC", "")
	Ballast()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	require.GreaterOrEqual(t, m.NextGC, uint64(2*ballastBytes))
	ballast = nil
}
