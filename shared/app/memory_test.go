package app

import (
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
