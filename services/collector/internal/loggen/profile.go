// Package loggen makes log lines that look like a real installation's: seeded, so that the same seed gives the same lines.
package loggen

import (
	"math/rand/v2"
	"time"
)

// Profile makes lines. Not safe for concurrent use: the order of calls is part of what a seed promises.
type Profile interface {
	// Append appends the next line, which happened at t, as one JSON object with a newline.
	Append(dst []byte, t time.Time) []byte
}

// Profiles are the profiles by name.
var Profiles = map[string]func(seed uint64) Profile{
	"demo":  func(seed uint64) Profile { return newDemo(seed) },
	"bench": func(seed uint64) Profile { return newBench(seed) },
}

const hexDigits = "0123456789abcdef"

// appendHex appends n random hex digits.
func appendHex(dst []byte, rng *rand.Rand, n int) []byte {
	for n > 0 {
		v := rng.Uint64()
		for range min(n, 16) {
			dst = append(dst, hexDigits[v&15])
			v >>= 4
		}
		n -= 16
	}
	return dst
}

// line is what a profile says of one line; empty fields are left out.
type line struct {
	level, service, message   string
	trace, user, method, path string
	status                    int
	millis                    float64
	attributes                []byte // ,"k":v…
}
