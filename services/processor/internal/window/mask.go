package window

// mask appends s to dst with its numbers and ids replaced by #, so that repeats of a message meet: runs of digits, hex ids of eight and
// more digits that hold a number, and what joins them (10.251.73.220:50010 and a UUID are one #). Only the first line counts.
func mask(dst []byte, s string) []byte {
	s = s[:min(len(s), maxMasked)]
	for i := 0; i < len(s) && len(dst) < maxText; {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			return trim(dst)
		case alnum(c):
			end := i
			for end < len(s) && alnum(s[end]) {
				end++
			}
			dst = maskWord(dst, s[i:end])
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return trim(dst)
}

// maskWord appends a run of letters and digits.
func maskWord(dst []byte, w string) []byte {
	if hexID(w) {
		return number(dst)
	}
	for i := 0; i < len(w); {
		if !digit(w[i]) {
			dst = append(dst, w[i])
			i++
			continue
		}
		for i < len(w) && digit(w[i]) {
			i++
		}
		dst = number(dst)
	}
	return dst
}

// number appends a #, or nothing when it only goes on the number before: "#.", "#:" and "#-" are swallowed.
func number(dst []byte) []byte {
	n := len(dst)
	if n >= 2 && dst[n-2] == '#' && (dst[n-1] == '.' || dst[n-1] == ':' || dst[n-1] == '-') {
		return dst[:n-1]
	}
	if n >= 1 && dst[n-1] == '#' {
		return dst
	}
	return append(dst, '#')
}

func hexID(w string) bool {
	if len(w) < 8 && len(w) != 4 { // 4: the groups of a UUID
		return false
	}
	digits := 0
	for i := range len(w) {
		switch c := w[i]; {
		case digit(c):
			digits++
		case c|0x20 < 'a' || c|0x20 > 'f':
			return false
		}
	}
	return digits > 0
}

// trim cuts to maxText at a rune border and drops spaces at the end.
func trim(b []byte) []byte {
	if len(b) > maxText {
		n := maxText
		for n > 0 && b[n]&0xC0 == 0x80 {
			n--
		}
		b = b[:n]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

func digit(c byte) bool { return c-'0' <= 9 }
func alnum(c byte) bool { return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }
