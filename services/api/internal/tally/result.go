package tally

import (
	"cmp"
	"fmt"
	"slices"
)

// Result is a table's answer.
type Result struct {
	Groups []*Group // by count, descending
	Total  int64    // lines
	Known  int      // groups that were told apart
	Others int64    // lines that are in none of Groups
	None   int64    // lines without any of the values grouped by
	Short  string   // why something is missing, "" when nothing is
}

// Result is the largest groups, at most limit of them. The table is of no use after.
func (t *Table) Result(limit int) (Result, error) {
	out := Result{Known: len(t.groups), Groups: make([]*Group, 0, len(t.groups))}
	for _, g := range t.groups {
		for _, n := range g.counts {
			g.Count += n
		}
		out.Total += g.Count
		if len(t.By) > 0 && !slices.ContainsFunc(g.Values, func(v Value) bool { return !v.None }) {
			out.None = g.Count
		}
		if g.Count > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	out.Known = len(out.Groups)
	slices.SortFunc(out.Groups, func(a, b *Group) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.key, b.key)) })
	out.Groups = out.Groups[:min(limit, len(out.Groups))]
	rest := int64(0)
	for _, n := range t.rest.counts {
		rest += n
	}
	out.Total += rest
	out.Others = out.Total
	for _, g := range out.Groups {
		out.Others -= g.Count
		if err := t.settle(g); err != nil {
			return out, err
		}
	}
	switch {
	case rest > 0:
		out.Short = fmt.Sprintf("there are more than %d groups: %d lines of further ones are counted together", len(t.groups), rest)
	case t.lost:
		out.Short = "percentiles and different values of so many groups and steps take too much memory: some are left out"
	}
	return out, nil
}

// settle works a group's figures out.
func (t *Table) settle(g *Group) error {
	all := make([]figure, len(t.Measures))
	if t.Step > 0 {
		g.Points = make([]Point, t.Steps)
	}
	for s := range t.Steps {
		of := g.figure[s*len(t.Measures) : (s+1)*len(t.Measures)]
		if t.Step > 0 {
			g.Points[s] = Point{g.counts[s], t.values(of)}
		}
		for m := range all {
			if err := all[m].merge(&of[m]); err != nil {
				return fmt.Errorf("merging sketches: %w", err)
			}
		}
	}
	g.Figures = t.values(all)
	return nil
}

func (t *Table) values(of []figure) []float64 {
	if len(of) == 0 {
		return nil
	}
	out := make([]float64, len(of))
	for m := range of {
		out[m] = of[m].value(t.Measures[m])
	}
	return out
}
