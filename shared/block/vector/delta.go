package vector

import "encoding/binary"

// delta reads DELTA_BINARY_PACKED values into out, exactly as many as it takes, and returns what follows them.
func delta(b []byte, out []int64) (rest []byte, err error) {
	r := &reader{b: b}
	size, minis, total, value := r.uvarint(), r.uvarint(), r.uvarint(), r.int()
	if r.bad || total != uint64(len(out)) || minis == 0 || minis > 512 || size == 0 || size > 1<<16 || size%(minis*8) != 0 {
		return nil, damaged("deltas of %d values instead of %d", total, len(out))
	}
	per := int(size / minis)
	for i := 0; i < len(out); {
		if i == 0 {
			out[0], i = value, 1
			continue
		}
		least := r.int()
		if r.bad || len(r.b)-r.pos < int(minis) {
			return nil, damaged("deltas that end early")
		}
		widths := r.b[r.pos : r.pos+int(minis)]
		r.pos += int(minis)
		for _, w := range widths {
			if i == len(out) {
				break
			}
			need := per * int(w) / 8
			if w > 64 || need > len(r.b)-r.pos {
				return nil, damaged("deltas that end early")
			}
			n := min(per, len(out)-i)
			value = addDeltas(out[i:i+n], r.b[r.pos:], int(w), least, value)
			r.pos += need
			i += n
		}
	}
	return r.b[r.pos:], nil
}

// addDeltas reads packed deltas of w bits above least, and sums them up from value on. It may look at up to 8 bytes behind the deltas.
func addDeltas(out []int64, packed []byte, w int, least, value int64) int64 {
	if w == 0 {
		for i := range out {
			value += least
			out[i] = value
		}
		return value
	}
	mask := ^uint64(0) >> (64 - w)
	for i := range out {
		at := i * w
		value += least + int64(read64(packed, at>>3)>>(at&7)&mask)
		if over := at&7 + w - 64; over > 0 { // the upper bits are in the ninth byte
			upper := uint64(packed[at>>3+8]) & (1<<over - 1)
			value += int64(upper << (w - over))
		}
		out[i] = value
	}
	return value
}

// read64 is the eight bytes at i, zeros behind the end.
func read64(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	var tail [8]byte
	copy(tail[:], b[i:])
	return binary.LittleEndian.Uint64(tail[:])
}
