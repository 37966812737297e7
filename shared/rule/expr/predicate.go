package expr

import "github.com/logmill/logmill/shared/block"

// Mask is the result of a predicate over the records of a Frame, a bit each: where it is true, and where it is false; NULL elsewhere.
type Mask struct{ True, False []uint64 }

// Predicate is an interned expression used as a truth value; one per text and Set.
type Predicate struct {
	id   int
	eval func(*Frame) *Mask
}

// Over gives the predicate's mask, which is shared: do not change it.
func (p *Predicate) Over(f *Frame) *Mask {
	for len(f.masks) <= p.id {
		f.masks = append(f.masks, make([]*Mask, p.id+1-len(f.masks))...)
	}
	if f.masks[p.id] == nil {
		f.masks[p.id] = p.eval(f)
	}
	return f.masks[p.id]
}

// Measure is an interned expression used as a value, with a place for each record.
type Measure struct {
	col  *Column // a plain column
	eval Func    // else
}

// Numbers gives the measure's numbers over f.
func (m *Measure) Numbers(f *Frame) func(row int) (v float64, ok bool) {
	if m.col != nil && columns[m.col.Name] == Number {
		n := f.number(m.col.Name)
		return func(row int) (float64, bool) { return n.v[row], n.valid[row>>6]>>(row&63)&1 == 1 }
	}
	values := m.Values(f)
	return func(row int) (float64, bool) {
		v := values(row).number()
		return v.N, !v.Null()
	}
}

// Values gives the measure's values over f.
func (m *Measure) Values(f *Frame) func(row int) Value {
	r := &record{f: f}
	return func(row int) Value {
		r.row = row
		return m.eval(r)
	}
}

// Set interns predicates: sub-expressions that several rules share are evaluated once a Frame. Not safe for concurrent use.
type Set struct {
	byText  map[string]*Predicate
	finders map[string]*finder // by column
}

// NewSet makes an empty set.
func NewSet() *Set { return &Set{byText: map[string]*Predicate{}, finders: map[string]*finder{}} }

// Len is the number of distinct predicates, parts included.
func (s *Set) Len() int { return len(s.byText) }

// Predicate interns a checked filter; nil, for true, gives nil.
func (s *Set) Predicate(n Node) *Predicate {
	if n == nil {
		return nil
	}
	text := Print(n)
	if p, ok := s.byText[text]; ok {
		return p
	}
	eval := s.compile(n)
	p := &Predicate{id: len(s.byText), eval: eval}
	s.byText[text] = p
	return p
}

// NewMeasure compiles a checked value expression.
func NewMeasure(n Node) *Measure {
	m := &Measure{eval: Compile(n)}
	m.col, _ = n.(*Column)
	return m
}

// compile picks the fast way for the common forms and goes record by record for the rest.
func (s *Set) compile(n Node) func(*Frame) *Mask {
	switch n := n.(type) {
	case *Unary:
		if n.Op == "not" {
			x := s.Predicate(n.X)
			return func(f *Frame) *Mask { m := x.Over(f); return &Mask{True: m.False, False: m.True} }
		}
	case *Binary:
		if eval := s.binary(n); eval != nil {
			return eval
		}
	case *Between:
		in := &Binary{Op: "and", L: &Binary{Op: ">=", L: n.X, R: n.Lo}, R: &Binary{Op: "<=", L: n.X, R: n.Hi}}
		if n.Not {
			return s.compile(&Unary{Op: "not", X: in})
		}
		return s.compile(in)
	case *In:
		if eval := inTexts(n); eval != nil {
			return eval
		}
	case *IsNull:
		if c, ok := n.X.(*Column); ok {
			return isNull(c, n.Not)
		}
	}
	return rowByRow(Compile(n))
}

func (s *Set) binary(n *Binary) func(*Frame) *Mask {
	switch n.Op {
	case "and", "or":
		l, r := s.Predicate(n.L), s.Predicate(n.R)
		if n.Op == "and" {
			return func(f *Frame) *Mask {
				a, b := l.Over(f), r.Over(f)
				return &Mask{True: intersect(a.True, b.True), False: union(a.False, b.False)}
			}
		}
		return func(f *Frame) *Mask {
			a, b := l.Over(f), r.Over(f)
			return &Mask{True: union(a.True, b.True), False: intersect(a.False, b.False)}
		}
	case "like", "regexp":
		if c, text, ok := contains(n); ok {
			return s.find(c, text)
		}
		if c, ok := n.L.(*Column); ok {
			return textTest(c, Matcher(n))
		}
		return nil
	}
	return comparison(n)
}

func intersect(a, b []uint64) []uint64 {
	out := make([]uint64, len(a))
	for i := range a {
		out[i] = a[i] & b[i]
	}
	return out
}

func union(a, b []uint64) []uint64 {
	out := make([]uint64, len(a))
	for i := range a {
		out[i] = a[i] | b[i]
	}
	return out
}

