package block

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding"
	thriftenc "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/logmill/logmill/shared/logrec"
)

// ErrDamaged is a block that cannot be read.
var ErrDamaged = errors.New("the block is damaged")

// ErrNewer is a block of a later format than this program knows.
var ErrNewer = errors.New("the block is of a newer format: upgrade this program")

// Reader reads columns of a block. Not safe for concurrent use. Strings it returns may point into its own buffers and stay good
// while they are held.
type Reader struct {
	rows    int
	names   []string
	columns map[string]parquet.ColumnChunk
}

// Open reads the footer. Damage is an error (ErrDamaged, ErrNewer), never a panic; whoever has the checksum compares it first.
func Open(data []byte) (r *Reader, err error) {
	defer guard(&err)
	f, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if len(f.RowGroups()) != 1 {
		return nil, fmt.Errorf("%w: %d row groups", ErrDamaged, len(f.RowGroups()))
	}
	if v, _ := f.Lookup(formatKey); v != "1" && v != formatVersion {
		return nil, fmt.Errorf("%w (%q, this one knows up to %s)", ErrNewer, v, formatVersion)
	}
	md := f.Metadata()
	for _, c := range md.RowGroups[0].Columns {
		if err := checkColumn(data, &c.MetaData, md.NumRows); err != nil {
			return nil, err
		}
	}
	if md.NumRows < 1 || md.NumRows > MaxRows {
		return nil, fmt.Errorf("%w: %d rows", ErrDamaged, md.NumRows)
	}
	r = &Reader{rows: int(md.NumRows), columns: map[string]parquet.ColumnChunk{}}
	for i, c := range f.RowGroups()[0].ColumnChunks() {
		name := md.Schema[i+1].Name
		r.columns[name] = c
		if name == evalDelayColumn {
			name = evalTimeColumn
		}
		r.names = append(r.names, name)
	}
	return r, nil
}

// checkColumn bounds what reading a column may allocate: its pages must not claim more bytes than the column has, nor the column
// more than any column can have.
func checkColumn(data []byte, c *format.ColumnMetaData, rows int64) error {
	if c.TotalUncompressedSize < 0 || c.TotalUncompressedSize > maxColumnBytes || c.NumValues != rows {
		return fmt.Errorf("%w: a column of %d bytes and %d values", ErrDamaged, c.TotalUncompressedSize, c.NumValues)
	}
	for _, at := range []int64{c.DictionaryPageOffset, c.DataPageOffset} {
		if at == 0 && at == c.DictionaryPageOffset {
			continue // no dictionary
		}
		if err := checkPage(data, at, c); err != nil {
			return err
		}
	}
	return nil
}

// checkPage holds a page's own claims, and those of its zstd frame, against its column's.
func checkPage(data []byte, at int64, c *format.ColumnMetaData) error {
	if at <= 0 || at >= int64(len(data)) {
		return fmt.Errorf("%w: a page at byte %d of %d", ErrDamaged, at, len(data))
	}
	var h format.PageHeader
	head := (&thriftenc.CompactProtocol{}).NewReaderFromBytes(data[at:min(at+maxPageHeader, int64(len(data)))])
	if err := thriftenc.NewDecoder(head).Decode(&h); err != nil {
		return fmt.Errorf("%w: a page's header: %w", ErrDamaged, err)
	}
	body := data[at+int64(head.BytesRead()):]
	if h.UncompressedPageSize < 0 || int64(h.UncompressedPageSize) > c.TotalUncompressedSize || h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(body) {
		return fmt.Errorf("%w: a page of %d bytes in a column of %d", ErrDamaged, h.UncompressedPageSize, c.TotalUncompressedSize)
	}
	if c.Codec != format.Zstd {
		return nil
	}
	var frame zstd.Header
	if err := frame.Decode(body[:h.CompressedPageSize]); err != nil {
		return fmt.Errorf("%w: a page's zstd frame: %w", ErrDamaged, err)
	}
	if frame.FrameContentSize > uint64(h.UncompressedPageSize) || frame.WindowSize > maxZstdWindow {
		return fmt.Errorf("%w: a page's zstd frame claims %d bytes", ErrDamaged, max(frame.FrameContentSize, frame.WindowSize))
	}
	return nil
}

