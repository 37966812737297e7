package block

import (
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/logmill/logmill/shared/logrec"
)

// Merger makes one block of several, column by column: records are never made, and a dictionary's entries are looked at once, not once a
// row. Of the same records it makes the same file as a Builder does. Reuse one a goroutine.
type Merger struct {
	b       *Builder
	in      []*Reader
	rows    int
	order   []int32 // row of the block → row of the inputs, which are counted through; nil = they are in order
	keys    []rowKey
	values  []int64
	floats  []float64
	valid   []bool
	codes   []int32 // of all inputs' rows, in one dictionary
	entries []int32 // an input's codes → those
	final   []int32 // those → codes by first appearance
	names   []string
	id      []byte
}

// InputError is an input that cannot be read.
type InputError struct {
	Input int
	Err   error
}

func (e *InputError) Error() string { return fmt.Sprintf("block %d: %v", e.Input, e.Err) }
func (e *InputError) Unwrap() error { return e.Err }

// NewMerger makes a merger.
func NewMerger(o Options) (*Merger, error) {
	b, err := NewBuilder(o)
	if err != nil {
		return nil, err
	}
	return &Merger{b: b}, nil
}

// Merge makes one block of all records of blocks. Errors: ErrEmpty, more than MaxRows records, *InputError.
func (m *Merger) Merge(blocks []*Reader) (Block, error) {
	m.in, m.rows = blocks, 0
	defer func() { m.in = nil }()
	for _, r := range blocks {
		m.rows += r.rows
	}
	if m.rows == 0 {
		return Block{}, ErrEmpty
	}
	if m.rows > MaxRows {
		return Block{}, fmt.Errorf("a block of %d records: at most %d", m.rows, MaxRows)
	}
	meta := Meta{Rows: m.rows}
	if err := m.sort(&meta); err != nil {
		return Block{}, err
	}
	m.b.w.reset()
	m.b.filter.reset()
	if err := m.columns(&meta); err != nil {
		return Block{}, err
	}
	filter, err := m.b.filter.encode()
	if err != nil {
		return Block{}, fmt.Errorf("building a filter: %w", err)
	}
	data := slices.Clone(m.b.w.finish(m.rows))
	meta.Checksum, meta.RawBytes = Checksum(data), m.b.w.rawBytes()
	return Block{Data: data, Filter: filter, Meta: meta}, nil
}

// sort finds the order of the rows. Neighbours are mostly in order already, end to end.
func (m *Merger) sort(meta *Meta) error {
	m.keys = slices.Grow(m.keys[:0], m.rows)
	for i, r := range m.in {
		if err := m.appendKeys(r); err != nil {
			return &InputError{i, err}
		}
	}
	m.order = m.order[:0]
	if !slices.IsSortedFunc(m.keys, compareKeys) {
		slices.SortFunc(m.keys, compareKeys)
		for _, k := range m.keys {
			m.order = append(m.order, k.place)
		}
	}
	meta.MinTime, meta.MaxTime = m.keys[0].time, m.keys[m.rows-1].time
	return nil
}

func (m *Merger) appendKeys(r *Reader) error {
	times, _, err := r.Ints("timestamp")
	if err != nil {
		return err
	}
	offsets, _, err := r.Ints("src_offset")
	if err != nil {
		return err
	}
	rows, _, err := r.Ints("src_row")
	for i := range times {
		m.keys = append(m.keys, rowKey{times[i], offsets[i], int32(rows[i]), int32(len(m.keys))})
	}
	return err
}

// at is the place among the inputs' rows of a row of the block.
func (m *Merger) at(row int) int {
	if len(m.order) == 0 {
		return row
	}
	return int(m.order[row])
}

