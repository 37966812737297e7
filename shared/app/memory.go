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

// ballastBytes is what programs may use beyond what they need before memory is collected.
const ballastBytes = 64 << 20

var ballast []byte

// Ballast makes the Go runtime collect memory less often while the heap is small. It does so whenever the heap has doubled: with 20 MB in use
// and hundreds of MB a second passing through, that is a tenth of a program's work. A block that nobody touches counts as in use and takes up no memory
// of the machine ("Go memory ballast", Twitch's engineering blog, April 2019); GOGC, where an operator has set it, stays as it is.
func Ballast() {
	if os.Getenv("GOGC") == "" {
		ballast = make([]byte, ballastBytes)
	}
}
