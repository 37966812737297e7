package scan

import "math/bits"

// Bitmap is a set of rows of a block, or of values of a column: bit i of word i/64. Bits behind the last row are zero.
type Bitmap []uint64

// NewBitmap is the empty set of n.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

// All is the set of all n.
func All(n int) Bitmap {
	b := NewBitmap(n)
	b.SetRange(0, n)
	return b
}

// Set adds i.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Has tells whether i is in the set.
func (b Bitmap) Has(i int) bool { return b[i>>6]>>(i&63)&1 == 1 }

// SetRange adds [from, to).
func (b Bitmap) SetRange(from, to int) {
	for from < to {
		end := min(to, from|63+1)
		b[from>>6] |= (^uint64(0) >> (64 - (end - from))) << (from & 63)
		from = end
	}
}

// ClearRange takes [from, to) out.
func (b Bitmap) ClearRange(from, to int) {
	for from < to {
		end := min(to, from|63+1)
		b[from>>6] &^= (^uint64(0) >> (64 - (end - from))) << (from & 63)
		from = end
	}
}

// Count is the number of elements.
func (b Bitmap) Count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty tells whether there is none.
func (b Bitmap) Empty() bool {
	for _, w := range b {
		if w != 0 {
			return false
		}
	}
	return true
}

// Each calls f with each element, in order.
func (b Bitmap) Each(f func(i int)) {
	for w, v := range b {
		for ; v != 0; v &= v - 1 {
			f(w<<6 + bits.TrailingZeros64(v))
		}
	}
}

// First appends the n lowest elements to dst.
func (b Bitmap) First(dst []int32, n int) []int32 {
	for w, v := range b {
		for ; v != 0; v &= v - 1 {
			if n--; n < 0 {
				return dst
			}
			dst = append(dst, int32(w<<6+bits.TrailingZeros64(v)))
		}
	}
	return dst
}

// Last appends the n highest elements to dst, highest first.
func (b Bitmap) Last(dst []int32, n int) []int32 {
	for w := len(b) - 1; w >= 0; w-- {
		for v := b[w]; v != 0; {
			top := 63 - bits.LeadingZeros64(v)
			if n--; n < 0 {
				return dst
			}
			dst = append(dst, int32(w<<6+top))
			v &^= 1 << top
		}
	}
	return dst
}

// And keeps what is in o too.
func (b Bitmap) And(o Bitmap) {
	for i := range b {
		b[i] &= o[i]
	}
}

// Or adds what is in o.
func (b Bitmap) Or(o Bitmap) {
	for i := range b {
		b[i] |= o[i]
	}
}

// AndNot takes out what is in o.
func (b Bitmap) AndNot(o Bitmap) {
	for i := range b {
		b[i] &^= o[i]
	}
}
