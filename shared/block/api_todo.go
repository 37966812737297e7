// Package block is the Parquet block: Logmill's unit of storage and of exchange on logs.enriched, byte for byte the same.
package block

import "github.com/logmill/logmill/shared/logrec"

// TODO(helper B): agreed API; the package comment becomes the format's spec.

// Builder makes blocks; reuse one a goroutine.
type Builder struct{}

// Options of a Builder.
type Options struct {
	Level int // zstd level as in klauspost/compress: 1 fastest … 4 best; 0 = 1
}

func NewBuilder(o Options) (*Builder, error) { panic("todo") }

// Build sorts recs by (Timestamp, SrcOffset, SrcRow) in place and makes one block of them. The result's slices are the
// caller's to keep. It clones what it keeps: recs may point into buffers that are reused afterwards.
func (b *Builder) Build(recs []logrec.Record) (Block, error) { panic("todo") }

// Block is a built block and what MySQL keeps beside it.
type Block struct {
	Data   []byte
	Filter []byte // token filter, see MayContain
	Meta   Meta
}

// Meta is what pruning needs.
type Meta struct {
	Rows             int
	MinTime, MaxTime int64    // ns
	LevelMask        uint8    // bit 1<<level
	Services         []string // sorted, distinct
	Checksum         uint32   // CRC-32C of Data
}

// Reader reads columns of a block. Not safe for concurrent use.
type Reader struct{}

// Open checks the footer; a damaged block is an error, never a panic.
func Open(data []byte) (*Reader, error) { panic("todo") }

func (r *Reader) Rows() int         { panic("todo") }
func (r *Reader) Columns() []string { panic("todo") } // attributes as "attr.<name>"

// Ints reads an integer column (timestamp observed level response_status eval_time src_offset src_row pattern_id);
// valid is nil when no value is NULL. An absent column gives all NULL.
func (r *Reader) Ints(column string) (values []int64, valid []bool, err error) { panic("todo") }

func (r *Reader) Floats(column string) (values []float64, valid []bool, err error) { panic("todo") }

// Strings reads a text column as dictionary and codes: value i is Dict[Codes[i]], NULL when Codes[i] < 0. For columns without
// a dictionary Dict has one entry a row. trace_id and span_id come as hex text.
func (r *Reader) Strings(column string) (StringColumn, error) { panic("todo") }

type StringColumn struct {
	Dict  []string
	Codes []int32
}

// Records materialises the given rows (nil = all), in the order asked for, all columns.
func (r *Reader) Records(rows []int) ([]logrec.Record, error) { panic("todo") }

// Tokens of a text as the filter knows them: lower-cased maximal runs of letters, digits and '_' (spec in the package comment).
// EachToken calls f with each.
func EachToken(text string, f func(token string)) { panic("todo") }

// MayContain says whether a block's filter may hold the token (lower-cased). false = certainly not. Full trace and user ids are
// tokens of their own under "trace_id=<id>", "user_id=<id>"; attributes under "<name>=<value>".
func MayContain(filter []byte, token string) bool { panic("todo") }