var mirrored = map[string]string{"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// againstConstant reads column op constant, either way round, as if the column stood on the left.
func againstConstant(n *Binary) (op string, c *Column, v Value, ok bool) {
	op, isCompare := mirrored[n.Op]
	c, ok = n.R.(*Column)
	l, isLiteral := n.L.(*Literal)
	if !ok || !isLiteral {
		op = n.Op
		c, ok = n.L.(*Column)
		l, isLiteral = n.R.(*Literal)
	}
	if !isCompare || !ok || !isLiteral {
		return "", nil, Value{}, false
	}
	return op, c, literalValue(l), true
}

// comparison is the fast way for column op constant; nil when n is something else.
func comparison(n *Binary) func(*Frame) *Mask {
	op, c, v, ok := againstConstant(n)
	if !ok {
		return nil
	}
	switch {
	case v.Type == Number && columns[c.Name] == Number:
		return func(f *Frame) *Mask {
			col := f.number(c.Name)
			return known(compareNumbers(op, col.v, v.N, f.words), col.valid)
		}
	case v.Type == Text && columns[c.Name] != Number:
		return textTest(c, func(s string) bool {
			return holds(op, compareText(s, v.S))
		})
	}
	return nil
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// known makes a mask of a test's hits and of the records that have a value.
func known(hits, valid []uint64) *Mask {
	m := &Mask{True: hits, False: make([]uint64, len(hits))}
	for i := range hits {
		hits[i] &= valid[i]
		m.False[i] = valid[i] &^ hits[i]
	}
	return m
}

// compareNumbers sets a bit where v op c.
func compareNumbers(op string, v []float64, c float64, words int) []uint64 {
	out := make([]uint64, words)
	switch op {
	case "=":
		each(v, out, func(x float64) bool { return x == c })
	case "<>":
		each(v, out, func(x float64) bool { return x != c })
	case "<":
		each(v, out, func(x float64) bool { return x < c })
	case "<=":
		each(v, out, func(x float64) bool { return x <= c })
	case ">":
		above(v, out, c)
	case ">=":
		atLeast(v, out, c)
	}
	return out
}

func each(v []float64, out []uint64, test func(float64) bool) {
	for i, x := range v {
		if test(x) {
			out[i>>6] |= 1 << (i & 63)
		}
	}
}

// above and atLeast are each without the call: most rules compare so.
func above(v []float64, out []uint64, c float64) {
	for w := range out {
		part := v[w*64 : min(w*64+64, len(v))]
		var word uint64
		for i, x := range part {
			var bit uint64
			if x > c {
				bit = 1
			}
			word |= bit << i
		}
		out[w] = word
	}
}

func atLeast(v []float64, out []uint64, c float64) {
	for w := range out {
		part := v[w*64 : min(w*64+64, len(v))]
		var word uint64
		for i, x := range part {
			var bit uint64
			if x >= c {
				bit = 1
			}
			word |= bit << i
		}
		out[w] = word
	}
}

// textTest tests each entry of a column's dictionary once.
func textTest(c *Column, test func(string) bool) func(*Frame) *Mask {
	return func(f *Frame) *Mask {
		col := f.Text(c)
		m := &Mask{True: make([]uint64, f.words), False: make([]uint64, f.words)}
		if len(col.Dict) == f.rows { // an entry a record: no table
			for i, code := range col.Codes {
				if code >= 0 {
					m.set(i, test(col.Dict[code]))
				}
			}
			return m
		}
		table := make([]bool, len(col.Dict))
		for i, s := range col.Dict {
			table[i] = test(s)
		}
		spreadTable(m, col, table)
		return m
	}
}

func spreadTable(m *Mask, col *block.StringColumn, table []bool) {
	for i, code := range col.Codes {
		if code >= 0 {
			m.set(i, table[code])
		}
	}
}

func (m *Mask) set(row int, yes bool) {
	if yes {
		m.True[row>>6] |= 1 << (row & 63)
	} else {
		m.False[row>>6] |= 1 << (row & 63)
	}
}

// inTexts is the fast way for column IN ('a', 'b', …).
func inTexts(n *In) func(*Frame) *Mask {
	c, ok := n.X.(*Column)
	if !ok || columns[c.Name] == Number {
		return nil
	}
	words := map[string]bool{}
	for _, item := range n.List {
		l, ok := item.(*Literal)
		s, isText := "", false
		if ok {
			s, isText = l.Value.(string)
		}
		if !isText {
			return nil
		}
		words[s] = true
	}
	return textTest(c, func(s string) bool { return words[s] != n.Not })
}

func isNull(c *Column, negated bool) func(*Frame) *Mask {
	return func(f *Frame) *Mask {
		var valid []uint64
		if columns[c.Name] == Number {
			valid = f.number(c.Name).valid
		} else {
			valid = make([]uint64, f.words)
			for i, code := range f.Text(c).Codes {
				if code >= 0 {
					valid[i>>6] |= 1 << (i & 63)
				}
			}
		}
		all := make([]uint64, f.words)
		setBits(all, nil, f.rows)
		null := make([]uint64, f.words)
		for i := range all {
			null[i] = all[i] &^ valid[i]
		}
		if negated {
			return &Mask{True: valid, False: null}
		}
		return &Mask{True: null, False: valid}
	}
}

func rowByRow(eval Func) func(*Frame) *Mask {
	return func(f *Frame) *Mask {
		m := &Mask{True: make([]uint64, f.words), False: make([]uint64, f.words)}
		r := &record{f: f}
		for r.row = 0; r.row < f.rows; r.row++ {
			if v := eval(r).number(); !v.Null() {
				m.set(r.row, v.N != 0)
			}
		}
		return m
	}
}
