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

// read makes f the field at the beginning of b and returns what follows.
func (f *field) read(b []byte) (rest []byte, err error) {
	key, n := uvarint(b)
	if n <= 0 || key>>3 == 0 || key>>3 > math.MaxInt32 {
		return nil, errWire
	}
	*f, b = field{tag: uint32(key >> 3), wire: uint8(key & 7)}, b[n:]
	switch f.wire {
	case wireBytes:
		size, n := uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return nil, errWire
		}
		end := n + int(size)
		f.data = b[n:end]
		return b[end:], nil
	case wireVarint:
		if f.num, n = uvarint(b); n <= 0 {
			return nil, errWire
		}
		return b[n:], nil
	case wireFixed64:
		if len(b) < 8 {
			return nil, errWire
		}
		f.num = binary.LittleEndian.Uint64(b)
		return b[8:], nil
	case wireFixed32:
		if len(b) < 4 {
			return nil, errWire
		}
		f.num = uint64(binary.LittleEndian.Uint32(b))
		return b[4:], nil
	}
	return nil, errWire
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