// guard turns a panic of the Parquet library on damaged bytes into an error.
func guard(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", ErrDamaged, p)
	}
}

// Rows is the number of records.
func (r *Reader) Rows() int { return r.rows }

// Columns are the columns that some record has a value in; attributes as "attr.<name>".
func (r *Reader) Columns() []string { return r.names }

// page is a column's one page: levels is nil when every row has a value.
type page struct {
	data   encoding.Values
	dict   parquet.Dictionary
	levels []byte
	kind   parquet.Type
}

// read gives a column's page to f; f is not called for an absent column.
func (r *Reader) read(name string, f func(page) error) (err error) {
	defer guard(&err)
	c, ok := r.columns[name]
	if !ok {
		return nil
	}
	pages := c.Pages()
	defer func() { _ = pages.Close() }() // reads memory only
	p, err := pages.ReadPage()
	if err != nil {
		return fmt.Errorf("%w: column %s: %w", ErrDamaged, name, err)
	}
	defer parquet.Release(p)
	if int(p.NumValues()) != r.rows {
		return fmt.Errorf("%w: column %s has a page of %d values", ErrDamaged, name, p.NumValues())
	}
	return f(page{data: p.Data(), dict: p.Dictionary(), levels: p.DefinitionLevels(), kind: c.Type()})
}

// spread calls set for each row that has a value, with the value's index; valid is nil when all have.
func (r *Reader) spread(p page, values int, set func(row, value int)) (valid []bool, err error) {
	if len(p.levels) == 0 {
		if values != r.rows {
			return nil, fmt.Errorf("%w: %d values for %d rows", ErrDamaged, values, r.rows)
		}
		for i := range values {
			set(i, i)
		}
		return nil, nil
	}
	valid = make([]bool, r.rows)
	k := 0
	for row, l := range p.levels {
		if l == 0 {
			continue
		}
		if k == values {
			return nil, fmt.Errorf("%w: fewer values than rows", ErrDamaged)
		}
		valid[row] = true
		set(row, k)
		k++
	}
	return valid, nil
}

// Ints reads an integer column (timestamp observed response_status pattern_id eval_time src_offset src_row) or level, as its number.
// valid is nil when no value is NULL; an absent column is all NULL.
func (r *Reader) Ints(name string) (values []int64, valid []bool, err error) {
	switch {
	case name == "level":
		return r.levels()
	case name == evalTimeColumn && r.columns[evalDelayColumn] != nil:
		return r.evalTimes()
	}
	return r.ints(name)
}

// evalTimes adds timestamp and eval_delay.
func (r *Reader) evalTimes() (values []int64, valid []bool, err error) {
	times, _, err := r.ints("timestamp")
	if err != nil {
		return nil, nil, err
	}
	values, valid, err = r.ints(evalDelayColumn)
	for i := range values {
		if valid == nil || valid[i] {
			values[i] += times[i]
		}
	}
	return values, valid, err
}

func (r *Reader) ints(name string) (values []int64, valid []bool, err error) {
	values, valid = make([]int64, r.rows), make([]bool, r.rows)
	err = r.read(name, func(p page) (err error) {
		if p.kind.Kind() != parquet.Int64 {
			return fmt.Errorf("column %s holds no integers", name)
		}
		ints, unit := p.data.Int64(), unitOf(p.kind)
		valid, err = r.spread(p, len(ints), func(row, k int) { values[row] = ints[k] * unit })
		return err
	})
	return values, valid, err
}

func (r *Reader) levels() (values []int64, valid []bool, err error) {
	c, err := r.Strings("level")
	if err != nil {
		return nil, nil, err
	}
	numbers := make([]int64, len(c.Dict))
	for i, s := range c.Dict {
		l, _ := logrec.ParseLevel(s) // unknown: 0, absent
		numbers[i] = int64(l)
	}
	values = make([]int64, r.rows)
	for i, code := range c.Codes {
		if code >= 0 {
			values[i] = numbers[code]
		}
	}
	return values, nil, nil
}

