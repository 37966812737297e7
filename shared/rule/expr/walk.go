package expr

// Walk calls f for n and all below it, parents first; f returning false leaves out what is below.
func Walk(n Node, f func(Node) bool) {
	if n == nil || !f(n) {
		return
	}
	for _, c := range children(n) {
		Walk(c, f)
	}
}

func children(n Node) []Node {
	switch n := n.(type) {
	case *Unary:
		return []Node{n.X}
	case *Binary:
		return []Node{n.L, n.R}
	case *IsNull:
		return []Node{n.X}
	case *In:
		return append([]Node{n.X}, n.List...)
	case *Between:
		return []Node{n.X, n.Lo, n.Hi}
	case *Case:
		return caseChildren(n)
	case *Call:
		return n.Args
	case *Aggregate:
		return present(n.X, n.Where)
	}
	return nil
}

func caseChildren(n *Case) []Node {
	out := present(n.X)
	for _, w := range n.Whens {
		out = append(out, w.Cond, w.Then)
	}
	return append(out, present(n.Else)...)
}

func present(ns ...Node) (out []Node) {
	for _, n := range ns {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}

// Aggregates are the aggregates of a condition, in the order of the text.
func Aggregates(n Node) (out []*Aggregate) {
	Walk(n, func(n Node) bool {
		a, ok := n.(*Aggregate)
		if ok {
			out = append(out, a)
		}
		return !ok
	})
	return out
}

// And joins predicates; nil stands for true.
func And(ns ...Node) Node {
	var out Node
	for _, n := range ns {
		switch {
		case n == nil:
		case out == nil:
			out = n
		default:
			out = &Binary{Op: "and", L: out, R: n}
		}
	}
	return out
}

// Conjuncts are the parts of a chain of ANDs.
func Conjuncts(n Node) []Node {
	if b, ok := n.(*Binary); ok && b.Op == "and" {
		return append(Conjuncts(b.L), Conjuncts(b.R)...)
	}
	if n == nil {
		return nil
	}
	return []Node{n}
}

// EqualsText tells whether n is "column = 'text'", either way round, and which text.
func EqualsText(n Node, column string) (string, bool) {
	b, ok := n.(*Binary)
	if !ok || b.Op != "=" {
		return "", false
	}
	for _, pair := range [][2]Node{{b.L, b.R}, {b.R, b.L}} {
		c, isColumn := pair[0].(*Column)
		l, isLiteral := pair[1].(*Literal)
		if !isColumn || !isLiteral || c.Name != column {
			continue
		}
		s, ok := l.Value.(string)
		return s, ok
	}
	return "", false
}
