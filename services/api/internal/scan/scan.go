// Package scan asks a query's filter of blocks: first of what is known without reading them, then of column after column, the cheapest
// first and only for the rows that are left. It knows no SQL, HTTP or cache: a View gives columns.
package scan

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

// Block is what is known of a block without reading it. Not to be changed.
type Block struct {
	ID               uint64
	Stream           uint32
	Partition        int32
	From, To         int64 // offsets on logs.raw, inclusive
	Rows, Bytes      int
	MinTime, MaxTime int64    // ns
	LevelMask        uint8    // bit 1<<level
	Services         []uint32 // places in a table of names, sorted
	Checksum         uint32
	Day              uint32 // where MySQL has its data
	Filter           []byte // of tokens; empty: not in memory, may contain everything
	FilterBytes      int    // its size in MySQL
}

// View gives columns of one block: those of vector.Layout.
type View interface {
	Rows() int
	Names() []string
	Column(name string) (*vector.Column, error) // nil for an absent one
}

// Program is a filter that is ready to run. Safe for concurrent use.
type Program struct {
	root   node
	tokens bool
}

// Why a block was ruled out.
const (
	ByTime    = "time"
	ByLevel   = "level"
	ByService = "service"
	ByFilter  = "filter"
	ByOther   = "other" // several of them together
)

// Compile prepares a filter. Times in it are relative to now; services are the names that Block.Services point into.
func Compile(n query.Node, now time.Time, services []string) (*Program, error) {
	c := &compiler{now: now, services: services}
	root, err := c.node(n)
	if err != nil {
		return nil, err
	}
	return &Program{root: root, tokens: c.tokens}, nil
}

// Tokens tells whether token filters can rule blocks out.
func (p *Program) Tokens() bool { return p.tokens }

// MayMatch tells whether some row of b may match; if not, why.
func (p *Program) MayMatch(b *Block) (ok bool, why string) {
	if some, _ := p.root.prune(b); some {
		return true, ""
	}
	if and, ok := p.root.(*andNode); ok {
		for _, x := range and.of {
			if some, _ := x.prune(b); !some {
				return false, reason(x)
			}
		}
	}
	return false, reason(p.root)
}

// MatchesAll tells whether it is certain that all rows of b match.
func (p *Program) MatchesAll(b *Block) bool {
	_, all := p.root.prune(b)
	return all
}

func reason(n node) string {
	switch n := n.(type) {
	case *timeLeaf:
		return ByTime
	case *levelLeaf:
		return ByLevel
	case *textLeaf:
		if n.services != nil {
			return ByService
		}
		return ByFilter
	}
	return ByOther
}

// Run is the rows of candidates that match. candidates is not changed, and the answer is the caller's.
func (p *Program) Run(v View, b *Block, candidates Bitmap) (Bitmap, error) {
	x := &exec{view: v, block: b, rows: v.Rows()}
	return x.eval(p.root, candidates)
}

// node is a part of a program.
type node interface {
	// prune tells, from metadata, whether some row may match, and whether all do for certain.
	prune(b *Block) (some, all bool)
	// run is the rows of cand that match, as a set of its own.
	run(x *exec, cand Bitmap) (Bitmap, error)
	cost() int
}

// exec is one run.
type exec struct {
	view  View
	block *Block
	rows  int
	free  []Bitmap
}

// bitmap is an empty set of rows.
func (x *exec) bitmap() Bitmap {
	if n := len(x.free); n > 0 {
		b := x.free[n-1]
		x.free = x.free[:n-1]
		clear(b)
		return b
	}
	return NewBitmap(x.rows)
}

func (x *exec) clone(b Bitmap) Bitmap {
	out := x.bitmap()
	copy(out, b)
	return out
}

func (x *exec) release(b Bitmap) { x.free = append(x.free, b) }

func (x *exec) eval(n node, cand Bitmap) (Bitmap, error) {
	switch some, all := n.prune(x.block); {
	case all:
		return x.clone(cand), nil
	case !some || cand.Empty():
		return x.bitmap(), nil
	}
	return n.run(x, cand)
}

type allNode struct{}

func (allNode) prune(*Block) (bool, bool)                { return true, true }
func (allNode) run(x *exec, cand Bitmap) (Bitmap, error) { return x.clone(cand), nil }
func (allNode) cost() int                                { return 0 }

type andNode struct{ of []node } // the cheapest first

func (n *andNode) prune(b *Block) (some, all bool) {
	all = true
	for _, x := range n.of {
		s, a := x.prune(b)
		if !s {
			return false, false
		}
		all = all && a
	}
	return true, all
}

func (n *andNode) run(x *exec, cand Bitmap) (Bitmap, error) {
	left := x.clone(cand)
	for _, sub := range n.of {
		next, err := x.eval(sub, left)
		if err != nil {
			return nil, err
		}
		x.release(left)
		left = next
	}
	return left, nil
}

func (n *andNode) cost() int { return sum(n.of) }

type orNode struct{ of []node } // the cheapest first

