// Package vector reads columns of a block into arrays that predicates and sums run over: no row structs, and no copy of a text but its
// decompression. block.Reader
// gives the same columns in a more convenient and slower way.
//
// A column keeps its values densely; a bitmap says which rows have one. Columns are immutable and safe for concurrent use.
package vector

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged is a block that cannot be read.
var ErrDamaged = errors.New("the block is damaged")

// ErrNewer is a block of a later format than this program knows.
var ErrNewer = errors.New("the block is of a newer format: upgrade this program")

// Numbers of the Parquet format (github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift).
const (
	typeInt64  = 2
	typeDouble = 5
	typeBytes  = 6
	typeFixed  = 7

	encPlain        = 0
	encPlainDict    = 2
	encDelta        = 5
	encDeltaLength  = 6
	encDictionary   = 8
	codecNone       = 0
	codecZstd       = 6
	pageData        = 0
	pageDictionary  = 2
	convertedJSON   = 19
	repetitionMaybe = 1
)

// Layout is where a block's columns are: its footer, read once.
type Layout struct {
	rows   int
	names  []string
	chunks map[string]*chunk
}

// chunk is what the footer says of a column.
type chunk struct {
	typ, width     int   // width of typeFixed
	unit           int64 // what numbers are multiplied by: times come as ns
	optional, json bool
	codec          int
	dictAt, dataAt int64 // offsets in the file; dictAt 0 = no dictionary
	raw, encoded   int64 // bytes of its pages, before and after compression
	values         int64
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrDamaged, fmt.Errorf(format, args...))
}

// ReadLayout reads the footer. Damage is ErrDamaged (or ErrNewer), never a panic.
func ReadLayout(data []byte) (*Layout, error) {
	footer, err := footerOf(data)
	if err != nil {
		return nil, err
	}
	var schema []chunk
	var columns []chunk
	l := &Layout{}
	groups, version := 0, ""
	r := &reader{b: footer}
	r.fields(func(id, typ int) {
		switch {
		case id == 2 && typ == thriftList:
			schema, l.names = r.schema()
		case id == 3:
			l.rows = int(r.int())
		case id == 4 && typ == thriftList:
			_, groups = r.list()
			columns = r.rowGroup()
		case id == 5 && typ == thriftList:
			version = r.version()
		default:
			r.skip(typ)
		}
	})
	if r.bad || groups != 1 || l.rows < 1 || l.rows > MaxRows || len(columns) != len(schema) {
		return nil, damaged("a footer of %d row groups, %d rows, %d columns", groups, l.rows, len(columns))
	}
	if version != "1" && version != "2" {
		return nil, fmt.Errorf("%w (%.20q)", ErrNewer, version)
	}
	l.chunks = make(map[string]*chunk, len(columns))
	for i := range columns {
		c := &columns[i]
		c.width, c.unit, c.optional, c.json = schema[i].width, schema[i].unit, schema[i].optional, schema[i].json
		if err := c.check(l.rows, len(data)); err != nil {
			return nil, fmt.Errorf("column %.100s: %w", l.names[i], err)
		}
		l.chunks[l.names[i]] = c
		if l.names[i] == evalDelay {
			l.names[i] = evalTime
		}
	}
	return l, nil
}

// Format 2 has eval_delay in the place of eval_time; readers are given eval_time.
const (
	evalTime  = "eval_time"
	evalDelay = "eval_delay"
)

// version is the value of logmill.format.
func (r *reader) version() (version string) {
	_, n := r.list()
	for i := 0; i < n && !r.bad; i++ {
		var key, value string
		r.fields(func(id, typ int) {
			switch id {
			case 1:
				key = r.text()
			case 2:
				value = r.text()
			default:
				r.skip(typ)
			}
		})
		if key == "logmill.format" {
			version = value
		}
	}
	return version
}

const (
	magic      = "PAR1"
	footerTail = 4 + len(magic) // the footer's length, and magic
)

func footerOf(data []byte) ([]byte, error) {
	n := len(data)
	if n < len(magic)+footerTail || string(data[:4]) != magic || string(data[n-4:]) != magic {
		return nil, damaged("no Parquet file")
	}
	size := int64(binary.LittleEndian.Uint32(data[n-footerTail:]))
	if size > int64(n-footerTail-len(magic)) {
		return nil, damaged("a footer of %d bytes", size)
	}
	return data[n-footerTail-int(size) : n-footerTail], nil
}

