package vector

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// Column is a column of a block. Of Ints, Floats and Texts, one is there; codes say which of Texts a value is, nil when each value has its own.
type Column struct {
	rows   int
	valid  []uint64 // bit a row; nil: every row has a value
	rank   []uint32 // values before each word of valid
	Ints   []int64
	Floats []float64
	Texts  Texts
	Codes  Codes
	JSON   bool // each text is JSON
}

// Codes are the dictionary codes of a column's values, in the narrowest of three arrays; all nil without dictionary.
type Codes struct {
	C8  []uint8
	C16 []uint16
	C32 []uint32
}

// Any tells whether there is a dictionary.
func (c *Codes) Any() bool { return c.C8 != nil || c.C16 != nil || c.C32 != nil }

// At is the code of value i.
func (c *Codes) At(i int) int {
	switch {
	case c.C8 != nil:
		return int(c.C8[i])
	case c.C16 != nil:
		return int(c.C16[i])
	}
	return int(c.C32[i])
}

// Texts are texts or fixed-width ids, one behind the other.
type Texts struct {
	Data    []byte
	Offsets []uint32 // where text i begins; one more than texts. nil: ids of Width bytes
	Gap     int      // bytes between a text and the next
	Width   int

	learned *learned
}

// learned is what searches have found out about the bytes of texts: a bit a byte.
type learned struct{ asked, absent [4]atomic.Uint64 }

// Lacks tells whether a byte is in none of the texts. The first question after a byte looks through all of them.
func (t *Texts) Lacks(c byte) bool {
	if t.learned == nil {
		return bytes.IndexByte(t.Data, c) < 0
	}
	word, bit := c>>6, uint64(1)<<(c&63)
	if t.learned.asked[word].Load()&bit == 0 {
		if bytes.IndexByte(t.Data, c) < 0 {
			t.learned.absent[word].Or(bit)
		}
		t.learned.asked[word].Or(bit) // after the answer
	}
	return t.learned.absent[word].Load()&bit != 0
}

// Len is how many there are.
func (t *Texts) Len() int {
	if t.Width > 0 {
		return len(t.Data) / t.Width
	}
	return max(0, len(t.Offsets)-1)
}

// Bytes is text i, or an id's bytes. Not to be changed.
func (t *Texts) Bytes(i int) []byte {
	if t.Width > 0 {
		return t.Data[i*t.Width : (i+1)*t.Width]
	}
	return t.Data[t.Offsets[i] : int(t.Offsets[i+1])-t.Gap]
}

