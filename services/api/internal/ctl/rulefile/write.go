package rulefile

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/shared/rule"
)

func quoted(s string) string { return strconv.Quote(s) }

// ByGroup sorts rules into groups: by team, group and name.
func ByGroup(rules []rule.Rule) []Group {
	rules = slices.Clone(rules)
	slices.SortFunc(rules, func(a, b rule.Rule) int {
		return cmp.Or(strings.Compare(a.Team, b.Team), strings.Compare(a.Group, b.Group), strings.Compare(a.Name, b.Name))
	})
	var out []Group
	for _, r := range rules {
		if n := len(out); n == 0 || out[n-1].Team != r.Team || out[n-1].Name != r.Group {
			out = append(out, Group{Team: r.Team, Name: r.Group})
		}
		g := &out[len(out)-1]
		g.Rules = append(g.Rules, Entry{Rule: r})
	}
	return out
}

// Write makes a file of groups. Reading it gives the same rules. What has its default is left out.
func Write(groups []Group) ([]byte, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, g := range groups {
		m := &yaml.Node{Kind: yaml.MappingNode}
		if g.Name != "" {
			put(m, "name", text(g.Name))
		}
		put(m, "team", text(g.Team))
		rules := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range g.Rules {
			n, err := ruleNode(g.Rules[i].Rule)
			if err != nil {
				return nil, fmt.Errorf("writing rule %q: %w", g.Rules[i].Rule.Name, err)
			}
			rules.Content = append(rules.Content, n)
		}
		put(m, "rules", rules)
		list.Content = append(list.Content, m)
	}
	top := &yaml.Node{Kind: yaml.MappingNode}
	put(top, "groups", list)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(top); err != nil {
		return nil, fmt.Errorf("writing rules: %w", err)
	}
	return b.Bytes(), enc.Close()
}

func put(m *yaml.Node, name string, value *yaml.Node) {
	m.Content = append(m.Content, text(name), value)
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	if !strings.Contains(strings.TrimRight(s, "\n"), "\n") || !plainLines(s) {
		n.Style = 0 // the encoder chooses, and quotes what it must
	}
	return n
}

// plainLines tells whether a text comes back from a block of lines as it was.
func plainLines(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff
	}) &&
		!strings.HasPrefix(s, " ") && !strings.HasPrefix(s, "\n")
}

// Text is the value of a rule's field for people to read and compare: as a file would have it, maps a line each.
func Text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case rule.Window:
		return rule.Duration(v).String()
	case map[string]string:
		lines := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			lines = append(lines, k+": "+strings.ReplaceAll(strings.TrimRight(v[k], "\n"), "\n", "\n  "))
		}
		return strings.Join(lines, "\n")
	case []string:
		return strings.Join(v, ", ")
	}
	return fmt.Sprint(v)
}

// Field is a field of a rule that has not its default.
type Field struct {
	Name  string
	Value any
}

// Fields are the fields of a rule that have not their default, in the order of the struct. Name, team and group are left out but for the name.
func Fields(r rule.Rule) (out []Field) {
	r.Normalize()
	standard := rule.Rule{Enabled: true}
	standard.Normalize()
	got, usual := reflect.ValueOf(r), reflect.ValueOf(standard)
	for i := range got.NumField() {
		name, _, _ := strings.Cut(got.Type().Field(i).Tag.Get("json"), ",")
		v := got.Field(i)
		switch {
		case name == "team" || name == "group":
		case name == "threshold" || name == "time_window" || name == "severity": // what every reader looks for
			out = append(out, Field{name, v.Interface()})
		case reflect.DeepEqual(v.Interface(), usual.Field(i).Interface()) || (v.Kind() == reflect.Map || v.Kind() == reflect.Slice) && v.Len() == 0:
		case v.Kind() == reflect.Pointer:
			out = append(out, Field{name, v.Elem().Interface()})
		default:
			out = append(out, Field{name, v.Interface()})
		}
	}
	return out
}

func ruleNode(r rule.Rule) (*yaml.Node, error) {
	m := &yaml.Node{Kind: yaml.MappingNode}
	for _, f := range Fields(r) {
		n := &yaml.Node{}
		switch v := f.Value.(type) {
		case string:
			n = text(v)
		case rule.Window, rule.Duration:
			n.SetString(Text(v))
		default:
			if err := n.Encode(v); err != nil {
				return nil, err
			}
		}
		put(m, f.Name, n)
	}
	return m, nil
}