// columns writes all columns, in the order of Builder.columns.
func (m *Merger) columns(meta *Meta) error {
	steps := []func() error{
		m.time("timestamp"),
		m.time("observed"),
		m.required("level", dictionaryShareText, func(values []string) { meta.LevelMask = levelMask(values) }),
		m.required("service", 1, func(values []string) { meta.Services = services(values) }),
		m.required("message", dictionaryShareMessage, m.messageTokens),
		m.ids("trace_id", 16, m.traceTokens),
		m.ids("span_id", 8, nil),
		m.optional("user_id", m.pairTokens("user_id")),
		m.optional("request_method", nil),
		m.optional("request_path", nil),
		m.optionalInt("response_status"),
		m.responseTime,
		m.optional("team", nil),
		m.optional("env", nil),
		m.optional("host", nil),
		m.optionalInt("pattern_id"),
		m.evalDelay,
		m.int("src_offset"),
		m.int("src_row"),
		m.attributes,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func levelMask(values []string) (mask uint8) {
	for _, s := range values {
		l, _ := logrec.ParseLevel(s) // unknown: 0, absent
		mask |= 1 << l
	}
	return mask
}

// services are the distinct values, sorted, in memory of their own.
func services(values []string) []string {
	out := make([]string, len(values))
	for i, s := range values {
		out[i] = string([]byte(s))
	}
	slices.Sort(out)
	return out
}

// readInts gathers a column of all inputs into w.ints and w.defined; with all, a record without a value is an error.
func (m *Merger) readInts(name string, all bool) error {
	m.values, m.valid = m.values[:0], m.valid[:0]
	for i, r := range m.in {
		values, valid, err := r.Ints(name)
		if err == nil && all && slices.Contains(valid, false) {
			err = missing(name)
		}
		if err != nil {
			return &InputError{i, err}
		}
		m.values = append(m.values, values...)
		m.valid = appendValid(m.valid, valid, r.rows)
	}
	w := &m.b.w
	w.ints, w.defined = w.ints[:0], w.defined[:0]
	for row := range m.rows {
		at := m.at(row)
		m.b.define(m.valid[at])
		if m.valid[at] {
			w.ints = append(w.ints, m.values[at])
		}
	}
	return nil
}

func appendValid(dst, valid []bool, rows int) []bool {
	if valid != nil {
		return append(dst, valid...)
	}
	for range rows {
		dst = append(dst, true)
	}
	return dst
}

// missing is what a column is that lacks a value which every record must have.
func missing(name string) error {
	return fmt.Errorf("%w: column %s has no value for some record", ErrDamaged, name)
}

func (m *Merger) int(name string) func() error {
	return func() error {
		if err := m.readInts(name, true); err != nil {
			return err
		}
		return m.b.w.int64s(name, logicalNone, false, m.rows)
	}
}

func (m *Merger) time(name string) func() error {
	return func() error {
		if err := m.readInts(name, true); err != nil {
			return err
		}
		return m.b.w.times(name, m.rows)
	}
}

func (m *Merger) optionalInt(name string) func() error {
	return func() error {
		if err := m.readInts(name, false); err != nil || len(m.b.w.ints) == 0 {
			return err
		}
		return m.b.w.int64s(name, logicalNone, true, m.rows)
	}
}

// evalDelay makes delays of eval_times, whatever the inputs' formats.
func (m *Merger) evalDelay() error {
	if err := m.readInts(evalTimeColumn, false); err != nil || len(m.b.w.ints) == 0 {
		return err
	}
	w, k := &m.b.w, 0
	for row, is := range w.defined {
		if is != 0 {
			w.ints[k] -= m.keys[row].time
			k++
		}
	}
	return w.int64s(evalDelayColumn, logicalNone, true, m.rows)
}

func (m *Merger) responseTime() error {
	m.floats, m.valid = m.floats[:0], m.valid[:0]
	for i, r := range m.in {
		values, valid, err := r.Floats("response_time_ms")
		if err != nil {
			return &InputError{i, err}
		}
		m.floats = append(m.floats, values...)
		m.valid = appendValid(m.valid, valid, r.rows)
	}
	w := &m.b.w
	w.floats, w.defined = w.floats[:0], w.defined[:0]
	for row := range m.rows {
		at := m.at(row)
		m.b.define(m.valid[at])
		if m.valid[at] {
			w.floats = append(w.floats, m.floats[at])
		}
	}
	if len(w.floats) == 0 {
		return nil
	}
	return w.float64s("response_time_ms", m.rows)
}

func (m *Merger) messageTokens(values []string) {
	f := &m.b.filter
	add := func(t []byte) { f.add(hashToken(t)) }
	for _, s := range values {
		f.tokens.each(s, add)
	}
}

func (m *Merger) traceTokens(values []string, width int) {
	for _, s := range values {
		if width > 0 {
			m.id = hex.AppendEncode(m.id[:0], []byte(s))
			s = text(m.id)
		}
		m.b.filter.pair("trace_id", s)
	}
}

func (m *Merger) pairTokens(name string) func([]string) {
	return func(values []string) {
		for _, s := range values {
			m.b.filter.pair(name, s)
		}
	}
}
