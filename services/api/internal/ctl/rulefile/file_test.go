package rulefile

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/shared/rule"
)

const good = `groups:
  - name: checkout
    team: shop
    defaults:
      severity: high
      time_window: 1m
      filter: service = 'checkout'
      labels: {tier: gold, area: money}
    rules:
      - name: checkout errors
        condition: COUNT(CASE WHEN level = 'error' THEN 1 END)
        threshold: 10
        labels: {tier: silver}
        enabled: false
      - name: checkout is slow
        condition: >-
          P95(response_time_ms)
          FILTER (WHERE request_method = 'POST')
        operator: ">"
        threshold: 800
        time_window: 5
        for: 2m
  - team: ""
    rules: []
`

func messages[T error](ps []T) (out []string) {
	for _, p := range ps {
		out = append(out, p.Error())
	}
	return out
}

func TestParse(t *testing.T) {
	t.Parallel()
	f, problems := Parse("shop.yaml", []byte(good))
	require.Empty(t, problems)
	require.Len(t, f.Groups, 2)
	want := rule.Rule{Name: "checkout errors", Team: "shop", Group: "checkout", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", Filter: "service = 'checkout'", Threshold: 10,
		TimeWindow: rule.Window(time.Minute), Severity: "high", Labels: map[string]string{"tier": "silver", "area": "money"}}
	want.Normalize()
	require.Equal(t, want, f.Groups[0].Rules[0].Rule)
	slow := f.Groups[0].Rules[1]
	require.Equal(t, "P95(response_time_ms) FILTER (WHERE request_method = 'POST')", slow.Rule.Condition)
	require.Equal(t, rule.Window(5*time.Minute), slow.Rule.TimeWindow)
	require.Equal(t, rule.Duration(2*time.Minute), slow.Rule.For)
	require.True(t, slow.Rule.Enabled)
	require.Equal(t, map[string]string{"tier": "gold", "area": "money"}, slow.Rule.Labels)
	require.Equal(t, "shop.yaml:19:19", slow.At("operator").String())
	require.Equal(t, "shop.yaml:15:9", slow.At("severity").String(), "a field that stands elsewhere is at the rule")
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const head = "groups:\n- team: a\n  name: g\n  rules:\n  - name: r\n    threshold: 1\n"
	for src, want := range map[string]string{
		"rules: []":          `f:1:1: there is no field "rules" here (groups)|f:1:1: groups is missing`,
		"groups:\n- name: g": `f:2:3: team is missing: say who owns the rules and is told, "" for nobody|f:2:3: rules is missing`,
		"groups:\n- team: a\n  rules:\n  - description: d":                                  "f:4:5: name is missing|f:4:5: condition is missing|f:4:5: threshold is missing",
		head + "    condition: AVG(respose_time_ms)":                                        "f:7:20: condition: unknown column respose_time_ms (did you mean response_time_ms?)",
		head + "    condition: |\n      COUNT(*)\n        ; DROP TABLE block":               "f:9:9: condition: unexpected character “;”",
		head + "    condition: COUNT(*)\n    filter: \"service = 'a' AND levle = 'error'\"": "f:8:32: filter: unknown column levle (did you mean level?)",
		head + "    condition: COUNT(*)\n    severity: urgent":                              `f:8:15: severity: "urgent" is not one of low medium high critical`,
		head + "    condition: COUNT(*)\n    time_window: 1.5d":                             "f:8:18: \"1.5d\" is not a duration such as 30s, 5m, 1h or 2d",
		head + "    condition: COUNT(*)\n    thresold: 5":                                   `f:8:5: there is no field "thresold" here (did you mean threshold?)`,
		head + "    condition: COUNT(*)\n    team: b\n    group: h":                         "f:8:11: team belongs to the group|f:9:12: group is the name of the group",
		head + "    condition: COUNT(*)\n    labels: {a-b: c}":                              `f:8:13: labels: "a-b" is not a name of letters, digits and _`,
		head + "    condition: COUNT(*)\n    group_by: [service, response_time_ms]":         "f:8:15: group_by: response_time_ms is a number: group by a column of texts",
		strings.Replace(head, "name: g", "defaults: {name: x, operator: '=>'}", 1) + "    condition: COUNT(*)\n  - name: s\n    threshold: 1\n    condition: COUNT(*)": `f:3:20: name belongs to each rule|f:3:33: operator: "=>" is not one of`,
	} {
		_, problems := Parse("f", []byte(src))
		got := messages(problems)
		for i, w := range strings.Split(want, "|") {
			require.Greater(t, len(got), i, src)
			require.True(t, strings.HasPrefix(got[i], w), "%s\n gives %q\n not   %q", src, got[i], w)
		}
		require.Len(t, got, strings.Count(want, "|")+1, "%s: %q", src, got)
	}
}

