package expr

// Node is an expression. The concrete types below are all there are. Pos is the byte offset in the text it was parsed from
// and is not part of a node's identity: two trees are the same when they print the same.
type Node interface{ Position() int }

type pos int

func (p pos) Position() int { return int(p) }

// Literal is a constant: float64, string, bool, or nil for NULL.
type Literal struct {
	pos
	Value any
	Text  string // a number as it was written, so that 0.10 stays 0.10
}

// Column is a column of the record, by its canonical name; Attribute is set for attributes['k'] (Name is then "attributes").
type Column struct {
	pos
	Name      string
	Attribute string
}

// Unary is NOT x or -x.
type Unary struct {
	pos
	Op string
	X  Node
}

// Binary is arithmetic (+ - * / % div), a comparison (= <> < <= > >=), LIKE, REGEXP, AND or OR. Op is lower case.
type Binary struct {
	pos
	Op   string
	L, R Node
}

// IsNull is x IS [NOT] NULL.
type IsNull struct {
	pos
	X   Node
	Not bool
}

// In is x [NOT] IN (a, b, …).
type In struct {
	pos
	X    Node
	List []Node
	Not  bool
}

// Between is x [NOT] BETWEEN lo AND hi.
type Between struct {
	pos
	X, Lo, Hi Node
	Not       bool
}

// Case is CASE [x] WHEN … THEN … [ELSE …] END.
type Case struct {
	pos
	X     Node // nil for the searched form
	Whens []When
	Else  Node // nil for ELSE NULL
}

// When is one arm of a Case.
type When struct{ Cond, Then Node }

// Call is a scalar function, by its lower-case name.
type Call struct {
	pos
	Name string
	Args []Node
}

// Aggregate is COUNT(*), COUNT(x), COUNT(DISTINCT x), SUM, AVG, MIN, MAX or a percentile, with an optional FILTER (WHERE …).
type Aggregate struct {
	pos
	Name     string // count sum avg min max percentile
	X        Node   // nil for COUNT(*)
	Distinct bool
	Quantile float64 // of percentile, 0…1
	Where    Node    // nil without FILTER
}