// Floats reads response_time_ms; valid as for Ints.
func (r *Reader) Floats(name string) (values []float64, valid []bool, err error) {
	values, valid = make([]float64, r.rows), make([]bool, r.rows)
	err = r.read(name, func(p page) (err error) {
		if p.kind.Kind() != parquet.Double {
			return fmt.Errorf("column %s holds no floating-point numbers", name)
		}
		floats := p.data.Double()
		valid, err = r.spread(p, len(floats), func(row, k int) { values[row] = floats[k] })
		return err
	})
	return values, valid, err
}

// StringColumn is a text column: row i is Dict[Codes[i]], NULL when Codes[i] < 0. A column stored without dictionary has an entry a
// value, in row order. JSON says that each entry is JSON.
type StringColumn struct {
	Dict  []string
	Codes []int32
	JSON  bool
}

// Get is row i, "" for NULL.
func (c StringColumn) Get(i int) (value string, ok bool) {
	if code := c.Codes[i]; code >= 0 {
		return c.Dict[code], true
	}
	return "", false
}

// Strings reads a text column. Ids come as hex text. An absent column is all NULL.
func (r *Reader) Strings(name string) (c StringColumn, err error) {
	c, _, err = r.strings(name, true)
	return c, err
}

// strings reads a text column; ids as they are stored when asText is false: width bytes each, 0 for texts.
func (r *Reader) strings(name string, asText bool) (c StringColumn, width int, err error) {
	c.Codes = make([]int32, r.rows)
	for i := range c.Codes {
		c.Codes[i] = -1
	}
	err = r.read(name, func(p page) (err error) {
		c.JSON = isJSON(p.kind)
		if p.kind.Kind() == parquet.FixedLenByteArray {
			width = p.kind.Length()
		}
		var codes []int32
		if p.dict != nil {
			c.Dict, err = entries(p.dict.Page().Data(), p.kind, asText)
			codes = p.data.Int32()
		} else {
			c.Dict, err = entries(p.data, p.kind, asText)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		return r.fill(&c, p, codes)
	})
	return c, width, err
}

// unitOf is what a column's numbers are multiplied by: times come as ns.
func unitOf(t parquet.Type) int64 {
	lt := t.LogicalType()
	if lt == nil {
		return 1
	}
	if ts, ok := lt.Value.(*format.TimestampType); ok && ts.Unit.Value != nil {
		return int64(ts.Unit.Value.Duration())
	}
	return 1
}

func isJSON(t parquet.Type) bool {
	ct := t.ConvertedType()
	return ct != nil && *ct == deprecated.Json
}

// fill sets the codes: codes nil means that the values are the entries themselves, in order.
func (r *Reader) fill(c *StringColumn, p page, codes []int32) error {
	values := len(codes)
	if codes == nil {
		values = len(c.Dict)
	}
	bad := false
	_, err := r.spread(p, values, func(row, k int) {
		code := int32(k)
		if codes != nil {
			code = codes[k]
		}
		bad = bad || code < 0 || int(code) >= len(c.Dict)
		c.Codes[row] = code
	})
	if err == nil && bad {
		err = fmt.Errorf("%w: a code outside the dictionary", ErrDamaged)
	}
	return err
}

// entries copies the values of a page of texts or fixed-width ids; ids as hex, or as they are.
func entries(v encoding.Values, t parquet.Type, asText bool) ([]string, error) {
	switch t.Kind() {
	case parquet.ByteArray:
		data, offsets := v.ByteArray()
		if len(offsets) == 0 {
			return nil, nil
		}
		all := string(data)
		out := make([]string, len(offsets)-1)
		for i := range out {
			out[i] = all[offsets[i]:offsets[i+1]]
		}
		return out, nil
	case parquet.FixedLenByteArray:
		data, size := v.FixedLenByteArray()
		if size == 0 {
			return nil, ErrDamaged
		}
		n := len(data) / size
		all := string(data)
		if asText {
			all, size = hex.EncodeToString(data), 2*size
		}
		out := make([]string, n)
		for i := range out {
			out[i] = all[i*size : (i+1)*size]
		}
		return out, nil
	}
	return nil, fmt.Errorf("holds no text")
}

// AttributeNames are the attributes that have a column of their own.
func (r *Reader) AttributeNames() []string {
	var out []string
	for _, n := range r.names {
		if name, ok := strings.CutPrefix(n, AttributePrefix); ok {
			out = append(out, name)
		}
	}
	return slices.Clip(out)
}
