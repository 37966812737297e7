package contract

import (
	"encoding/binary"
	"errors"
	"math"
)

// The few parts of the Protocol Buffers wire format that OTLP logs need (protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errWire = errors.New("the protobuf message is damaged")

// field is one field of a message: num holds varints and fixed numbers, data the bytes.
type field struct {
	tag  uint32
	wire uint8
	num  uint64
	data []byte
}

// next reads the field at the beginning of b and returns what follows.
func next(b []byte) (f field, rest []byte, err error) {
	key, n := uvarint(b)
	if n <= 0 || key>>3 == 0 || key>>3 > math.MaxInt32 {
		return f, nil, errWire
	}
	f.tag, f.wire, b = uint32(key>>3), uint8(key&7), b[n:]
	switch f.wire {
	case wireVarint:
		if f.num, n = uvarint(b); n <= 0 {
			return f, nil, errWire
		}
		return f, b[n:], nil
	case wireFixed64:
		if len(b) < 8 {
			return f, nil, errWire
		}
		f.num = binary.LittleEndian.Uint64(b)
		return f, b[8:], nil
	case wireFixed32:
		if len(b) < 4 {
			return f, nil, errWire
		}
		f.num = uint64(binary.LittleEndian.Uint32(b))
		return f, b[4:], nil
	case wireBytes:
		size, n := uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return f, nil, errWire
		}
		f.data = b[n : n+int(size)]
		return f, b[n+int(size):], nil
	}
	return f, nil, errWire
}

// uvarint is binary.Uvarint; most are a byte.
func uvarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

func varintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// bytesLen is the size of a length-delimited field with a tag below 16 and n bytes in it.
func bytesLen(n int) int { return 1 + varintLen(uint64(n)) + n }

func appendKey(b []byte, tag, wire int) []byte { return append(b, byte(tag<<3|wire)) }

func appendBytesKey(b []byte, tag, n int) []byte {
	return binary.AppendUvarint(appendKey(b, tag, wireBytes), uint64(n))
}

func appendString(b []byte, tag int, s string) []byte {
	return append(appendBytesKey(b, tag, len(s)), s...)
}
