package block

import (
	"encoding/binary"

	"github.com/klauspost/compress/zstd"
)

// Numbers of the Parquet format (github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift).
const (
	typeInt64  = 2
	typeDouble = 5
	typeBytes  = 6
	typeFixed  = 7

	encPlain       = 0
	encRLE         = 3
	encDelta       = 5
	encDeltaLength = 6
	encDictionary  = 8

	codecNone = 0
	codecZstd = 6

	pageData       = 0
	pageDictionary = 2
)

type logical uint8

const (
	logicalNone logical = iota
	logicalText
	logicalJSON
	logicalNanos
	logicalMicros
)

// column is what the footer says of a column.
type column struct {
	name         string
	typ, width   int // width of typeFixed
	optional     bool
	logical      logical
	codec        int
	encoding     int
	dictAt       int // offset in the file, 0 = no dictionary
	dataAt       int
	raw, encoded int // bytes with headers, before and after compression
}

// file writes a Parquet file of one row group, a page a column.
type file struct {
	t       thrift // t.b is the file so far
	columns []column
	zstd    *zstd.Encoder
	packed  []byte
}

const (
	magic         = "PAR1"
	formatKey     = "logmill.format"
	formatVersion = "2"
)

// Columns of eval_time: eval_time - timestamp, and before format 2 the time itself.
const (
	evalDelayColumn = "eval_delay"
	evalTimeColumn  = "eval_time"
)

func (f *file) reset() {
	f.t.b, f.columns = append(f.t.b[:0], magic...), f.columns[:0]
}

// page compresses and appends a page.
func (f *file) page(c *column, kind, values, encoding int, raw []byte) {
	body := raw
	if c.codec == codecZstd {
		f.packed = f.zstd.EncodeAll(raw, f.packed[:0])
		body = f.packed
	}
	start := len(f.t.b)
	if kind == pageDictionary {
		c.dictAt = start
	} else {
		c.dataAt = start
	}
	f.header(kind, values, encoding, len(raw), len(body))
	c.raw += len(f.t.b) - start + len(raw)
	f.t.b = append(f.t.b, body...)
	c.encoded += len(f.t.b) - start
}

// rawBytes is what all pages so far take uncompressed.
func (f *file) rawBytes() (n int) {
	for i := range f.columns {
		n += f.columns[i].raw
	}
	return n
}

func (f *file) header(kind, values, encoding, raw, packed int) {
	t := &f.t
	t.last = 0
	t.begin()
	t.i32(1, kind)
	t.i32(2, raw)
	t.i32(3, packed)
	if kind == pageDictionary {
		t.beginField(7)
		t.i32(1, values)
		t.i32(2, encPlain)
	} else {
		t.beginField(5)
		t.i32(1, values)
		t.i32(2, encoding)
		t.i32(3, encRLE)
		t.i32(4, encRLE)
	}
	t.end()
	t.end()
}

// finish appends the footer and returns the file, which lives until reset.
func (f *file) finish(rows int) []byte {
	t := &f.t
	start := len(t.b)
	t.last = 0
	t.begin()
	t.i32(1, 2)
	f.schema()
	t.i64(3, int64(rows))
	t.list(4, thriftStruct, 1)
	f.rowGroup(rows)
	t.list(5, thriftStruct, 1)
	t.begin()
	t.text(1, formatKey)
	t.text(2, formatVersion)
	t.end()
	t.text(6, "logmill")
	t.end()
	t.b = binary.LittleEndian.AppendUint32(t.b, uint32(len(t.b)-start))
	t.b = append(t.b, magic...)
	return t.b
}

func (f *file) schema() {
	t := &f.t
	t.list(2, thriftStruct, len(f.columns)+1)
	t.begin()
	t.text(4, "log")
	t.i32(5, len(f.columns))
	t.end()
	for i := range f.columns {
		f.columns[i].schema(t)
	}
}

func (c *column) schema(t *thrift) {
	t.begin()
	t.i32(1, c.typ)
	if c.typ == typeFixed {
		t.i32(2, c.width)
	}
	repetition := 0
	if c.optional {
		repetition = 1
	}
	t.i32(3, repetition)
	t.text(4, c.name)
	c.logicalType(t)
	t.end()
}

func (c *column) logicalType(t *thrift) {
	switch c.logical {
	case logicalText:
		t.i32(6, 0) // ConvertedType UTF8, for old readers
		t.beginField(10)
		t.empty(1)
		t.end()
	case logicalJSON:
		t.i32(6, 19)
		t.beginField(10)
		t.empty(12)
		t.end()
	case logicalNanos, logicalMicros:
		unit := 3 // nanoseconds
		if c.logical == logicalMicros {
			unit = 2
			t.i32(6, 10) // ConvertedType TIMESTAMP_MICROS, for old readers
		}
		t.beginField(10)
		t.beginField(8)
		t.yes(1) // adjusted to UTC
		t.beginField(2)
		t.empty(unit)
		t.end()
		t.end()
		t.end()
	}
}

func (f *file) rowGroup(rows int) {
	t := &f.t
	t.begin()
	t.list(1, thriftStruct, len(f.columns))
	for i := range f.columns {
		f.columns[i].chunk(t, rows)
	}
	t.i64(2, int64(f.rawBytes()))
	t.i64(3, int64(rows))
	t.end()
}

func (c *column) chunk(t *thrift, rows int) {
	first := c.dataAt
	encodings := []int{c.encoding, encRLE}
	if c.dictAt != 0 {
		first = c.dictAt
		encodings = append(encodings, encPlain)
	}
	t.begin()
	t.i64(2, int64(first))
	t.beginField(3)
	t.i32(1, c.typ)
	t.list(2, thriftI32, len(encodings))
	for _, e := range encodings {
		t.zigzag(int64(e))
	}
	t.list(3, thriftBinary, 1)
	t.bytes(c.name)
	t.i32(4, c.codec)
	t.i64(5, int64(rows))
	t.i64(6, int64(c.raw))
	t.i64(7, int64(c.encoded))
	t.i64(9, int64(c.dataAt))
	if c.dictAt != 0 {
		t.i64(11, int64(c.dictAt))
	}
	t.end()
	t.end()
}
