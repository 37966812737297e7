package loggen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
	"unsafe"
)

// What searches of the benchmark look for.
const (
	BenchTrace  = "00000000000000000000000000c0ffee"  // on 12 lines in all, some tens apart, near the beginning: the latest lines are read first
	BenchPhrase = "quantum flux capacitor overheated" // on 7 lines of every million
	BenchRegexp = `token=zz[0-9a-f]{6}`               // on one line in 6,000
)

const (
	benchServices = 200
	benchMillion  = 1_000_000
	traceFrom     = 20_000
	traceEvery    = 37
	traceLines    = 12
	phraseEvery   = benchMillion / 7
	tokenEvery    = 6000
)

// bench is the corpus of `make bench`: 200 services with Zipf weights (the first has about 17 %), 1,500 templates with every
// variable fresh, about 232 bytes a line, 60 % with a trace id of their own, a quarter with request fields, 8 % errors.
type bench struct {
	rng       *rand.Rand
	templates []template
	services  []string
	share     []float64 // cumulated
	n         int
	message   []byte
	trace     []byte
	path      []byte
	l         line
}

func newBench(seed uint64) *bench {
	b := &bench{rng: rand.New(rand.NewPCG(seed, 1)), templates: allTemplates()}
	total := 0.0
	for i := range benchServices {
		b.services = append(b.services, fmt.Sprintf("service-%03d", i))
		total += 1 / float64(i+1)
		b.share = append(b.share, total)
	}
	for i := range b.share {
		b.share[i] /= total
	}
	return b
}

func (b *bench) service() string {
	x := b.rng.Float64()
	lo, hi := 0, len(b.share)-1
	for lo < hi {
		if mid := (lo + hi) / 2; b.share[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return b.services[lo]
}

// Append implements Profile.
func (b *bench) Append(dst []byte, t time.Time) []byte {
	b.l = line{level: b.level(), service: b.service()}
	b.message = b.templates[b.rng.IntN(len(b.templates))].append(b.message[:0], b.rng)
	b.rare()
	b.l.message = text(b.message)
	if b.rng.IntN(4) == 0 {
		b.request()
	}
	b.n++
	return b.l.append(dst, t)
}

func (b *bench) level() string {
	switch n := b.rng.IntN(100); {
	case n < 8:
		return "error"
	case n < 15:
		return "warn"
	case n < 25:
		return "debug"
	}
	return "info"
}

// rare sets the trace id and puts in what searches look for.
func (b *bench) rare() {
	if b.rng.IntN(100) < 60 {
		b.trace = appendHex(b.trace[:0], b.rng, 32)
		b.l.trace = text(b.trace)
	}
	if k := b.n - traceFrom; k >= 0 && k < traceLines*traceEvery && k%traceEvery == 0 {
		b.l.trace = BenchTrace
	}
	if b.n%phraseEvery == phraseEvery/3 {
		b.message = append(append(b.message, ": "...), BenchPhrase...)
	}
	if b.n%tokenEvery == tokenEvery/2 {
		b.message = appendHex(append(b.message, " token=zz"...), b.rng, 6)
	}
}

var methods = []string{"GET", "GET", "GET", "POST", "PUT", "DELETE"}

func (b *bench) request() {
	b.l.method = methods[b.rng.IntN(len(methods))]
	b.path = fmt.Appendf(b.path[:0], "/api/v1/things/%d", b.rng.IntN(5000))
	b.l.path = text(b.path)
	b.l.status = 200
	if b.l.level == "error" {
		b.l.status = 500 + b.rng.IntN(4)
	}
	b.l.millis = math.Exp(b.rng.NormFloat64()*0.8 + 3)
}

func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
