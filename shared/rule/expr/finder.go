package expr

import (
	"strings"

	"github.com/logmill/logmill/shared/block"
)

// finder looks for all texts that rules look for in a column by LIKE '%text%'. When there are many it looks for all of them in one pass.
type finder struct {
	col   *Column
	texts []string
	place map[string]int
	bytes int
	all   *automaton // of texts; nil = to be built
}

const (
	findTogether = 24      // from so many texts on, one pass is cheaper than a search for each (BenchmarkLike)
	findBytes    = 1 << 16 // of texts in an automaton, a few MB of table; more are searched for one by one
)

// contains tells whether n is column LIKE '%text%', and which text.
func contains(n *Binary) (c *Column, text string, ok bool) {
	c, isColumn := n.L.(*Column)
	if n.Op != "like" || !isColumn {
		return nil, "", false
	}
	parts, plain := cutLike(n.R.(*Literal).Value.(string))
	if !plain || len(parts) != 3 || parts[0] != "" || parts[1] == "" || parts[2] != "" {
		return nil, "", false
	}
	return c, parts[1], true
}

// find is the way for column LIKE '%text%'.
func (s *Set) find(c *Column, text string) func(*Frame) *Mask {
	x := s.finders[c.String()]
	if x == nil {
		x = &finder{col: c, place: map[string]int{}}
		s.finders[c.String()] = x
	}
	if x.bytes+len(text) > findBytes {
		return textTest(c, func(s string) bool { return strings.Contains(s, text) })
	}
	k, known := x.place[text]
	if !known {
		k = len(x.texts)
		x.place[text] = k
		x.texts, x.bytes, x.all = append(x.texts, text), x.bytes+len(text), nil
	}
	alone := textTest(c, func(s string) bool { return strings.Contains(s, text) })
	return func(f *Frame) *Mask {
		if len(x.texts) < findTogether {
			return alone(f)
		}
		return f.found(x).mask(k)
	}
}

// finding is what a finder has found in a frame.
type finding struct {
	col    *block.StringColumn
	byRow  bool      // else by code
	places [][]int32 // of each text: the records, or the entries of the dictionary, that it occurs in
	valid  []uint64  // records that are not NULL
	none   *Mask     // of texts that occur nowhere
}

func (f *Frame) found(x *finder) *finding {
	if got := f.finds[x]; got != nil {
		return got
	}
	if x.all == nil {
		x.all = newAutomaton(x.texts)
	}
	col := f.Text(x.col)
	got := &finding{col: col, byRow: len(col.Dict) > f.rows/2, places: make([][]int32, len(x.texts)), valid: make([]uint64, f.words)}
	for row, code := range col.Codes {
		if code >= 0 {
			got.valid[row>>6] |= 1 << (row & 63)
			if got.byRow {
				got.look(x.all, col.Dict[code], int32(row))
			}
		}
	}
	if !got.byRow {
		for code, s := range col.Dict {
			got.look(x.all, s, int32(code))
		}
	}
	got.none = &Mask{True: make([]uint64, f.words), False: got.valid}
	f.finds[x] = got
	return got
}

func (g *finding) look(all *automaton, s string, place int32) {
	all.find(s, func(text int32) {
		if have := g.places[text]; len(have) == 0 || have[len(have)-1] != place {
			g.places[text] = append(have, place)
		}
	})
}

// mask is where a text occurs.
func (g *finding) mask(text int) *Mask {
	places := g.places[text]
	if len(places) == 0 {
		return g.none
	}
	hits := make([]uint64, len(g.valid))
	if g.byRow {
		for _, row := range places {
			hits[row>>6] |= 1 << (row & 63)
		}
		return known(hits, g.valid)
	}
	in := make([]bool, len(g.col.Dict))
	for _, code := range places {
		in[code] = true
	}
	for row, code := range g.col.Codes {
		if code >= 0 && in[code] {
			hits[row>>6] |= 1 << (row & 63)
		}
	}
	return known(hits, g.valid)
}
