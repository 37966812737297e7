package counts

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/logmill/logmill/shared/logrec"
)

// ErrVersion is a value of a newer build; ErrDamaged one that is none of ours.
var (
	ErrVersion = errors.New("counts of a version that this build does not know")
	ErrDamaged = errors.New("damaged counts")
)

// Each calls f with the rows of a window's value, in their order. The row is f's until it returns. After ErrDamaged, f has seen those before the damage.
func Each(data []byte, f func(*Row)) error {
	r, err := unpack(data)
	if err != nil {
		return err
	}
	var row Row
	var name []byte
	services := r.number(3)
	for range services {
		name = r.text(name)
		row.Service = string(name)
		mask := r.byte()
		for l := logrec.LevelAbsent; l <= logrec.LevelFatal; l++ {
			if mask&(1<<l) == 0 {
				continue
			}
			row.Level = l
			if r.row(&row); r.bad {
				return ErrDamaged
			}
			f(&row)
		}
	}
	return r.end()
}

// EachText calls f with the texts of a value, in their order.
func EachText(data []byte, f func(*Text)) error {
	r, err := unpack(data)
	if err != nil {
		return err
	}
	var t Text
	var name, message []byte
	services := r.number(3)
	for range services {
		name = r.text(name)
		t.Service = string(name)
		texts := r.number(3)
		for range texts {
			message = r.text(message)
			t.Message, t.Lines = string(message), r.uvarint()
			if r.bad {
				return ErrDamaged
			}
			f(&t)
		}
	}
	return r.end()
}

// ReadBins takes the bins of a value of EncodeBins.
func (t *Times) ReadBins(data []byte) error {
	t.Zero, t.Bins = 0, nil
	if len(data) == 0 {
		return nil
	}
	r, err := unpack(data)
	if err != nil {
		return err
	}
	r.bins(t)
	return r.end()
}

func unpack(data []byte) (*reader, error) {
	if len(data) < 2 {
		return nil, ErrDamaged
	}
	if data[0] != version || data[1] > codecZstd {
		return nil, fmt.Errorf("%w: %d.%d", ErrVersion, data[0], data[1])
	}
	body := data[2:]
	if data[1] == codecZstd {
		var err error
		if body, err = unpacker.DecodeAll(body, nil); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	return &reader{rest: body}, nil
}

// reader reads a body. After a mistake everything is 0 and bad is set.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) fail() {
	r.rest, r.bad = nil, true
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// number reads how many things follow, of which each takes least bytes or more.
func (r *reader) number(least int) int {
	v := r.uvarint()
	if v > uint64(len(r.rest)/least) {
		r.fail()
		return 0
	}
	return int(v)
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *reader) float() float64 {
	if len(r.rest) < 8 {
		r.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.rest))
	r.rest = r.rest[8:]
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.fail()
		return 0
	}
	return v
}

// text makes the text before the one that follows.
func (r *reader) text(before []byte) []byte {
	shared, rest := r.uvarint(), r.uvarint()
	if shared > uint64(len(before)) || rest > uint64(len(r.rest)) {
		r.fail()
		return before[:0]
	}
	before = append(before[:shared], r.rest[:rest]...)
	r.rest = r.rest[rest:]
	return before
}

func (r *reader) row(row *Row) {
	row.Lines, row.Bytes, row.Unevaluated = r.uvarint(), r.uvarint(), r.uvarint()
	mask := r.byte()
	for i := range row.Status {
		row.Status[i] = 0
		if mask&(1<<i) != 0 {
			row.Status[i] = r.uvarint()
		}
	}
	bins := row.Times.Bins[:0]
	row.Times = Times{Bins: bins}
	switch mask &^ (1<<5 - 1) {
	case 0:
	case maskTimes:
		r.times(&row.Times)
	case maskTimes | maskSingle:
		row.Times.one(r.float())
	default:
		r.fail()
	}
}

// one is single without memory of its own.
func (t *Times) one(ms float64) {
	t.Count, t.SumMS, t.MaxMS = 1, ms, ms
	if ms > 0 {
		t.Bins = append(t.Bins, Bin{indexOf(ms), 1})
	} else {
		t.Zero = 1
	}
}

func (r *reader) times(t *Times) {
	t.Count, t.SumMS, t.MaxMS = r.uvarint(), r.float(), r.float()
	r.bins(t)
}

func (r *reader) bins(t *Times) {
	t.Zero = r.uvarint()
	n := r.number(2)
	index := int64(0)
	for i := range n {
		if i == 0 {
			v, size := binary.Varint(r.rest)
			if size <= 0 {
				r.fail()
				return
			}
			index, r.rest = v, r.rest[size:]
		} else {
			index += int64(min(r.uvarint(), math.MaxUint32))
		}
		count := r.uvarint()
		if index < math.MinInt32 || index > math.MaxInt32 || count > math.MaxUint32 {
			r.fail()
			return
		}
		t.Bins = append(t.Bins, Bin{int32(index), uint32(count)})
	}
}

// end tells whether all was read, and nothing is left.
func (r *reader) end() error {
	if r.bad || len(r.rest) > 0 {
		return ErrDamaged
	}
	return nil
}