func TestClashes(t *testing.T) {
	t.Parallel()
	a, _ := Parse("a", []byte(good))
	b, _ := Parse("b", []byte("groups:\n- team: x\n  name: checkout\n  rules:\n  - {name: checkout errors, condition: COUNT(*), threshold: 1}\n- team: shop\n  name: checkout\n  rules: []"))
	require.Empty(t, Clashes([]*File{a}))
	require.Equal(t, []string{`b:5:12: a rule named "checkout errors" stands at a:10:15 already`, `b:6:3: team "shop" has the group "checkout" at a:2:5 already`}, messages(Clashes([]*File{a, b})))
}

// nasty are texts that YAML would like to read as something else.
var nasty = []string{"plain", "", "12", "true", "null", "~", "a: b", "- a", "#x", "it's", `"q"`, "a\nb\n", "\n\nlead", "  blanks  ", "tail \nx", "tab\there", "\x01ctl", "ä €", "\u2028sep", "yes", "2026-01-01", "<<", "*a", "&a", "!t", "%d", "@x", "a\r\nb", "\ufeffbom", "=", "0x1f", "1e3", "|", ">-", "{a}", "[b]", "a #b", "last\n\n"}

func randomRule(r *rand.Rand, i int) rule.Rule {
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	word := func() string { return pick([]string{"alpha", "beta", "12", "true", "null", "a: b", "it's"}) }
	some := func() bool { return r.IntN(2) == 0 }
	v := rule.Rule{Name: word() + strings.Repeat("x", i+1), Team: pick([]string{"", "shop", "12", "null"}), Group: pick([]string{"", "g", "true"}), Description: pick(nasty), Condition: "COUNT(*)", Threshold: float64(r.IntN(1000)) / 8,
		TimeWindow: rule.Window(time.Duration(1+r.IntN(60)) * time.Second), Operator: pick(rule.Operators[:4]), Severity: pick(rule.Severities), Enabled: some()}
	if some() {
		v.Filter, v.GroupBy = "message = '"+strings.ReplaceAll(pick(nasty[:11]), "'", "''")+"'", []string{"service", "attributes['a: b']"}
		v.For, v.KeepFiringFor, v.NoData, v.MinSamples = rule.Duration(90*time.Second), rule.Duration(time.Hour), pick([]string{"ok", "keep", "firing"}), int64(1+r.IntN(9))
	}
	if some() {
		th, never := v.Threshold, rule.Duration(0)
		v.ResolveThreshold, v.RepeatInterval, v.GroupRetention = &th, &never, rule.Duration(48*time.Hour)
		v.Labels, v.Annotations, v.RunbookURL = map[string]string{"a": pick(nasty), "on": pick(nasty)}, map[string]string{"summary": pick(nasty)}, "https://x/y#z"
	}
	v.Normalize()
	return v
}

