package block

import (
	"errors"
	"fmt"
	"hash/crc32"
	"hash/maphash"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/logmill/logmill/shared/logrec"
)

// Options of a Builder.
type Options struct {
	Level  int // zstd level as klauspost/compress counts them: 1 fastest (the default) … 4 best
	Window int // bytes that zstd looks back for repeats, a power of two; 0: as far as the level does, 4 MiB or more
}

// Block is a built block and what MySQL keeps beside it. All of it is the caller's to keep.
type Block struct {
	Data   []byte
	Filter []byte // token filter, see MayContain
	Meta   Meta
}

// Meta is what pruning needs.
type Meta struct {
	Rows             int
	RawBytes         int      // of all pages before compression
	MinTime, MaxTime int64    // of timestamp, ns
	LevelMask        uint8    // bit 1<<level
	Services         []string // sorted, distinct
	Checksum         uint32   // CRC-32C of Data
}

// Builder makes blocks. Reuse one a goroutine: its buffers and encoders are what a block costs most.
type Builder struct {
	w      columns
	filter filterBuilder
	attrs  attributeColumns
	hex    []byte
	sorter sorter
}

// ErrEmpty is a block without records.
var ErrEmpty = errors.New("a block needs a record")

// NewBuilder makes a builder.
func NewBuilder(o Options) (*Builder, error) {
	opts := []zstd.EOption{zstd.WithEncoderLevel(zstd.EncoderLevel(max(1, o.Level))), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)}
	if o.Window > 0 {
		opts = append(opts, zstd.WithWindowSize(o.Window))
	}
	enc, err := zstd.NewWriter(nil, opts...)
	if err != nil {
		return nil, fmt.Errorf("making the zstd encoder: %w", err)
	}
	b := &Builder{}
	b.w.zstd = enc
	b.w.dict.seed = maphash.MakeSeed()
	return b, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum is the CRC-32C of a block's bytes.
func Checksum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// Sort puts recs into the order of a block: by (Timestamp, SrcOffset, SrcRow).
func (b *Builder) Sort(recs []logrec.Record) { b.sorter.sort(recs) }

// Build sorts recs by (Timestamp, SrcOffset, SrcRow), in place, and makes one block of them. It keeps nothing of recs.
// Errors: ErrEmpty, more than MaxRows records.
func (b *Builder) Build(recs []logrec.Record) (Block, error) {
	if len(recs) == 0 {
		return Block{}, ErrEmpty
	}
	if len(recs) > MaxRows {
		return Block{}, fmt.Errorf("a block of %d records: at most %d", len(recs), MaxRows)
	}
	b.sorter.sort(recs)
	b.w.reset()
	if err := b.columns(recs); err != nil {
		return Block{}, fmt.Errorf("encoding a block: %w", err)
	}
	filter, err := b.filter.build(recs)
	if err != nil {
		return Block{}, fmt.Errorf("building a filter: %w", err)
	}
	data := slices.Clone(b.w.finish(len(recs)))
	meta := b.meta(recs)
	meta.Checksum, meta.RawBytes = Checksum(data), b.w.rawBytes()
	return Block{Data: data, Filter: filter, Meta: meta}, nil
}

func (b *Builder) meta(recs []logrec.Record) Meta {
	m := Meta{Rows: len(recs), MinTime: recs[0].Timestamp, MaxTime: recs[len(recs)-1].Timestamp}
	seen := map[string]struct{}{}
	last := ""
	for i := range recs {
		m.LevelMask |= 1 << recs[i].Level
		if s := recs[i].Service; s != last || i == 0 {
			seen[s], last = struct{}{}, s
		}
	}
	for s := range seen {
		m.Services = append(m.Services, string([]byte(s)))
	}
	slices.Sort(m.Services)
	return m
}

// columns writes all columns, in the order of the package comment.
func (b *Builder) columns(recs []logrec.Record) error {
	steps := []func([]logrec.Record) error{
		b.time("timestamp", func(r *logrec.Record) int64 { return r.Timestamp }),
		b.time("observed", func(r *logrec.Record) int64 { return r.Observed }),
		b.text("level", dictionaryShareText, func(r *logrec.Record) string { return r.Level.String() }),
		b.text("service", 1, func(r *logrec.Record) string { return r.Service }),
		b.text("message", dictionaryShareMessage, func(r *logrec.Record) string { return r.Message }),
		b.id("trace_id", 32, func(r *logrec.Record) string { return r.TraceID }),
		b.id("span_id", 16, func(r *logrec.Record) string { return r.SpanID }),
		b.optionalText("user_id", func(r *logrec.Record) string { return r.UserID }),
		b.optionalText("request_method", func(r *logrec.Record) string { return r.RequestMethod }),
		b.optionalText("request_path", func(r *logrec.Record) string { return r.RequestPath }),
		b.optionalInt("response_status", func(r *logrec.Record) int64 { return int64(r.ResponseStatus) }),
		b.responseTime,
		b.optionalText("team", func(r *logrec.Record) string { return r.Team }),
		b.optionalText("env", func(r *logrec.Record) string { return r.Env }),
		b.optionalText("host", func(r *logrec.Record) string { return r.Host }),
		b.optionalInt("pattern_id", func(r *logrec.Record) int64 { return r.PatternID }),
		b.evalDelay,
		b.int("src_offset", func(r *logrec.Record) int64 { return r.SrcOffset }),
		b.int("src_row", func(r *logrec.Record) int64 { return int64(r.SrcRow) }),
		b.attributes,
	}
	for _, step := range steps {
		if err := step(recs); err != nil {
			return err
		}
	}
	return nil
}

