package engine

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"maps"
	"math"
	"slices"

	"github.com/axiomhq/hyperloglog"

	"github.com/logmill/logmill/shared/rule/expr"
)

// ErrDamaged is a snapshot or a set of partials that cannot be read.
var ErrDamaged = errors.New("the engine's state is damaged")

// writer appends the primitives of the state's format: varints (zigzag where negative), texts and lists behind their length, floats as 8 bytes.
type writer struct{ b []byte }

func (w *writer) int(v int64)     { w.b = binary.AppendVarint(w.b, v) }
func (w *writer) len(n int)       { w.b = binary.AppendUvarint(w.b, uint64(n)) }
func (w *writer) float(v float64) { w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v)) }
func (w *writer) text(s string)   { w.len(len(s)); w.b = append(w.b, s...) }
func (w *writer) bool(v bool) {
	if v {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *writer) texts(ss []string) {
	w.len(len(ss))
	for _, s := range ss {
		w.text(s)
	}
}

func (w *writer) fixed(f fixed) {
	w.int(f.hi)
	w.b = binary.LittleEndian.AppendUint64(w.b, f.lo)
}

func (w *writer) value(v expr.Value) {
	w.bool(!v.Null())
	if !v.Null() {
		w.float(v.N)
	}
}

func (w *writer) cell(k kind, c *cell) {
	w.int(c.N)
	switch k {
	case kindSum:
		w.fixed(c.Sum)
	case kindMin, kindMax:
		w.float(c.F)
	case kindDistinct:
		w.distinct(c.Set)
	case kindSketch:
		var b []byte
		if c.Sketch != nil {
			c.Sketch.Encode(&b, false)
		}
		w.text(string(b))
	case kindEvidence:
		w.len(len(c.Evidence))
		for _, r := range c.Evidence {
			w.record(r)
		}
	case kindLadder:
		w.ladder(c.Ladder)
	}
}

func (w *writer) record(r RecordID) {
	w.int(r.EvalTime)
	w.int(int64(r.Partition))
	w.int(r.Offset)
	w.int(int64(r.Row))
}

func (w *writer) ladder(l *ladder) {
	if l == nil {
		l = &ladder{}
	}
	w.len(len(l.rungs))
	for i, rung := range l.rungs {
		w.float(rung)
		w.int(l.n[i])
	}
	w.len(len(l.marks))
	for _, m := range l.marks {
		w.record(m.RecordID)
		w.float(m.rung)
	}
}

func (w *writer) distinct(d *distinct) {
	if d != nil && d.estimate != nil {
		b, err := d.estimate.MarshalBinary()
		if err != nil {
			panic(err) // a sketch in memory can be written
		}
		w.bool(true)
		w.text(string(b))
		return
	}
	w.bool(false)
	if d == nil {
		w.len(0)
		return
	}
	w.len(len(d.exact))
	for _, h := range slices.Sorted(maps.Keys(d.exact)) {
		w.b = binary.LittleEndian.AppendUint64(w.b, h)
	}
}

// reader reads what writer wrote. After damage every read gives zero and err is set.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() {
	r.err = ErrDamaged
	r.b = nil
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// len is a length of things of at least one byte each.
func (r *reader) len() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return make([]byte, min(n, 8))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint64() uint64 { return binary.LittleEndian.Uint64(r.take(8)) }
func (r *reader) float() float64 { return math.Float64frombits(r.uint64()) }
func (r *reader) text() string   { n := r.len(); return string(r.take(min(n, len(r.b)))) }
func (r *reader) bool() bool     { return r.take(1)[0] != 0 }

func (r *reader) texts() []string {
	out := make([]string, r.len())
	for i := range out {
		out[i] = r.text()
	}
	return out
}

func (r *reader) fingerprint() (out [16]byte) {
	if b, err := hex.DecodeString(r.text()); err != nil || copy(out[:], b) != len(out) || len(b) != len(out) {
		r.fail()
	}
	return out
}

func (r *reader) labels() map[string]string {
	out := map[string]string{}
	for range r.len() {
		k := r.text()
		out[k] = r.text()
	}
	return out
}

func (r *reader) fixed() fixed { hi := r.int(); return fixed{hi, r.uint64()} }

func (r *reader) value() expr.Value {
	if !r.bool() {
		return expr.Value{}
	}
	return expr.NumberOf(r.float())
}

func (r *reader) cell(k kind) (c cell) {
	c.N = r.int()
	switch k {
	case kindCount:
	case kindSum:
		c.Sum = r.fixed()
	case kindMin, kindMax:
		c.F = r.float()
	case kindDistinct:
		c.Set = r.distinct()
	case kindSketch:
		if b := r.text(); b != "" {
			c.Sketch = newSketch()
			if c.Sketch.DecodeAndMergeWith([]byte(b)) != nil {
				r.fail()
			}
		}
	case kindEvidence:
		n := r.len()
		for range n {
			c.Evidence = append(c.Evidence, r.record())
		}
	case kindLadder:
		c.Ladder = r.ladder()
	default:
		r.fail()
	}
	return c
}

func (r *reader) record() RecordID {
	return RecordID{EvalTime: r.int(), Partition: int32(r.int()), Offset: r.int(), Row: int32(r.int())}
}

func (r *reader) ladder() *ladder {
	l := &ladder{}
	for range r.len() {
		rung, n := r.float(), r.int()
		if k := len(l.rungs); k > 0 && l.rungs[k-1] >= rung || rung != rung {
			r.fail()
			return l
		}
		l.rungs, l.n = append(l.rungs, rung), append(l.n, n)
	}
	for range r.len() {
		l.marks = append(l.marks, mark{r.record(), r.float()})
	}
	return l
}

func (r *reader) distinct() *distinct {
	if r.bool() {
		d := &distinct{estimate: hyperloglog.New14()}
		if d.estimate.UnmarshalBinary([]byte(r.text())) != nil {
			r.fail()
		}
		return d
	}
	d := newDistinct()
	for range r.len() {
		d.exact[r.uint64()] = struct{}{}
	}
	return d
}

// partialsVersion is the first byte of encoded partials.
const partialsVersion = 1

// EncodePartials writes partials, to be kept or sent.
func EncodePartials(ps []Partial) []byte {
	w := &writer{b: []byte{partialsVersion}}
	w.len(len(ps))
	for i := range ps {
		p := &ps[i]
		w.int(p.Tick)
		w.text(p.Series)
		w.texts(p.Labels)
		w.int(int64(p.kind))
		w.cell(p.kind, &p.cell)
	}
	return w.b
}

// DecodePartials reads them back; ErrDamaged.
func DecodePartials(b []byte) ([]Partial, error) {
	r := &reader{b: b}
	if len(b) == 0 || r.take(1)[0] != partialsVersion {
		return nil, ErrDamaged
	}
	out := make([]Partial, r.len())
	for i := range out {
		p := &out[i]
		p.Tick, p.Series, p.Labels = r.int(), r.text(), r.texts()
		p.kind = kind(r.int())
		p.cell = r.cell(p.kind)
		if r.err != nil {
			return nil, r.err
		}
	}
	return out, r.err
}
