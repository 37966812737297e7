package query

// Node is a filter: All, *And, *Or, *Not or *Term. Positions are no part of it: equal filters print the same.
type Node interface{ node() }

// All matches every line.
type All struct{}

// And matches where all of Of do. Of has at least two, none of them an *And.
type And struct{ Of []Node }

// Or matches where any of Of does. Of has at least two, none of them an *Or.
type Or struct{ Of []Node }

// Not matches where X does not: lines without the field too.
type Not struct{ X Node }

// Term is what is asked of one field of a line.
type Term struct {
	Field Field
	Pred  Pred
}

func (All) node()   {}
func (*And) node()  {}
func (*Or) node()   {}
func (*Not) node()  {}
func (*Term) node() {}

// Field is a column of the record, or a free attribute.
type Field struct {
	Name      string
	Attribute bool
}

// Pred is a predicate: Is, Wildcard, Regexp, Range, Exists or Network. A line without the field matches none of them.
type Pred interface{ pred() }

// Is holds when the field has this value. In a message: when the text stands in it, in any case, not beginning or ending inside a word.
type Is struct{ Text string }

// Wildcard holds when the field's value is Parts with anything between them. In a message: as Is, but a word may go on where the
// first or last part is empty. At least two parts, none empty but the first and the last.
type Wildcard struct{ Parts []string }

// Regexp holds when the RE2 expression matches somewhere in the value.
type Regexp struct{ Source string }

// Range holds when the value lies between. Numbers are compared as numbers, times as times, levels by severity, other texts by their bytes.
// An attribute is compared as a number when all bounds are numbers without quotes.
type Range struct{ Lo, Hi Bound }

// Bound is an end of a Range.
type Bound struct {
	Text      string
	Quoted    bool // a text of an attribute although it spells a number
	Open      bool // no bound: Text is empty
	Exclusive bool
}

// Exists holds when the line has the field.
type Exists struct{}

// Network holds when the value is an IP address in the network; for the field ip, when such an address stands in the message or is the
// value of any attribute. CIDR is as netip.Prefix prints it, masked.
type Network struct{ CIDR string }

func (Is) pred()       {}
func (Wildcard) pred() {}
func (Regexp) pred()   {}
func (Range) pred()    {}
func (Exists) pred()   {}
func (Network) pred()  {}

// AllOf joins filters: what AND means.
func AllOf(of ...Node) Node {
	var flat []Node
	for _, n := range of {
		switch n := n.(type) {
		case nil, All:
		case *And:
			flat = append(flat, n.Of...)
		default:
			flat = append(flat, n)
		}
	}
	switch len(flat) {
	case 0:
		return All{}
	case 1:
		return flat[0]
	}
	return &And{flat}
}

// AnyOf joins filters: what OR means. At least one must be given.
func AnyOf(of ...Node) Node {
	var flat []Node
	for _, n := range of {
		if or, ok := n.(*Or); ok {
			flat = append(flat, or.Of...)
		} else {
			flat = append(flat, n)
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	return &Or{flat}
}

// EachTerm calls f with each term of a filter, those under NOT too.
func EachTerm(n Node, f func(*Term)) {
	switch n := n.(type) {
	case *And:
		for _, x := range n.Of {
			EachTerm(x, f)
		}
	case *Or:
		for _, x := range n.Of {
			EachTerm(x, f)
		}
	case *Not:
		EachTerm(n.X, f)
	case *Term:
		f(n)
	}
}