// TestRoundTrip: what is written is read back as the same rules, whatever is in their texts.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var rules []rule.Rule
		for i := range 1 + r.IntN(6) {
			v := randomRule(r, i)
			require.NoError(t, v.Validate())
			rules = append(rules, v)
		}
		out, err := Write(ByGroup(rules))
		require.NoError(t, err)
		f, problems := Parse("f", out)
		require.Empty(t, problems, string(out))
		var back []rule.Rule
		for _, g := range f.Groups {
			for _, e := range g.Rules {
				back = append(back, e.Rule)
			}
		}
		byName := func(a, b rule.Rule) int { return strings.Compare(a.Name, b.Name) }
		slices.SortFunc(rules, byName)
		slices.SortFunc(back, byName)
		require.Equal(t, rules, back, string(out))
		again, err := Write(ByGroup(back))
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
		conforms(t, out)
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mem://rules", doc))
	s, err := c.Compile("mem://rules")
	require.NoError(t, err)
	return s
}

func asJSON(t *testing.T, src []byte) any {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal(src, &v))
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	out, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	return out
}

func conforms(t *testing.T, src []byte) {
	t.Helper()
	require.NoError(t, schema(t).Validate(asJSON(t, src)), string(src))
}

// TestSchemaIsTheStruct: the schema has the fields and the choices that the code has.
func TestSchemaIsTheStruct(t *testing.T) {
	t.Parallel()
	conforms(t, []byte(good))
	var doc struct {
		Defs map[string]struct {
			Properties map[string]struct {
				Enum    []string `json:"enum"`
				Default any      `json:"default"`
			} `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema, &doc))
	names := func(def string) (out []string) {
		for name := range doc.Defs[def].Properties {
			out = append(out, name)
		}
		slices.Sort(out)
		return out
	}
	tags := func(t reflect.Type, without ...string) (out []string) {
		for i := range t.NumField() {
			if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); !slices.Contains(without, name) {
				out = append(out, name)
			}
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, tags(reflect.TypeFor[rule.Rule](), "name", "team", "group"), names("fields"))
	require.Equal(t, tags(reflect.TypeFor[groupYAML]()), names("group"))
	fields := doc.Defs["fields"].Properties
	require.Equal(t, rule.Operators, fields["operator"].Enum)
	require.Equal(t, rule.Severities, fields["severity"].Enum)
	require.Equal(t, []string{rule.NoDataOK, rule.NoDataKeep, rule.NoDataFiring}, fields["no_data"].Enum)
	var usual rule.Rule
	usual.Normalize()
	require.Equal(t, []any{usual.Operator, usual.Severity, usual.NoData, "5m", "4h", "24h"}, []any{fields["operator"].Default, fields["severity"].Default, fields["no_data"].Default,
		fields["time_window"].Default, fields["repeat_interval"].Default, fields["group_retention"].Default})
	for _, bad := range []string{"groups: [{team: a, rules: [{condition: c}]}]", "groups: [{rules: []}]", "groups: [{team: a, rules: [{name: a, colour: red}]}]", "groups: [{team: a, defaults: {name: x}, rules: []}]",
		"groups: [{team: a, rules: [{name: a, severity: urgent}]}]", "groups: [{team: a, rules: [{name: a, for: soon}]}]"} {
		require.Error(t, schema(t).Validate(asJSON(t, []byte(bad))), bad)
		_, problems := Parse("f", []byte(bad))
		require.NotEmpty(t, problems, bad)
	}
}

// FuzzParse: no file does harm, and what has no mistakes is written and read back.
func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("groups: [{team: a, rules: [{name: a, condition: COUNT(*), threshold: 1, labels: {a: b}}]}]")
	f.Add("groups: &g [{team: a, defaults: {<<: {severity: low}}, rules: *g}]")
	f.Fuzz(func(t *testing.T, src string) {
		file, problems := Parse("f", []byte(src))
		if len(problems) > 0 {
			return
		}
		out, err := Write(file.Groups)
		require.NoError(t, err)
		back, problems := Parse("f", out)
		require.Empty(t, problems, string(out))
		require.Equal(t, len(file.Groups), len(back.Groups))
		for i := range file.Groups {
			for k := range file.Groups[i].Rules {
				require.Equal(t, file.Groups[i].Rules[k].Rule, back.Groups[i].Rules[k].Rule, string(out))
			}
		}
	})
}
