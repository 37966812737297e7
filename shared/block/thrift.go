package block

import "encoding/binary"

// thrift writes the Thrift compact protocol, as far as Parquet's footers and page headers need it
// (github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
type thrift struct {
	b     []byte
	last  int   // id of the struct's last field
	outer []int // of the structs around it
}

// Types of fields and list elements.
const (
	thriftTrue   = 1
	thriftI32    = 5
	thriftI64    = 6
	thriftBinary = 8
	thriftList   = 9
	thriftStruct = 12
)

func (t *thrift) field(id, typ int) {
	if d := id - t.last; d > 0 && d < 16 {
		t.b = append(t.b, byte(d<<4|typ))
	} else {
		t.b = append(t.b, byte(typ))
		t.zigzag(int64(id))
	}
	t.last = id
}

func (t *thrift) zigzag(v int64) { t.b = binary.AppendVarint(t.b, v) } // Go's Varint is zigzag

func (t *thrift) i32(id, v int)         { t.field(id, thriftI32); t.zigzag(int64(v)) }
func (t *thrift) i64(id int, v int64)   { t.field(id, thriftI64); t.zigzag(v) }
func (t *thrift) text(id int, s string) { t.field(id, thriftBinary); t.bytes(s) }
func (t *thrift) yes(id int)            { t.field(id, thriftTrue) }
func (t *thrift) bytes(s string)        { t.b = append(binary.AppendUvarint(t.b, uint64(len(s))), s...) }
func (t *thrift) begin()                { t.outer = append(t.outer, t.last); t.last = 0 }
func (t *thrift) beginField(id int)     { t.field(id, thriftStruct); t.begin() }
func (t *thrift) empty(id int)          { t.beginField(id); t.end() }
func (t *thrift) list(id, typ, size int) {
	t.field(id, thriftList)
	if size < 15 {
		t.b = append(t.b, byte(size<<4|typ))
		return
	}
	t.b = binary.AppendUvarint(append(t.b, byte(0xf0|typ)), uint64(size))
}

func (t *thrift) end() {
	t.b = append(t.b, 0)
	t.last = t.outer[len(t.outer)-1]
	t.outer = t.outer[:len(t.outer)-1]
}
