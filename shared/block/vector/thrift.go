package vector

import "encoding/binary"

// reader reads the Thrift compact protocol (github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md) as far as footers
// and page headers need it. After a mistake it is bad and gives zeros. It allocates nothing: no damaged length can take memory.
type reader struct {
	b   []byte
	pos int
	bad bool
}

// Types of fields and list elements.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12
)

const maxNesting = 16 // of what is skipped

func (r *reader) fail() { r.bad, r.pos = true, len(r.b) }

func (r *reader) byte() byte {
	if r.pos >= len(r.b) {
		r.fail()
		return 0
	}
	r.pos++
	return r.b[r.pos-1]
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b[r.pos:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.pos += n
	return v
}

// int is a zigzag number.
func (r *reader) int() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.b)-r.pos) {
		r.fail()
		return ""
	}
	r.pos += int(n)
	return string(r.b[r.pos-int(n) : r.pos])
}

// list is a list's element type and size; each element takes at least a byte.
func (r *reader) list() (typ, size int) {
	h := r.byte()
	n := uint64(h >> 4)
	if n == 15 {
		n = r.uvarint()
	}
	if n > uint64(len(r.b)-r.pos) {
		r.fail()
		return 0, 0
	}
	return int(h & 15), int(n)
}

// fields calls f with each field of a struct; f reads its value or skips it.
func (r *reader) fields(f func(id, typ int)) {
	id := 0
	for !r.bad {
		h := r.byte()
		if h == 0 {
			return
		}
		if delta := int(h >> 4); delta != 0 {
			id += delta
		} else {
			id = int(r.int())
		}
		f(id, int(h&15))
	}
}

func (r *reader) skip(typ int) { r.skipNested(typ, 0) }

func (r *reader) skipNested(typ, depth int) {
	if depth > maxNesting {
		r.fail()
		return
	}
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		for range 8 {
			r.byte()
		}
	case thriftBinary:
		n := r.uvarint()
		if n > uint64(len(r.b)-r.pos) {
			r.fail()
			return
		}
		r.pos += int(n)
	case thriftList, thriftSet:
		element, n := r.list()
		for i := 0; i < n && !r.bad; i++ {
			if element == thriftTrue || element == thriftFalse {
				r.byte() // in a list a boolean is a byte
			} else {
				r.skipNested(element, depth+1)
			}
		}
	case thriftStruct:
		r.fields(func(_, t int) { r.skipNested(t, depth+1) })
	default: // maps: neither we nor Parquet's footers have them
		r.fail()
	}
}
