package block

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
)

// columns encodes values into pages of a file. Values are gathered in its fields first: for an optional column, defined has a byte
// a row (1 = there is a value), and the values are those of the defined rows only.
type columns struct {
	file
	defined []byte
	ints    []int64
	floats  []float64
	texts   []string
	dict    dictionary
	page_   []byte // a page under construction
	scratch []byte
	offsets []uint32
}

func (w *columns) begin(name string, typ int, l logical, optional bool) *column {
	w.columns = append(w.columns, column{name: name, typ: typ, logical: l, optional: optional, codec: codecZstd})
	return &w.columns[len(w.columns)-1]
}

// levels begins a data page with its definition levels: a length, then the RLE and bit-packing hybrid.
func (w *columns) levels(c *column) ([]byte, error) {
	w.page_ = w.page_[:0]
	if !c.optional {
		return w.page_, nil
	}
	enc := rle.Encoding{BitWidth: 1}
	body, err := enc.EncodeLevels(w.scratch[:0], w.defined)
	if err != nil {
		return nil, err
	}
	w.scratch = body
	w.page_ = binary.LittleEndian.AppendUint32(w.page_, uint32(len(body)))
	w.page_ = append(w.page_, body...)
	return w.page_, nil
}

func (w *columns) data(c *column, rows, encoding int, body []byte) {
	c.encoding = encoding
	w.page_ = append(w.page_, body...)
	w.page(c, pageData, rows, encoding, w.page_)
}

func (w *columns) int64s(name string, l logical, optional bool, rows int) error {
	c := w.begin(name, typeInt64, l, optional)
	if _, err := w.levels(c); err != nil {
		return err
	}
	var enc delta.BinaryPackedEncoding
	body, err := enc.EncodeInt64(w.scratch[:0], w.ints)
	if err != nil {
		return err
	}
	w.scratch = body
	w.data(c, rows, encDelta, body)
	return nil
}

// times writes w.ints, ns, as µs when nothing is lost by it: the differences take half the bytes then.
func (w *columns) times(name string, rows int) error {
	for _, v := range w.ints {
		if v%1000 != 0 {
			return w.int64s(name, logicalNanos, false, rows)
		}
	}
	for i := range w.ints {
		w.ints[i] /= 1000
	}
	return w.int64s(name, logicalMicros, false, rows)
}

func (w *columns) float64s(name string, rows int) error {
	c := w.begin(name, typeDouble, logicalNone, true)
	if _, err := w.levels(c); err != nil {
		return err
	}
	w.scratch = w.scratch[:0]
	for _, v := range w.floats {
		w.scratch = binary.LittleEndian.AppendUint64(w.scratch, math.Float64bits(v))
	}
	w.data(c, rows, encPlain, w.scratch)
	return nil
}

// strings writes w.texts, as a dictionary while at most one value in share is new.
func (w *columns) strings(name string, l logical, optional bool, rows, share int) error {
	c := w.begin(name, typeBytes, l, optional)
	if w.dict.build(w.texts, mostTexts(len(w.texts), share)) {
		return w.dictionary(c, rows)
	}
	return w.plain(c, rows)
}

// mostTexts and mostIDs are how many distinct values a dictionary may have.
func mostTexts(values, share int) int { return values/share + 8 }
func mostIDs(values int) int          { return values * 3 / 4 }

// plain writes w.texts one after the other.
func (w *columns) plain(c *column, rows int) error {
	w.scratch, w.offsets = w.scratch[:0], w.offsets[:0]
	if _, err := w.levels(c); err != nil {
		return err
	}
	plain := w.scratch[:0]
	for _, s := range w.texts {
		w.offsets = append(w.offsets, uint32(len(plain)))
		plain = append(plain, s...)
	}
	w.offsets, w.scratch = append(w.offsets, uint32(len(plain))), plain
	var enc delta.LengthByteArrayEncoding
	body, err := enc.EncodeByteArray(w.packed[:0], plain, w.offsets)
	if err != nil {
		return err
	}
	w.packed = body
	w.data(c, rows, encDeltaLength, body)
	return nil
}

// fixed writes w.texts, all of the given width, as raw bytes.
func (w *columns) fixed(name string, width, rows int) error {
	c := w.begin(name, typeFixed, logicalNone, true)
	c.width = width
	if w.dict.build(w.texts, mostIDs(len(w.texts))) {
		return w.dictionary(c, rows)
	}
	return w.plainFixed(c, rows)
}

func (w *columns) plainFixed(c *column, rows int) error {
	c.codec = codecNone // ids are random: zstd would only cost
	if _, err := w.levels(c); err != nil {
		return err
	}
	w.scratch = w.scratch[:0]
	for _, s := range w.texts {
		w.scratch = append(w.scratch, s...)
	}
	w.data(c, rows, encPlain, w.scratch)
	return nil
}

// dictionary writes the dictionary's page and a page of codes.
func (w *columns) dictionary(c *column, rows int) error {
	w.scratch = w.scratch[:0]
	for _, s := range w.dict.values {
		if c.typ == typeBytes {
			w.scratch = binary.LittleEndian.AppendUint32(w.scratch, uint32(len(s)))
		}
		w.scratch = append(w.scratch, s...)
	}
	w.page(c, pageDictionary, len(w.dict.values), encPlain, w.scratch)
	if _, err := w.levels(c); err != nil {
		return err
	}
	width := max(1, bits.Len(uint(max(0, len(w.dict.values)-1))))
	enc := rle.Encoding{BitWidth: width}
	body, err := enc.EncodeInt32(w.scratch[:0], w.dict.codes)
	if err != nil {
		return err
	}
	w.scratch = body
	w.page_ = append(w.page_, byte(width))
	w.data(c, rows, encDictionary, body)
	return nil
}

// dictionary finds the distinct values of a column, in order of first appearance: an open-addressing table of codes.
type dictionary struct {
	seed   maphash.Seed
	table  []uint32 // code + 1
	hashes []uint32 // of each value, the upper half
	values []string
	codes  []int32
}

// reset makes room for so many distinct values, and one more.
func (d *dictionary) reset(most int) {
	size := 1 << bits.Len(uint(2*most+8))
	if cap(d.table) < size {
		d.table = make([]uint32, size)
	}
	d.table = d.table[:size]
	clear(d.table)
	d.values, d.hashes, d.codes = d.values[:0], d.hashes[:0], d.codes[:0]
}

// build returns false, early, when there are more than most distinct values.
func (d *dictionary) build(values []string, most int) bool {
	d.reset(min(len(values), most))
	for i, v := range values {
		if i > 0 && v == values[i-1] {
			d.codes = append(d.codes, d.codes[i-1])
			continue
		}
		code := d.code(v)
		if len(d.values) > most {
			return false
		}
		d.codes = append(d.codes, code)
	}
	return true
}

func (d *dictionary) code(v string) int32 {
	h := maphash.String(d.seed, v)
	upper, mask := uint32(h>>32), uint64(len(d.table)-1)
	for ; ; h++ {
		k := d.table[h&mask]
		if k == 0 {
			d.values, d.hashes = append(d.values, v), append(d.hashes, upper)
			d.table[h&mask] = uint32(len(d.values))
			return int32(len(d.values) - 1)
		}
		if d.hashes[k-1] == upper && d.values[k-1] == v {
			return int32(k - 1)
		}
	}
}
