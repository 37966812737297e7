package expr

import "math"

// Rung is a comparison of a column of numbers with a constant, seen as a rung of a ladder: what reaches it reaches all below. Rules that differ in
// the constant share the ladder. A value v reaches the rung when v ≥ At, or, on a ladder that goes Down, when −v ≥ At.
type Rung struct {
	Column *Column
	Down   bool
	At     float64
}

// RungOf takes a comparison apart: column > 5, 5 >= column and the like. ok is false for anything else.
func RungOf(n Node) (r Rung, ok bool) {
	b, ok := n.(*Binary)
	if !ok {
		return Rung{}, false
	}
	op, c, v, ok := againstConstant(b)
	if !ok || v.Type != Number || columns[c.Name] != Number {
		return Rung{}, false
	}
	r = Rung{Column: c, At: v.N}
	switch op {
	case ">", ">=":
	case "<", "<=":
		r.Down, r.At = true, -v.N
	default:
		return Rung{}, false
	}
	if op == ">" || op == "<" { // above it is at least the next number
		r.At = math.Nextafter(r.At, math.Inf(1))
	}
	r.At += 0 // minus zero is zero
	return r, true
}

// Floats gives the measure's values over f and a bit each for those that are not NULL, when it is a plain column of numbers.
func (m *Measure) Floats(f *Frame) (v []float64, valid []uint64, ok bool) {
	if m.col == nil || columns[m.col.Name] != Number {
		return nil, nil, false
	}
	n := f.number(m.col.Name)
	return n.v, n.valid, true
}
