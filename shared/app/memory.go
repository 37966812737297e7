package app

import (
	"os"
	"runtime/debug"
)

// LimitMemory sets the Go runtime's soft limit of memory, bytes, for a program whose settings say what it keeps. GOMEMLIMIT, where an operator has
// set it, stays in force.
func LimitMemory(bytes int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(bytes)
	}
}