func (n *orNode) prune(b *Block) (some, all bool) {
	for _, x := range n.of {
		s, a := x.prune(b)
		some = some || s
		if a {
			return true, true
		}
	}
	return some, false
}

func (n *orNode) run(x *exec, cand Bitmap) (Bitmap, error) {
	out, left := x.bitmap(), x.clone(cand)
	for _, sub := range n.of {
		found, err := x.eval(sub, left)
		if err != nil {
			return nil, err
		}
		out.Or(found)
		left.AndNot(found)
		x.release(found)
	}
	x.release(left)
	return out, nil
}

func (n *orNode) cost() int { return sum(n.of) }

func sum(of []node) (total int) {
	for _, x := range of {
		total += x.cost()
	}
	return total
}

type notNode struct{ x node }

func (n *notNode) prune(b *Block) (some, all bool) {
	s, a := n.x.prune(b)
	return !a, !s
}

func (n *notNode) run(x *exec, cand Bitmap) (Bitmap, error) {
	found, err := x.eval(n.x, cand)
	if err != nil {
		return nil, err
	}
	out := x.clone(cand)
	out.AndNot(found)
	x.release(found)
	return out, nil
}

func (n *notNode) cost() int { return n.x.cost() }

// Costs of leaves: about nanoseconds a row.
const (
	costTime   = 0
	costCodes  = 1
	costNumber = 2
	costID     = 3
	costText   = 10
	costRest   = 5 // more, for attributes: they may be in JSON
	costSearch = 30
	costRegexp = 300
	costIP     = 400
)

// compiler makes nodes of a filter.
type compiler struct {
	now      time.Time
	services []string
	tokens   bool
}

func (c *compiler) node(n query.Node) (node, error) {
	switch n := n.(type) {
	case query.All:
		return allNode{}, nil
	case *query.Not:
		x, err := c.node(n.X)
		return &notNode{x}, err
	case *query.And:
		of, err := c.nodes(n.Of)
		return &andNode{of}, err
	case *query.Or:
		terms, others := c.sets(n.Of)
		of, err := c.nodes(others)
		return &orNode{c.sort(append(terms, of...))}, err
	case *query.Term:
		return c.term(n)
	}
	return nil, fmt.Errorf("a filter of type %T", n)
}

func (c *compiler) nodes(of []query.Node) ([]node, error) {
	out := make([]node, len(of))
	for i, x := range of {
		var err error
		if out[i], err = c.node(x); err != nil {
			return nil, err
		}
	}
	return c.sort(out), nil
}

func (c *compiler) sort(of []node) []node {
	slices.SortStableFunc(of, func(a, b node) int { return a.cost() - b.cost() })
	return of
}

// sets takes out of an OR what is a list of values of one field: it becomes one look-up.
func (c *compiler) sets(of []query.Node) (sets []node, others []query.Node) {
	values := map[query.Field][]string{}
	for _, x := range of {
		t, ok := x.(*query.Term)
		eq, isEq := query.Is{}, false
		if ok {
			eq, isEq = t.Pred.(query.Is)
		}
		if !isEq || t.Field.Kind() != query.KindText {
			others = append(others, x)
			continue
		}
		values[t.Field] = append(values[t.Field], eq.Text)
	}
	for f, set := range values {
		sets = append(sets, c.texts(f, newSet(set), set...))
	}
	slices.SortFunc(sets, func(a, b node) int { return strings.Compare(a.(*textLeaf).column, b.(*textLeaf).column) })
	return sets, others
}

func (c *compiler) term(t *query.Term) (node, error) {
	if _, ok := t.Pred.(query.Exists); ok {
		return existsLeaf(t.Field), nil
	}
	switch t.Field.Kind() {
	case query.KindMessage:
		return c.message(t.Pred)
	case query.KindLevel:
		return c.level(t.Pred)
	case query.KindNumber:
		return c.number(t)
	case query.KindTime:
		return c.time(t)
	case query.KindID:
		return c.id(t.Pred)
	case query.KindAddress:
		return c.address(t.Pred)
	}
	if eq, ok := t.Pred.(query.Is); ok {
		return c.texts(t.Field, newSet([]string{eq.Text}), eq.Text), nil
	}
	m, err := textMatcher(t)
	if err != nil {
		return nil, err
	}
	return c.texts(t.Field, m), nil
}

func unfit(t query.Pred) error { return fmt.Errorf("a field cannot be asked for %T", t) }

// message searches words, or an expression.
func (c *compiler) message(pred query.Pred) (node, error) {
	l := &textLeaf{column: "message", price: costSearch}
	switch pred := pred.(type) {
	case query.Is, query.Wildcard:
		p := newPhrase(pred)
		l.m, l.all = p, p.words()
	case query.Regexp:
		e, err := newExpression(pred.Source)
		if err != nil {
			return nil, err
		}
		l.m, l.all = e, e.whole
		if e.required == nil {
			l.price = costRegexp
		}
	default:
		return nil, unfit(pred)
	}
	c.tokens = c.tokens || len(l.all) > 0
	return l, nil
}