// String is text i; of an id, its hex digits. A text points into the column and stays good while it is held.
func (t *Texts) String(i int) string {
	b := t.Bytes(i)
	if t.Width > 0 {
		return hex.EncodeToString(b)
	}
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// Find is the index of the text that contains the byte at offset at of Data, or -1 for a byte between two.
func (t *Texts) Find(at int) int {
	lo, hi := 0, len(t.Offsets)-1
	for lo+1 < hi {
		if mid := int(uint(lo+hi) >> 1); int(t.Offsets[mid]) <= at {
			lo = mid
		} else {
			hi = mid
		}
	}
	if at < int(t.Offsets[lo]) || at >= int(t.Offsets[lo+1])-t.Gap {
		return -1
	}
	return lo
}

// Rows is the number of rows.
func (c *Column) Rows() int { return c.rows }

// Values is the number of rows with a value.
func (c *Column) Values() int {
	switch {
	case c.Ints != nil:
		return len(c.Ints)
	case c.Floats != nil:
		return len(c.Floats)
	case c.Codes.C8 != nil:
		return len(c.Codes.C8)
	case c.Codes.C16 != nil:
		return len(c.Codes.C16)
	case c.Codes.C32 != nil:
		return len(c.Codes.C32)
	}
	return c.Texts.Len()
}

// Valid is a bit a row that has a value; nil when all have. Not to be changed.
func (c *Column) Valid() []uint64 { return c.valid }

// Index is where the values have a row's, -1 when the row has none.
func (c *Column) Index(row int) int {
	if c.valid == nil {
		return row
	}
	w := c.valid[row>>6]
	if w>>(row&63)&1 == 0 {
		return -1
	}
	return int(c.rank[row>>6]) + bits.OnesCount64(w&(1<<(row&63)-1))
}

// Text is a row's text, "" and false without one.
func (c *Column) Text(row int) (string, bool) {
	i := c.Index(row)
	if i < 0 {
		return "", false
	}
	if c.Codes.Any() {
		i = c.Codes.At(i)
	}
	return c.Texts.String(i), true
}

// Spread sets in out, a bitmap of rows, the rows whose values are set in dense, a bitmap of values. The two may not be one.
func (c *Column) Spread(dense, out []uint64) {
	if c.valid == nil {
		copy(out, dense)
		return
	}
	for w, valid := range c.valid {
		out[w] = deposit(window(dense, int(c.rank[w])), valid)
	}
}

// window is 64 bits of a bitmap from bit at on.
func window(b []uint64, at int) uint64 {
	w := at >> 6
	if w >= len(b) {
		return 0
	}
	v := b[w] >> (at & 63)
	if at&63 != 0 && w+1 < len(b) {
		v |= b[w+1] << (64 - at&63)
	}
	return v
}

// deposit puts the lowest bits of src at the places of mask's bits (what PDEP does).
func deposit(src, mask uint64) (out uint64) {
	src &= ^uint64(0) >> (64 - bits.OnesCount64(mask)) // shifts by 64 give 0
	if src == 0 {
		return 0
	}
	for ; src != 0 && mask != 0; mask &= mask - 1 {
		out |= mask & -mask & -(src & 1)
		src >>= 1
	}
	return out
}

// Size is about what the column takes in memory, bytes.
func (c *Column) Size() int {
	return 8*(len(c.valid)+len(c.Ints)+len(c.Floats)) + 4*(len(c.rank)+len(c.Texts.Offsets)+len(c.Codes.C32)) + 2*len(c.Codes.C16) + len(c.Codes.C8) + len(c.Texts.Data) + 256
}

// Column decodes a column; nil for an absent one. data is the block that the layout was read from. Damage is ErrDamaged, never a panic.
func (l *Layout) Column(data []byte, name string) (*Column, error) {
	c := l.chunk(name)
	if c == nil {
		return nil, nil
	}
	col, err := l.decode(c, data)
	if err == nil && name == evalTime && c == l.chunks[evalDelay] {
		err = l.addTimes(data, col)
	}
	if err != nil {
		return nil, err
	}
	return col, nil
}

// addTimes makes eval_time of eval_delay.
func (l *Layout) addTimes(data []byte, delays *Column) error {
	times, err := l.Column(data, "timestamp")
	if err != nil {
		return err
	}
	if times == nil || times.Ints == nil || times.valid != nil || delays.Ints == nil {
		return damaged("delays without times")
	}
	for row, t := range times.Ints {
		if i := delays.Index(row); i >= 0 {
			delays.Ints[i] += t
		}
	}
	return nil
}

func (l *Layout) decode(c *chunk, data []byte) (*Column, error) {
	col := &Column{rows: l.rows, JSON: c.json}
	h, body, err := c.page(data, c.dataAt)
	if err != nil {
		return nil, err
	}
	if h.kind != pageData || h.values != int64(l.rows) {
		return nil, damaged("a page of kind %d with %d values", h.kind, h.values)
	}
	n := l.rows
	if c.optional {
		if col.valid, n, body, err = levels(body, l.rows); err != nil {
			return nil, err
		}
		col.rank = ranks(col.valid)
	}
	if h.encoding == encDictionary || h.encoding == encPlainDict {
		return col, col.dictionary(c, data, body, n)
	}
	return col, col.plain(c, int(h.encoding), body, n)
}

func ranks(valid []uint64) []uint32 {
	if valid == nil {
		return nil
	}
	out := make([]uint32, len(valid))
	n := uint32(0)
	for i, w := range valid {
		out[i] = n
		n += uint32(bits.OnesCount64(w))
	}
	return out
}

func (col *Column) plain(c *chunk, encoding int, body []byte, n int) (err error) {
	switch {
	case c.typ == typeInt64 && encoding == encDelta:
		col.Ints = make([]int64, n)
		_, err = delta(body, col.Ints)
	case c.typ == typeInt64 && encoding == encPlain && len(body) == 8*n:
		col.Ints = make([]int64, n)
		for i := range col.Ints {
			col.Ints[i] = int64(binary.LittleEndian.Uint64(body[8*i:]))
		}
	case c.typ == typeDouble && encoding == encPlain && len(body) == 8*n:
		col.Floats = make([]float64, n)
		for i := range col.Floats {
			col.Floats[i] = math.Float64frombits(binary.LittleEndian.Uint64(body[8*i:]))
		}
	case c.typ == typeBytes && encoding == encDeltaLength:
		col.Texts, err = deltaLength(body, n)
	case c.typ == typeBytes && encoding == encPlain:
		col.Texts, err = plainTexts(body, n)
	case c.typ == typeFixed && encoding == encPlain && len(body) == n*c.width:
		col.Texts = Texts{Data: body, Width: c.width}
	default:
		err = damaged("encoding %d of type %d, %d bytes for %d values", encoding, c.typ, len(body), n)
	}
	if c.unit > 1 {
		for i := range col.Ints {
			col.Ints[i] *= c.unit
		}
	}
	if c.codec == codecNone && col.Texts.Data != nil { // the block's own bytes: they would keep all of it in memory
		col.Texts.Data = bytes.Clone(col.Texts.Data)
	}
	return err
}

// deltaLength reads lengths as deltas, then all texts.
func deltaLength(body []byte, n int) (Texts, error) {
	lengths := make([]int64, n)
	rest, err := delta(body, lengths)
	if err != nil {
		return Texts{}, err
	}
	offsets := make([]uint32, n+1)
	at := int64(0)
	for i, l := range lengths {
		if at += l; l < 0 || at > int64(len(rest)) {
			return Texts{}, damaged("texts that end early")
		}
		offsets[i+1] = uint32(at)
	}
	return Texts{Data: rest[:at], Offsets: offsets, learned: &learned{}}, nil
}

// plainTexts reads texts with a length of four bytes before each.
func plainTexts(body []byte, n int) (Texts, error) {
	const gap = 4
	if n > len(body)/gap {
		return Texts{}, damaged("%d texts in %d bytes", n, len(body))
	}
	offsets := make([]uint32, n+1)
	at := 0
	for i := range n {
		if len(body)-at < gap || int64(binary.LittleEndian.Uint32(body[at:])) > int64(len(body)-at-gap) {
			return Texts{}, damaged("texts that end early")
		}
		offsets[i] = uint32(at + gap)
		at += gap + int(binary.LittleEndian.Uint32(body[at:]))
	}
	offsets[n] = uint32(at + gap)
	return Texts{Data: body[:at], Offsets: offsets, Gap: gap}, nil
}

func (col *Column) dictionary(c *chunk, data, body []byte, n int) error {
	if c.dictAt == 0 || len(body) == 0 && n > 0 {
		return damaged("codes without a dictionary")
	}
	h, entries, err := c.page(data, c.dictAt)
	if err != nil {
		return err
	}
	switch {
	case h.kind != pageDictionary || h.values < 0 || h.values > int64(col.rows):
		return damaged("a dictionary of kind %d with %d values", h.kind, h.values)
	case c.typ == typeFixed && int64(len(entries)) == h.values*int64(c.width):
		col.Texts = Texts{Data: entries, Width: c.width}
	case c.typ == typeBytes:
		if col.Texts, err = plainTexts(entries, int(h.values)); err != nil {
			return err
		}
	default:
		return damaged("a dictionary of type %d", c.typ)
	}
	if c.codec == codecNone {
		col.Texts.Data = bytes.Clone(col.Texts.Data)
	}
	return col.codes(body, n)
}

func (col *Column) codes(body []byte, n int) error {
	if n == 0 {
		col.Codes.C8 = []uint8{}
		return nil
	}
	h := &hybrid{b: body[1:], width: int(body[0])}
	if h.width > 32 {
		return damaged("codes of %d bits", h.width)
	}
	size := col.Texts.Len()
	switch {
	case size <= 1<<8 && h.width <= 8:
		col.Codes.C8 = make([]uint8, n)
		return codesOf(h, col.Codes.C8, size)
	case size <= 1<<16 && h.width <= 16:
		col.Codes.C16 = make([]uint16, n)
		return codesOf(h, col.Codes.C16, size)
	}
	col.Codes.C32 = make([]uint32, n)
	return codesOf(h, col.Codes.C32, size)
}
