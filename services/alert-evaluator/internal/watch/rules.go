package watch

import (
	"cmp"
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

// Rules are the newest versions of all rules that are enabled.
type Rules struct{ byID map[string]*known }

type known struct {
	version engine.Version
	c       *rule.Compiled // nil: it cannot be compiled
	err     error
}

// NewRules knows none.
func NewRules() *Rules { return &Rules{byID: map[string]*known{}} }

// Learn takes in versions, older ones first.
func (r *Rules) Learn(versions []engine.Version) {
	for _, v := range versions {
		if v.Deleted || !v.Rule.Enabled {
			delete(r.byID, v.RuleID)
			continue
		}
		k := &known{version: v}
		k.c, k.err = rule.Compile(v.RuleID, v.Number, v.Rule)
		r.byID[v.RuleID] = k
	}
}

// Len is how many rules there are.
func (r *Rules) Len() int { return len(r.byID) }

// sorted are the rules by id.
func (r *Rules) sorted() []*known {
	return slices.SortedFunc(maps.Values(r.byID), func(a, b *known) int {
		return cmp.Or(cmp.Compare(len(a.version.RuleID), len(b.version.RuleID)), cmp.Compare(a.version.RuleID, b.version.RuleID))
	})
}

// concerned tells whether a problem makes any rule blind.
func (r *Rules) concerned(v *blind.View, p *blind.Problem) bool {
	for _, k := range r.byID {
		if k.c != nil && v.Concerns(p, k.c) {
			return true
		}
	}
	return false
}

// Blind is how many rules are blind now.
func (r *Rules) Blind(f *Facts, problems []blind.Problem) int {
	n, v := 0, f.view(problems)
	for _, k := range r.byID {
		if k.c == nil || blind.State(v.Of(k.c)) == "blind" {
			n++
		}
	}
	return n
}