// textMatcher is a predicate on a text that is no message.
func textMatcher(t *query.Term) (matcher, error) {
	switch pred := t.Pred.(type) {
	case query.Is:
		return newSet([]string{pred.Text}), nil
	case query.Wildcard:
		return wildcard{pred.Parts}, nil
	case query.Regexp:
		return newExpression(pred.Source)
	case query.Network:
		return newNetwork(pred.CIDR)
	case query.Range:
		if t.Field.Attribute && isNumeric(pred) {
			lo, hi := floats(pred)
			return numberText{lo, hi}, nil
		}
		return span{pred.Lo, pred.Hi}, nil
	}
	return nil, unfit(t.Pred)
}

func isNumeric(r query.Range) bool {
	for _, b := range []query.Bound{r.Lo, r.Hi} {
		if _, ok := query.ParseNumber(b.Text); !b.Open && (b.Quoted || !ok) {
			return false
		}
	}
	return true
}

// floats are the bounds of a range of numbers, both inclusive.
func floats(r query.Range) (lo, hi float64) {
	lo, hi = math.Inf(-1), math.Inf(1)
	if !r.Lo.Open {
		if lo, _ = query.ParseNumber(r.Lo.Text); r.Lo.Exclusive {
			lo = math.Nextafter(lo, math.Inf(1))
		}
	}
	if !r.Hi.Open {
		if hi, _ = query.ParseNumber(r.Hi.Text); r.Hi.Exclusive {
			hi = math.Nextafter(hi, math.Inf(-1))
		}
	}
	return lo, hi
}

// numberText is a text that spells a number in a range.
type numberText struct{ lo, hi float64 }

func (n numberText) match(s []byte) bool {
	v, ok := query.ParseNumber(unsafeString(s))
	return ok && v >= n.lo && v <= n.hi
}

// texts is a leaf on a text column, or an attribute. values, when given, are all that match.
func (c *compiler) texts(f query.Field, m matcher, values ...string) node {
	l := &textLeaf{column: f.Name, m: m, price: costCodes}
	switch {
	case f.Attribute:
		l.column, l.attribute, l.price = block.AttributePrefix+f.Name, f.Name, costText+costRest
	case f.Name == "service":
		l.services = make([]bool, len(c.services))
		for i, s := range c.services {
			l.services[i] = m.match(unsafeBytes(s))
		}
	case f.Name == "trace_id" || f.Name == "span_id" || f.Name == "user_id" || f.Name == "request_path":
		l.price = costText
	}
	if _, ok := m.(*expression); ok {
		l.price += costSearch
	}
	if (f.Attribute || f.Name == "trace_id" || f.Name == "user_id") && !slices.Contains(values, "") { // an empty value has no token
		for _, v := range values {
			l.any = append(l.any, f.Name+"="+v)
			c.tokens = true
		}
	}
	return l
}

// level is a set of levels, whatever the predicate.
func (c *compiler) level(pred query.Pred) (node, error) {
	l := &levelLeaf{}
	match, err := levelMatcher(pred)
	if err != nil {
		return nil, err
	}
	for _, v := range logrec.Levels {
		if match(v) {
			l.mask |= 1 << v
		}
	}
	return l, nil
}

func levelMatcher(pred query.Pred) (func(logrec.Level) bool, error) {
	if r, ok := pred.(query.Range); ok {
		lo, hi := logrec.LevelTrace, logrec.LevelFatal
		if !r.Lo.Open {
			if lo, _ = logrec.ParseLevel(r.Lo.Text); r.Lo.Exclusive {
				lo++
			}
		}
		if !r.Hi.Open {
			if hi, _ = logrec.ParseLevel(r.Hi.Text); r.Hi.Exclusive {
				hi--
			}
		}
		return func(l logrec.Level) bool { return l >= lo && l <= hi }, nil
	}
	m, err := textMatcher(&query.Term{Field: query.Field{Name: "level"}, Pred: pred})
	if err != nil {
		return nil, err
	}
	return func(l logrec.Level) bool { return m.match([]byte(l.String())) }, nil
}

func (c *compiler) time(t *query.Term) (node, error) {
	r, ok := t.Pred.(query.Range)
	if !ok {
		return nil, unfit(t.Pred)
	}
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	var err error
	if !r.Lo.Open {
		if lo, err = query.ParseTime(r.Lo.Text, c.now); err != nil {
			return nil, err
		}
		if r.Lo.Exclusive {
			lo++
		}
	}
	if !r.Hi.Open {
		if hi, err = query.ParseTime(r.Hi.Text, c.now); err != nil {
			return nil, err
		}
		if r.Hi.Exclusive {
			hi--
		}
	}
	if t.Field.Name == "timestamp" {
		return &timeLeaf{lo, hi}, nil
	}
	return &intLeaf{column: t.Field.Name, lo: lo, hi: hi}, nil
}

func (c *compiler) id(pred query.Pred) (node, error) {
	is, ok := pred.(query.Is)
	if !ok {
		return nil, unfit(pred)
	}
	id, err := logrec.ParseID(is.Text)
	return &idLeaf{id}, err
}
