package engine

import (
	"math"
	"math/bits"
)

// fixed is a sum in units of 2⁻²⁰, 128 bits wide: adding and taking away are exact, so that a sum does not depend on the order of its parts
// and a window can let go of what it took in. Each value is rounded to a unit (1e-6) and cut to ±2⁸⁰.
type fixed struct {
	hi int64
	lo uint64
}

const (
	unit     = 1 << 20
	small    = 1 << 42 // below, a value fits 63 bits
	greatest = 1 << 80
)

func fixedOf(v float64) fixed {
	if math.Abs(v) < small {
		n := int64(math.RoundToEven(v * unit))
		return fixed{hi: n >> 63, lo: uint64(n)}
	}
	v = math.RoundToEven(min(max(v, -greatest), greatest) * unit)
	hi := math.Floor(v / (1 << 64))
	return fixed{hi: int64(hi), lo: uint64(v - hi*(1<<64))}
}

func (a fixed) plus(b fixed) fixed {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	return fixed{int64(hi), lo}
}

func (a fixed) negated() fixed {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.hi), borrow)
	return fixed{int64(hi), lo}
}

func (a fixed) float() float64 {
	if a.hi < 0 {
		return -a.negated().float()
	}
	return (float64(a.hi)*(1<<64) + float64(a.lo)) / unit
}

// hashNumber is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014) over the number's bits: HyperLogLog needs well-mixed hashes.
func hashNumber(v float64) uint64 {
	if v == 0 {
		v = 0 // minus zero is zero
	}
	x := math.Float64bits(v) + 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
