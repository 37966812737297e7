// Package ruleplan compares rule files with what a server has, and says what to do: each rule by its name, within its owner.
package ruleplan

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/rule"
)

// Remote is a rule of the server.
type Remote struct {
	ID      int64
	Version int
	Rule    rule.Rule
}

// Kind is what to do with a rule.
type Kind string

// The kinds.
const (
	Create  Kind = "create"
	Update  Kind = "update"
	Delete  Kind = "delete"
	Blocked Kind = "blocked" // another team's rule has the name: it is not ours to change
)

// Change is one step of a plan.
type Change struct {
	Kind    Kind             `json:"kind"`
	Name    string           `json:"name"`
	Team    string           `json:"team"`
	Group   string           `json:"group"`
	ID      int64            `json:"id,omitempty"`      // of the server's rule
	Version int              `json:"version,omitempty"` // that the plan was made against
	Fields  []Field          `json:"fields,omitempty"`  // that an update changes
	Why     string           `json:"why,omitempty"`     // it is blocked
	At      yamldoc.Position `json:"at,omitzero"`       // in the files
	Rule    *rule.Rule       `json:"rule,omitempty"`    // as it will be; nil when it is deleted
}

// Field is a field that changes. Its texts are for people, "" for none.
type Field struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Make compares. Prune deletes the server's rules that belong to a named group of the files and that no file has; rules of other groups, and
// those that were not made from a file, are never deleted. Creations come first, deletions last: a rename leaves no gap.
func Make(files []*rulefile.File, server []Remote, prune bool) []Change {
	byName := map[string]*Remote{}
	for i := range server {
		byName[server[i].Rule.Name] = &server[i]
	}
	var out []Change
	wanted, groups := map[string]bool{}, map[[2]string]bool{}
	for _, f := range files {
		for _, g := range f.Groups {
			groups[[2]string{g.Team, g.Name}] = g.Name != ""
			for i := range g.Rules {
				e := &g.Rules[i]
				wanted[e.Rule.Name] = true
				if c, differs := compare(e, byName[e.Rule.Name]); differs {
					out = append(out, c)
				}
			}
		}
	}
	for _, r := range server {
		if prune && !wanted[r.Rule.Name] && groups[[2]string{r.Rule.Team, r.Rule.Group}] {
			out = append(out, Change{Kind: Delete, Name: r.Rule.Name, Team: r.Rule.Team, Group: r.Rule.Group, ID: r.ID, Version: r.Version})
		}
	}
	order := []Kind{Blocked, Create, Update, Delete}
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)) })
	return out
}

func compare(e *rulefile.Entry, have *Remote) (Change, bool) {
	c := Change{Kind: Create, Name: e.Rule.Name, Team: e.Rule.Team, Group: e.Rule.Group, At: e.At("name"), Rule: &e.Rule}
	if have == nil {
		return c, true
	}
	c.ID, c.Version = have.ID, have.Version
	if have.Rule.Team != e.Rule.Team {
		c.Kind, c.Why = Blocked, fmt.Sprintf("rule %d has this name and belongs to %s", have.ID, owner(have.Rule.Team))
		return c, true
	}
	c.Kind, c.Fields = Update, Differences(have.Rule, e.Rule)
	return c, len(c.Fields) > 0
}

func owner(team string) string {
	if team == "" {
		return "nobody"
	}
	return fmt.Sprintf("team %q", team)
}

// Differences are the fields in which two rules differ, in the order of the struct. What is left out is its default.
func Differences(a, b rule.Rule) (out []Field) {
	a.Normalize()
	b.Normalize()
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		name, _, _ := strings.Cut(x.Type().Field(i).Tag.Get("json"), ",")
		if v, w := value(x.Field(i)), value(y.Field(i)); !reflect.DeepEqual(v, w) {
			out = append(out, Field{name, rulefile.Text(v), rulefile.Text(w)})
		}
	}
	return out
}

// value is what a field holds; what holds nothing is "".
func value(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil(), (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0:
		return ""
	case v.Kind() == reflect.Pointer:
		return v.Elem().Interface()
	}
	return v.Interface()
}
