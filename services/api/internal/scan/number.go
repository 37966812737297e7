package scan

import (
	"math"
	"sort"
	"strconv"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

// number is a predicate on response_status, response_time_ms or pattern_id.
func (c *compiler) number(t *query.Term) (node, error) {
	r, isRange := t.Pred.(query.Range)
	if eq, ok := t.Pred.(query.Is); ok {
		r, isRange = query.Range{Lo: query.Bound{Text: eq.Text}, Hi: query.Bound{Text: eq.Text}}, true
	}
	if !isRange {
		m, err := textMatcher(t)
		return &digitsLeaf{t.Field.Name, m}, err
	}
	lo, hi := floats(r)
	if t.Field.Name == "response_time_ms" {
		return &floatLeaf{t.Field.Name, lo, hi}, nil
	}
	l := &intLeaf{column: t.Field.Name, lo: lowest(lo), hi: highest(hi)}
	// Integers written as such are exact, beyond what a floating-point number holds.
	if n, err := strconv.ParseInt(r.Lo.Text, 10, 64); err == nil && !r.Lo.Open && !(r.Lo.Exclusive && n == math.MaxInt64) {
		l.lo = n + one(r.Lo.Exclusive)
	}
	if n, err := strconv.ParseInt(r.Hi.Text, 10, 64); err == nil && !r.Hi.Open && !(r.Hi.Exclusive && n == math.MinInt64) {
		l.hi = n - one(r.Hi.Exclusive)
	}
	return l, nil
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// lowest is the least integer that is not below f; highest the greatest not above.
func lowest(f float64) int64 {
	switch f = math.Ceil(f); {
	case f >= 1<<63:
		return math.MaxInt64
	case f < -(1 << 63):
		return math.MinInt64
	}
	return int64(f)
}

func highest(f float64) int64 {
	switch f = math.Floor(f); {
	case f >= 1<<63:
		return math.MaxInt64
	case f < -(1 << 63):
		return math.MinInt64
	}
	return int64(f)
}

// dense makes rows of a set of a column's values, and keeps those of cand.
func (x *exec) dense(c *vector.Column, values, cand Bitmap) Bitmap {
	out := x.bitmap()
	c.Spread(values, out)
	out.And(cand)
	return out
}

// intLeaf is a range of integers, both ends inclusive.
type intLeaf struct {
	column string
	lo, hi int64
}

func (l *intLeaf) prune(*Block) (bool, bool) { return l.lo <= l.hi, false }
func (l *intLeaf) cost() int                 { return costNumber }

func (l *intLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	c, err := x.view.Column(l.column)
	if err != nil || c == nil {
		return x.bitmap(), err
	}
	values := NewBitmap(len(c.Ints))
	for i, v := range c.Ints {
		if v >= l.lo && v <= l.hi {
			values[i>>6] |= 1 << (i & 63)
		}
	}
	return x.dense(c, values, cand), nil
}

// floatLeaf is a range of floating-point numbers, both ends inclusive.
type floatLeaf struct {
	column string
	lo, hi float64
}

func (l *floatLeaf) prune(*Block) (bool, bool) { return l.lo <= l.hi, false }
func (l *floatLeaf) cost() int                 { return costNumber }

func (l *floatLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	c, err := x.view.Column(l.column)
	if err != nil || c == nil {
		return x.bitmap(), err
	}
	values := NewBitmap(len(c.Floats))
	for i, v := range c.Floats {
		if v >= l.lo && v <= l.hi {
			values[i>>6] |= 1 << (i & 63)
		}
	}
	return x.dense(c, values, cand), nil
}

// digitsLeaf asks a number's decimal text.
type digitsLeaf struct {
	column string
	m      matcher
}

func (l *digitsLeaf) prune(*Block) (bool, bool) { return true, false }
func (l *digitsLeaf) cost() int                 { return costText }

func (l *digitsLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	c, err := x.view.Column(l.column)
	if err != nil || c == nil {
		return x.bitmap(), err
	}
	out := x.bitmap()
	var text []byte
	cand.Each(func(row int) {
		i := c.Index(row)
		if i < 0 {
			return
		}
		if text = appendNumber(text[:0], c, i); l.m.match(text) {
			out.Set(row)
		}
	})
	return out, nil
}

func appendNumber(dst []byte, c *vector.Column, i int) []byte {
	if c.Floats != nil {
		return strconv.AppendFloat(dst, c.Floats[i], 'f', -1, 64)
	}
	return strconv.AppendInt(dst, c.Ints[i], 10)
}

// timeLeaf is a range of timestamps, by which rows are ordered; both ends inclusive.
type timeLeaf struct{ lo, hi int64 }

func (l *timeLeaf) prune(b *Block) (some, all bool) {
	return b.MaxTime >= l.lo && b.MinTime <= l.hi && l.lo <= l.hi, b.MinTime >= l.lo && b.MaxTime <= l.hi
}
func (l *timeLeaf) cost() int { return costTime }

func (l *timeLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	c, err := x.view.Column("timestamp")
	if err != nil || c == nil {
		return x.bitmap(), err
	}
	from, to := Between(c.Ints, l.lo, l.hi)
	out := x.clone(cand)
	out.ClearRange(0, from)
	out.ClearRange(to, x.rows)
	return out, nil
}

// Between is the range of rows whose times, in order, lie in [lo, hi].
func Between(times []int64, lo, hi int64) (from, to int) {
	from = sort.Search(len(times), func(i int) bool { return times[i] >= lo })
	to = sort.Search(len(times), func(i int) bool { return times[i] > hi })
	return from, max(from, to)
}

// levelLeaf is a set of levels.
type levelLeaf struct{ mask uint8 }

func (l *levelLeaf) prune(b *Block) (some, all bool) {
	return b.LevelMask&l.mask != 0, b.LevelMask&^l.mask == 0
}
func (l *levelLeaf) cost() int { return costCodes }

func (l *levelLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	c, err := x.view.Column("level")
	if err != nil || c == nil {
		return x.bitmap(), err
	}
	want := make([]uint8, c.Texts.Len())
	for i := range want {
		v, _ := logrec.ParseLevel(c.Texts.String(i))
		want[i] = l.mask >> v & 1
	}
	return x.byCode(c, want, cand), nil
}

// idLeaf is one record.
type idLeaf struct{ id logrec.ID }

func (l *idLeaf) prune(b *Block) (some, all bool) {
	return b.Stream == l.id.Stream && b.Partition == l.id.Partition && b.From <= l.id.Offset && l.id.Offset <= b.To, false
}
func (l *idLeaf) cost() int { return costID }

func (l *idLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	offsets, err := x.view.Column("src_offset")
	if err != nil || offsets == nil {
		return x.bitmap(), err
	}
	rows, err := x.view.Column("src_row")
	if err != nil || rows == nil {
		return x.bitmap(), err
	}
	out := x.bitmap()
	for i, o := range offsets.Ints {
		if o == l.id.Offset && rows.Ints[i] == int64(l.id.Row) {
			out.Set(i)
		}
	}
	out.And(cand)
	return out, nil
}
