package ruleplan

import (
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/shared/rule"
)

const src = `groups:
- {name: g, team: shop, rules: [{name: a, condition: COUNT(*), threshold: 1}, {name: b, condition: COUNT(*), threshold: 2, labels: {x: y}}, {name: c, condition: COUNT(*), threshold: 3}]}
- {team: shop, rules: [{name: hand, condition: COUNT(*), threshold: 4}]}
`

func made(t *testing.T, text string) []*rulefile.File {
	t.Helper()
	f, problems := rulefile.Parse("f", []byte(text))
	require.Empty(t, problems)
	return []*rulefile.File{f}
}

func remote(id int64, name, team, group string, threshold float64) Remote {
	return Remote{ID: id, Version: 3, Rule: rule.Rule{Name: name, Team: team, Group: group, Condition: "COUNT(*)", Threshold: threshold, Enabled: true}}
}

type step struct {
	Kind Kind
	Name string
	ID   int64
}

func steps(cs []Change) (out []step) {
	for _, c := range cs {
		out = append(out, step{c.Kind, c.Name, c.ID})
	}
	return out
}

func TestMake(t *testing.T) {
	t.Parallel()
	server := []Remote{
		remote(1, "a", "shop", "g", 1),     // as in the file, with its defaults left out
		remote(2, "b", "shop", "", 2),      // made by hand: taken into the group
		remote(3, "c", "ops", "g", 3),      // somebody else's
		remote(4, "old", "shop", "g", 1),   // of the group, in no file
		remote(5, "mine", "shop", "", 1),   // made by hand
		remote(6, "other", "shop", "h", 1), // of another group
		remote(7, "far", "ops", "g", 1),    // of another team's group of that name
	}
	plan := Make(made(t, src), server, false)
	require.Equal(t, []step{{Blocked, "c", 3}, {Create, "hand", 0}, {Update, "b", 2}}, steps(plan))
	require.Equal(t, `rule 3 has this name and belongs to team "ops"`, plan[0].Why)
	require.Equal(t, []Field{{"group", "", "g"}, {"labels", "", "x: y"}}, plan[2].Fields)
	require.Equal(t, "f:2:86", plan[2].At.String())
	require.Equal(t, 3, plan[2].Version)
	plan = Make(made(t, src), server, true)
	require.Equal(t, []step{{Blocked, "c", 3}, {Create, "hand", 0}, {Update, "b", 2}, {Delete, "old", 4}}, steps(plan), "only what belongs to a named group of the file goes")
}

// TestEveryFieldIsCompared: a field that a later version adds to rules is not forgotten here.
func TestEveryFieldIsCompared(t *testing.T) {
	t.Parallel()
	th, rep := 2.5, rule.Duration(time.Minute)
	a := rule.Rule{Name: "a"}
	b := rule.Rule{Name: "b", Description: "d", Team: "t", Group: "g", Condition: "c", Filter: "f", GroupBy: []string{"x"}, Operator: "<", Threshold: 1, ResolveThreshold: &th, TimeWindow: rule.Window(time.Second), For: 1, KeepFiringFor: 1,
		NoData: "keep", MinSamples: 2, RepeatInterval: &rep, GroupRetention: 5, Severity: "low", Labels: map[string]string{"l": "v"}, Annotations: map[string]string{"l": "v"}, RunbookURL: "u", Enabled: true}
	require.Len(t, Differences(a, b), reflect.TypeFor[rule.Rule]().NumField())
	require.Empty(t, Differences(b, b))
	require.Equal(t, []Field{{"resolve_threshold", "2.5", ""}}, Differences(b, func() rule.Rule { c := b; c.ResolveThreshold = nil; return c }()))
}
