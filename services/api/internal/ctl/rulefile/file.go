// Package rulefile is alert rules as code: YAML files with groups of rules, each with an owner and defaults.
//
//	groups:
//	  - name: checkout
//	    team: shop
//	    defaults: {severity: high, time_window: 5m}
//	    rules:
//	      - name: checkout errors
//	        condition: COUNT(CASE WHEN level = 'error' THEN 1 END)
//	        threshold: 10
//
// A rule is what it is in the api (package rule), checked by the same code; rules.schema.json says the same to editors.
package rulefile

import (
	"errors"
	"maps"

	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/rule"
)

// File is a rule file.
type File struct {
	Name   string
	Groups []Group
}

// Group is rules that are managed together. A team may have a group without a name: rules that were not made from a file.
type Group struct {
	Name, Team string
	Rules      []Entry
	At         yamldoc.Position
}

// Entry is a rule of a file, normalized, with its group's team and name.
type Entry struct {
	Rule   rule.Rule
	doc    *yamldoc.Doc
	fields yamldoc.Nodes
	node   *yaml.Node
}

// At is where a field of the rule is, or where the rule is.
func (e *Entry) At(field string) yamldoc.Position {
	if n := e.fields[field]; n != nil {
		return e.doc.At(n)
	}
	if e.doc == nil {
		return yamldoc.Position{}
	}
	return e.doc.At(e.node)
}

// Warnings are what is allowed in the rule and probably not meant.
func (e *Entry) Warnings() (out []yamldoc.Problem) {
	c, err := rule.Compile("0", 0, e.Rule)
	if err != nil {
		return nil // then there are mistakes to tell of
	}
	for _, w := range c.Warnings() {
		out = append(out, yamldoc.Problem{Position: e.At(w.Field), Message: w.Field + ": " + w.Message, Warning: true})
	}
	return out
}

// the shapes of the YAML
type (
	fileYAML struct {
		Groups []*yaml.Node `json:"groups"`
	}
	groupYAML struct {
		Name     string       `json:"name"`
		Team     string       `json:"team"`
		Defaults *yaml.Node   `json:"defaults"`
		Rules    []*yaml.Node `json:"rules"`
	}
)

// Parse reads and checks one file.
func Parse(name string, src []byte) (*File, []yamldoc.Problem) {
	d := yamldoc.Parse(name, src)
	f := &File{Name: name}
	if d.Root() != nil {
		var y fileYAML
		if got := d.Fill(d.Root(), &y); got["groups"] == nil {
			d.Wrong(d.Root(), "groups is missing")
		}
		for _, n := range y.Groups {
			f.Groups = append(f.Groups, parseGroup(d, n))
		}
	}
	return f, d.Problems()
}

func parseGroup(d *yamldoc.Doc, n *yaml.Node) Group {
	var y groupYAML
	got := d.Fill(n, &y)
	if got["team"] == nil {
		d.Wrong(n, `team is missing: say who owns the rules and is told, "" for nobody`)
	}
	if len(y.Rules) == 0 && got["rules"] == nil {
		d.Wrong(n, "rules is missing")
	}
	g := Group{Name: y.Name, Team: y.Team, At: d.At(n)}
	p := ruleParser{doc: d, group: n, got: got, base: rule.Rule{Team: y.Team, Group: y.Name, Enabled: true}}
	if y.Defaults != nil {
		p.defaults = d.Fill(y.Defaults, &p.base)
		p.refuse(p.defaults, "name", "belongs to each rule")
		p.refuse(p.defaults, "team", "belongs to the group")
		p.refuse(p.defaults, "group", "is the name of the group")
	}
	p.base.Name, p.base.Team, p.base.Group = "", y.Team, y.Name
	for _, r := range y.Rules {
		g.Rules = append(g.Rules, p.parse(r))
	}
	return g
}

// ruleParser reads the rules of one group.
type ruleParser struct {
	doc      *yamldoc.Doc
	group    *yaml.Node
	got      yamldoc.Nodes // of the group
	defaults yamldoc.Nodes
	base     rule.Rule
}

func (p *ruleParser) refuse(nodes yamldoc.Nodes, field, why string) {
	if n := nodes[field]; n != nil {
		p.doc.Wrong(n, "%s %s", field, why)
	}
}

func (p *ruleParser) parse(n *yaml.Node) Entry {
	r := p.base
	r.Labels, r.Annotations = nil, nil
	got := p.doc.Fill(n, &r)
	p.refuse(got, "team", "belongs to the group")
	p.refuse(got, "group", "is the name of the group")
	r.Team, r.Group = p.base.Team, p.base.Group
	r.Labels, r.Annotations = merged(p.base.Labels, r.Labels), merged(p.base.Annotations, r.Annotations)
	r.Normalize()
	missing := map[string]bool{}
	for _, field := range []string{"name", "condition", "threshold"} {
		if got[field] == nil && p.defaults[field] == nil {
			missing[field] = true
			p.doc.Wrong(n, "%s is missing", field)
		}
	}
	for _, e := range split(r.Validate()) {
		if !missing[e.Field] {
			p.wrong(e, got, n)
		}
	}
	return Entry{Rule: r, doc: p.doc, fields: got, node: n}
}

func merged(base, own map[string]string) map[string]string {
	if len(base) == 0 {
		return own
	}
	out := maps.Clone(base)
	maps.Copy(out, own)
	return out
}

// split takes joined mistakes apart.
func split(err error) (out []*rule.FieldError) {
	var joined interface{ Unwrap() []error }
	var field *rule.FieldError
	switch {
	case err == nil:
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			out = append(out, split(e)...)
		}
	case errors.As(err, &field):
		out = append(out, field)
	default:
		out = append(out, &rule.FieldError{Field: "rule", Message: err.Error(), Pos: -1})
	}
	return out
}

// wrong reports a mistake at the field that has it, in the rule, the defaults or the group.
func (p *ruleParser) wrong(e *rule.FieldError, got yamldoc.Nodes, n *yaml.Node) {
	for _, at := range []*yaml.Node{got[e.Field], p.defaults[e.Field], map[string]*yaml.Node{"team": p.got["team"], "group": p.got["name"]}[e.Field]} {
		switch {
		case at == nil:
		case e.Pos < 0:
			p.doc.Wrong(at, "%s: %s", e.Field, e.Message)
			return
		default:
			p.doc.WrongInside(at, e.Pos, "%s: %s", e.Field, e.Message)
			return
		}
	}
	p.doc.Wrong(n, "%s: %s", e.Field, e.Message)
}

// Clashes are what is wrong between files: a name that two rules have, a group that stands in two places.
func Clashes(files []*File) (out []yamldoc.Problem) {
	rules, groups := map[string]yamldoc.Position{}, map[[2]string]yamldoc.Position{}
	for _, f := range files {
		for _, g := range f.Groups {
			if first, ok := groups[[2]string{g.Team, g.Name}]; ok {
				out = append(out, yamldoc.Problem{Position: g.At, Message: "team " + quoted(g.Team) + " has the group " + quoted(g.Name) + " at " + first.String() + " already"})
			} else {
				groups[[2]string{g.Team, g.Name}] = g.At
			}
			for i := range g.Rules {
				e := &g.Rules[i]
				if first, ok := rules[e.Rule.Name]; ok && e.Rule.Name != "" {
					out = append(out, yamldoc.Problem{Position: e.At("name"), Message: "a rule named " + quoted(e.Rule.Name) + " stands at " + first.String() + " already"})
				} else {
					rules[e.Rule.Name] = e.At("name")
				}
			}
		}
	}
	return out
}