// schema reads the columns' names and kinds; the first element is the root.
func (r *reader) schema() (out []chunk, names []string) {
	_, n := r.list()
	for i := 0; i < n && !r.bad; i++ {
		c := chunk{unit: 1}
		var name string
		r.fields(func(id, typ int) {
			switch id {
			case 2:
				c.width = int(r.int())
			case 3:
				c.optional = r.int() == repetitionMaybe
			case 4:
				name = r.text()
			case 6:
				c.json = r.int() == convertedJSON
			case 10:
				c.unit = r.logicalType(typ)
			default:
				r.skip(typ)
			}
		})
		if i > 0 {
			out, names = append(out, c), append(names, name)
		}
	}
	return out, names
}

// logicalType is the unit of a time in ns, 1 for other types.
func (r *reader) logicalType(typ int) int64 {
	const timestamp, unit = 8, 2 // fields; the unit is a union of millis, micros and nanos
	out := int64(1)
	if typ != thriftStruct {
		r.skip(typ)
		return out
	}
	r.fields(func(id, typ int) {
		if id != timestamp || typ != thriftStruct {
			r.skip(typ)
			return
		}
		r.fields(func(id, typ int) {
			if id != unit || typ != thriftStruct {
				r.skip(typ)
				return
			}
			r.fields(func(id, typ int) {
				out = map[int]int64{1: 1e6, 2: 1e3}[id]
				r.skip(typ)
			})
		})
	})
	return max(out, 1)
}

func (r *reader) rowGroup() (out []chunk) {
	r.fields(func(id, typ int) {
		if id != 1 || typ != thriftList {
			r.skip(typ)
			return
		}
		_, n := r.list()
		for i := 0; i < n && !r.bad; i++ {
			var c chunk
			r.fields(func(id, typ int) {
				if id == 3 && typ == thriftStruct {
					r.metadata(&c)
				} else {
					r.skip(typ)
				}
			})
			out = append(out, c)
		}
	})
	return out
}

func (r *reader) metadata(c *chunk) {
	r.fields(func(id, typ int) {
		switch id {
		case 1:
			c.typ = int(r.int())
		case 4:
			c.codec = int(r.int())
		case 5:
			c.values = r.int()
		case 6:
			c.raw = r.int()
		case 7:
			c.encoded = r.int()
		case 9:
			c.dataAt = r.int()
		case 11:
			c.dictAt = r.int()
		default:
			r.skip(typ)
		}
	})
}

func (c *chunk) check(rows, size int) error {
	switch {
	case c.codec != codecNone && c.codec != codecZstd:
		return damaged("codec %d", c.codec)
	case c.raw < 0 || c.raw > maxColumnBytes || c.encoded < 0 || c.encoded > int64(size) || c.values != int64(rows):
		return damaged("%d bytes and %d values", c.raw, c.values)
	case c.dataAt <= 0 || c.dataAt >= int64(size) || c.dictAt < 0 || c.dictAt >= int64(size):
		return damaged("pages at %d and %d of %d", c.dictAt, c.dataAt, size)
	case c.typ == typeFixed && (c.width < 1 || c.width > maxFixedBytes):
		return damaged("values of %d bytes", c.width)
	}
	return nil
}

// Rows is the number of records.
func (l *Layout) Rows() int { return l.rows }

// Names are the columns that some record has a value in; attributes as "attr.<name>".
func (l *Layout) Names() []string { return l.names }

// Has tells whether some record has a value in the column.
func (l *Layout) Has(name string) bool { return l.chunk(name) != nil }

func (l *Layout) chunk(name string) *chunk {
	if c := l.chunks[name]; c != nil || name != evalTime {
		return c
	}
	return l.chunks[evalDelay]
}

// EncodedBytes is what the column's pages take in the block; 0 for an absent one.
func (l *Layout) EncodedBytes(name string) int {
	if c := l.chunk(name); c != nil {
		return int(c.encoded)
	}
	return 0
}

// RawBytes is what the column's pages take uncompressed; 0 for an absent one.
func (l *Layout) RawBytes(name string) int {
	if c := l.chunk(name); c != nil {
		return int(c.raw)
	}
	return 0
}
