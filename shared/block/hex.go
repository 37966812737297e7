package block

import "unsafe"

// nibbles are the values of lower-case hex digits; 0xff for anything else. Upper case would not come back as it was.
var nibbles = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()

// unhex replaces w.texts by their bytes when each is that many lower-case hex digits.
func (b *Builder) unhex(digits int) bool {
	size := digits / 2
	b.hex = b.hex[:0]
	for _, s := range b.w.texts {
		if len(s) != digits {
			return false
		}
		for i := 0; i < digits; i += 2 {
			hi, lo := nibbles[s[i]], nibbles[s[i+1]]
			if hi|lo > 15 {
				return false
			}
			b.hex = append(b.hex, hi<<4|lo)
		}
	}
	for i := range b.w.texts {
		b.w.texts[i] = text(b.hex[i*size : (i+1)*size])
	}
	return true
}

// text is b as a string without copying it.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
