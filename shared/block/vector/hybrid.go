package vector

import (
	"encoding/binary"
	"math/bits"
)

// hybrid reads Parquet's RLE and bit-packing hybrid: runs of one value, and groups of eight packed values.
type hybrid struct {
	b     []byte
	width int // bits of a value, 0–32
}

// run is one run: packed bytes, or one value repeated.
type run struct {
	count  int // of values; of packed ones the last may be padding
	packed []byte
	value  uint32
}

func (h *hybrid) next() (r run, err error) {
	head, n := binary.Uvarint(h.b)
	if n <= 0 || head>>1 > 1<<31 {
		return r, damaged("a run without end")
	}
	h.b = h.b[n:]
	size := (h.width + 7) / 8
	r.count = int(head >> 1)
	if head&1 == 1 {
		r.count *= 8
		size = r.count / 8 * h.width
	}
	if size > len(h.b) || r.count == 0 {
		return r, damaged("a run of %d values in %d bytes", r.count, len(h.b))
	}
	if head&1 == 1 {
		r.packed = h.b[:size]
	} else {
		for i := range size {
			r.value |= uint32(h.b[i]) << (8 * i)
		}
	}
	h.b = h.b[size:]
	return r, nil
}

// bits reads n one-bit values into a bitmap that is all zero.
func (h *hybrid) bits(out []uint64, n int) error {
	for at := 0; at < n; {
		r, err := h.next()
		if err != nil {
			return err
		}
		count := min(r.count, n-at)
		switch {
		case r.packed != nil:
			for i := range count {
				out[(at+i)>>6] |= uint64(r.packed[i>>3]>>(i&7)&1) << ((at + i) & 63)
			}
		case r.value&1 == 1:
			setRange(out, at, at+count)
		}
		at += count
	}
	return nil
}

// setRange sets the bits of [from, to).
func setRange(out []uint64, from, to int) {
	for from < to {
		end := min(to, from|63+1)
		out[from>>6] |= (^uint64(0) >> (64 - (end - from))) << (from & 63)
		from = end
	}
}

type unsigned interface{ uint8 | uint16 | uint32 }

// codesOf reads as many codes as out takes; all must be below limit.
func codesOf[C unsigned](h *hybrid, out []C, limit int) error {
	highest := uint32(0)
	for len(out) > 0 {
		r, err := h.next()
		if err != nil {
			return err
		}
		count := min(r.count, len(out))
		if r.packed != nil {
			highest = max(highest, unpack(out[:count], r.packed, h.width))
		} else {
			highest = max(highest, r.value)
			for i := range count {
				out[i] = C(r.value)
			}
		}
		out = out[count:]
	}
	if int64(highest) >= int64(limit) {
		return damaged("a code outside the dictionary")
	}
	return nil
}

// unpack reads packed values of width bits, lowest bit first, and returns the highest.
func unpack[C unsigned](out []C, packed []byte, width int) (highest uint32) {
	mask := uint64(1)<<width - 1
	i := 0
	for ; i < len(out) && i*width/8+8 <= len(packed); i++ {
		at := i * width
		v := uint32(binary.LittleEndian.Uint64(packed[at>>3:]) >> (at & 7) & mask)
		highest = max(highest, v)
		out[i] = C(v)
	}
	var tail [16]byte // the last bytes, with room to read beyond
	for ; i < len(out); i++ {
		at := i * width
		copy(tail[:], packed[at>>3:])
		v := uint32(binary.LittleEndian.Uint64(tail[:]) >> (at & 7) & mask)
		highest = max(highest, v)
		out[i] = C(v)
		tail = [16]byte{}
	}
	return highest
}

// Bitmaps of rows: bit i of word i/64.

func words(rows int) int { return (rows + 63) / 64 }

// Count is how many bits are set.
func Count(bitmap []uint64) (n int) {
	for _, w := range bitmap {
		n += bits.OnesCount64(w)
	}
	return n
}