func (b *Builder) int(name string, get func(*logrec.Record) int64) func([]logrec.Record) error {
	return func(recs []logrec.Record) error {
		b.gatherInts(recs, get)
		return b.w.int64s(name, logicalNone, false, len(recs))
	}
}

func (b *Builder) time(name string, get func(*logrec.Record) int64) func([]logrec.Record) error {
	return func(recs []logrec.Record) error {
		b.gatherInts(recs, get)
		return b.w.times(name, len(recs))
	}
}

func (b *Builder) gatherInts(recs []logrec.Record, get func(*logrec.Record) int64) {
	b.w.ints = b.w.ints[:0]
	for i := range recs {
		b.w.ints = append(b.w.ints, get(&recs[i]))
	}
}

// evalDelay writes eval_time as its distance from timestamp: most records are evaluated at their own time.
func (b *Builder) evalDelay(recs []logrec.Record) error {
	b.w.ints, b.w.defined = b.w.ints[:0], b.w.defined[:0]
	for i := range recs {
		is := recs[i].EvalTime != 0
		b.define(is)
		if is {
			b.w.ints = append(b.w.ints, recs[i].EvalTime-recs[i].Timestamp)
		}
	}
	if len(b.w.ints) == 0 {
		return nil
	}
	return b.w.int64s(evalDelayColumn, logicalNone, true, len(recs))
}

func (b *Builder) optionalInt(name string, get func(*logrec.Record) int64) func([]logrec.Record) error {
	return func(recs []logrec.Record) error {
		b.w.ints, b.w.defined = b.w.ints[:0], b.w.defined[:0]
		for i := range recs {
			v := get(&recs[i])
			b.define(v != 0)
			if v != 0 {
				b.w.ints = append(b.w.ints, v)
			}
		}
		if len(b.w.ints) == 0 {
			return nil
		}
		return b.w.int64s(name, logicalNone, true, len(recs))
	}
}

func (b *Builder) define(is bool) {
	d := byte(0)
	if is {
		d = 1
	}
	b.w.defined = append(b.w.defined, d)
}

func (b *Builder) text(name string, share int, get func(*logrec.Record) string) func([]logrec.Record) error {
	return func(recs []logrec.Record) error {
		b.w.texts = b.w.texts[:0]
		for i := range recs {
			b.w.texts = append(b.w.texts, get(&recs[i]))
		}
		return b.w.strings(name, logicalText, false, len(recs), share)
	}
}

func (b *Builder) optionalText(name string, get func(*logrec.Record) string) func([]logrec.Record) error {
	return func(recs []logrec.Record) error {
		if b.gather(recs, get) == 0 {
			return nil
		}
		return b.w.strings(name, logicalText, true, len(recs), dictionaryShareText)
	}
}

// gather fills texts and defined, and returns how many are defined.
func (b *Builder) gather(recs []logrec.Record, get func(*logrec.Record) string) int {
	b.w.texts, b.w.defined = b.w.texts[:0], b.w.defined[:0]
	for i := range recs {
		s := get(&recs[i])
		b.define(s != "")
		if s != "" {
			b.w.texts = append(b.w.texts, s)
		}
	}
	return len(b.w.texts)
}

// id writes hex ids as bytes when all of the block are of the right length, else as text.
func (b *Builder) id(name string, digits int, get func(*logrec.Record) string) func([]logrec.Record) error {
	return func(recs []logrec.Record) error {
		if b.gather(recs, get) == 0 {
			return nil
		}
		if !b.unhex(digits) {
			return b.w.strings(name, logicalText, true, len(recs), dictionaryShareText)
		}
		return b.w.fixed(name, digits/2, len(recs))
	}
}

func (b *Builder) responseTime(recs []logrec.Record) error {
	b.w.floats, b.w.defined = b.w.floats[:0], b.w.defined[:0]
	for i := range recs {
		b.define(recs[i].HasResponseTime)
		if recs[i].HasResponseTime {
			b.w.floats = append(b.w.floats, recs[i].ResponseTimeMS)
		}
	}
	if len(b.w.floats) == 0 {
		return nil
	}
	return b.w.float64s("response_time_ms", len(recs))
}
