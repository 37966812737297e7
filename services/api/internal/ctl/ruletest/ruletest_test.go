package ruletest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/shared/rule"
)

const rules = `groups:
- team: shop
  rules:
  - name: errors
    condition: COUNT(CASE WHEN level = 'error' THEN 1 END)
    filter: service = 'checkout'
    threshold: 5
    time_window: 1m
    for: 10s
    severity: high
    labels: {tier: gold}
    annotations: {summary: checkout declines payments}
    runbook_url: https://runbooks/checkout
  - name: slow
    condition: P95(response_time_ms)
    group_by: [service]
    operator: ">"
    threshold: 500
    time_window: 30s
  - name: silent
    condition: COUNT(*)
    group_by: [service]
    operator: "<"
    threshold: 1
    time_window: 1m
    enabled: false
`

func ruleSet(t *testing.T) (out []rule.Rule) {
	t.Helper()
	f, problems := rulefile.Parse("rules.yaml", []byte(rules))
	require.Empty(t, problems)
	for _, g := range f.Groups {
		for _, e := range g.Rules {
			out = append(out, e.Rule)
		}
	}
	return out
}

func noFiles(name string) ([]byte, error) { return nil, os.ErrNotExist }

func all(string) bool { return true }

// run runs one test, given without its name, and returns its differences.
func run(t *testing.T, test string) (diff []string) {
	t.Helper()
	f, problems := Parse("t.yaml", []byte("rule_files: [rules.yaml]\ntests:\n- name: n\n"+test))
	require.Empty(t, problems)
	results, problems := f.Run(ruleSet(t), noFiles, all)
	require.Empty(t, problems)
	require.Len(t, results, 1)
	for _, x := range results[0].Failures {
		diff = append(diff, x.String()+" at "+x.After.String())
		diff = append(diff, x.Diff...)
	}
	return diff
}

const sixErrors = `  input:
  - {at: 20s, every: 1s, times: 6, line: {service: checkout, level: error, message: "payment ${n} declined"}}
  - {at: 0s, every: 10s, times: 20, line: {service: cart, msg: fine, duration_ms: 40}}
`

func TestFiringPendingResolved(t *testing.T) {
	t.Parallel()
	require.Empty(t, run(t, sixErrors+`  alerts:
  - {at: 23s, rule: errors, expect: []}
  - at: 24s
    rule: errors
    expect: [{status: pending, since: 24s, value: 5}]
  - at: 34s
    rule: errors
    expect:
    - {status: firing, since: 34s, value: 6, labels: {service: checkout, tier: gold, alertname: errors}, annotations: {summary: checkout declines payments, runbook_url: "https://runbooks/checkout"}}
  - at: 2m
    rule: errors
    expect: [{status: resolved, since: 34s, ended: 1m21s}]
  - at: 2m
    expect: [{labels: {alertname: silent, service: checkout}, value: 0, since: 1m25s}]
`))
}

// TestDifferences: what is reported when the expectation is wrong, in each of its parts.
func TestDifferences(t *testing.T) {
	t.Parallel()
	check := func(at, expect string, want ...string) {
		t.Helper()
		got := run(t, sixErrors+"  alerts:\n  - {at: "+at+", rule: errors, expect: "+expect+"}\n")
		if len(want) > 0 {
			want = append([]string{"t.yaml:8:" + fmt.Sprint(len("  - {at: "+at+", rule: ")+1) + " at " + at}, want...)
		}
		require.Equal(t, want, got)
	}
	const firing = `firing errors{service="checkout",tier="gold"} value 6 since 34s`
	check("40s", "[]", "+ unexpected: "+firing)
	check("40s", "[{}]")
	check("40s", "[{}, {}]", "- missing: firing")
	check("40s", "[{labels: {service: cart}}]", `- missing: firing{service="cart"}`, "+ unexpected: "+firing)
	check("40s", "[{status: pending, value: 7, since: 30s, annotations: {summary: other, link: x}}]", "~ "+firing+":", "    status:      expected pending, got firing", "    value:       expected 7, got 6",
		"    since:       expected 30s, got 34s", `    link:        expected "x", got no such annotation`, `    summary:     expected "other", got "checkout declines payments"`)
	check("30s", "[{status: firing}]", `~ pending errors{service="checkout",tier="gold"} value 6 since 24s:`, "    status:      expected firing, got pending")
	check("2m", "[{status: resolved, ended: 1m}]", `~ resolved errors{service="checkout",tier="gold"} value 4 since 34s until 1m21s:`, "    ended:       expected 1m, got 1m21s")
	check("2m", "[{}]", `~ resolved errors{service="checkout",tier="gold"} value 4 since 34s until 1m21s:`, "    status:      expected firing, got resolved")
	check("10s", "[{value: 3}]", "- missing: firing value 3")
}

func TestLines(t *testing.T) {
	t.Parallel()
	// vary takes turns, percentiles are compared within their sketch's error, groups are told apart by labels
	require.Empty(t, run(t, `  input:
  - at: 1s
    every: 100ms
    times: 40
    line: {service: x, message: m}
    vary: {service: [a, b], response_time_ms: [700, 100]}
  alerts:
  - {at: 6s, rule: slow, expect: [{labels: {service: a}, value: 700}]}
`))
	// NDJSON: times of its own, times relative to the start, times of the clock
	for _, body := range []string{`{"at":"1s","T":1}|{"at":"3s"}|{"at":"2s"}`, `{"timestamp":"2020-05-05T10:00:00Z"}|{"timestamp":"2020-05-05T10:00:02Z"}|{"timestamp":"2020-05-05T10:00:01Z"}`, `{}|{}|{}`} {
		body = strings.ReplaceAll(strings.ReplaceAll(body, "{", `      {"service":"a","response_time_ms":900,`), ",}", "}")
		body = strings.ReplaceAll(strings.ReplaceAll(body, `{"service":"a","response_time_ms":900,}`, `{"service":"a","response_time_ms":900}`), "|", "\n")
		at, first := "5s", "5s"
		if strings.Contains(body, `"at"`) {
			at = "4s"
		}
		require.Empty(t, run(t, "  input:\n  - at: "+at+"\n    every: 1s\n    ndjson: |\n"+body+"\n  alerts:\n  - {at: 4.75s, rule: slow, expect: []}\n  - {at: 40s, rule: slow, expect: [{status: resolved, since: "+first+", ended: 37s}]}\n"), body)
	}
	require.Empty(t, run(t, `  start: 2024-02-29 23:59:00
  input: [{at: 30s, line: {service: s, level: info}}]
  alerts:
  - {at: 10m, rule: silent, expect: [{labels: {service: s}, since: 1m30s, value: 0}]}
`), "a disabled rule is tested as well")
}

func TestRulesFrom(t *testing.T) {
	t.Parallel()
	slowFor := func(from string) []string {
		return run(t, "  rules_from: "+from+"\n  input: [{every: 1s, times: 60, line: {service: a, response_time_ms: 900}}]\n  alerts:\n  - {at: 1m, rule: slow, expect: [{since: 40s}]}\n")
	}
	require.Empty(t, slowFor("10s"), "silent until its window of 30 s is whole")
	require.Equal(t, []string{"t.yaml:7:24 at 1m", `~ firing slow{service="a"} value 907.031347374 since 31s:`, "    since:       expected 40s, got 31s"}[1:], slowFor("0s")[1:])
}

func TestMistakesInTests(t *testing.T) {
	t.Parallel()
	for test, want := range map[string]string{
		"":                                   "t.yaml:3:3: alerts is missing",
		"  alerts: [{at: 1m}]":               "t.yaml:4:12: expect is missing",
		"  alerts: [{at: 8d, expect: []}]":   "t.yaml:4:17: must be between 0s and 168h",
		"  alerts: [{at: soon, expect: []}]": `t.yaml:4:17: "soon" is not a duration`,
		"  alerts: [{at: 1m, rule: error, expect: []}]":                                 `t.yaml:4:27: the rule files have no rule "error" (did you mean "errors"?)`,
		"  alerts: [{at: 1m, expect: [{status: red}]}]":                                 `t.yaml:4:39: "red" is not one of pending, firing, resolved`,
		"  alerts: [{at: 1m, expect: [{ended: 1m}]}]":                                   "t.yaml:4:38: only a resolved alert has ended",
		"  alerts: []\n  start: noon":                                                   `t.yaml:5:10: "noon" is not a time`,
		"  alerts: []\n  input: [{at: 1s}]":                                             "t.yaml:5:11: an input has one of line, ndjson and file",
		"  alerts: []\n  input: [{line: {}, times: 0}]":                                 "t.yaml:5:29: must be between 1 and 500000",
		"  alerts: []\n  input: [{line: [a]}]":                                          "t.yaml:5:18: must be a mapping",
		"  alerts: []\n  input: [{ndjson: '{}', times: 3}]":                             "t.yaml:5:33: times goes with line",
		"  alerts: []\n  input: [{line: {}, vary: {a: []}}]":                            "t.yaml:5:28: a has no values",
		"  alerts: []\n  input: [{line: {timestamp: 2026-01-01T00:00:00Z}}]":            "t.yaml:5:11: line: a line of a series has no time of its own",
		"  alerts: []\n  input: [{line: {timestamp: soon}}]":                            "t.yaml:5:11: line: timestamp",
		"  alerts: []\n  input: [{ndjson: '{\"a\":1} x'}]":                              "t.yaml:5:11: ndjson, line 1: at byte 1: expected an object",
		"  alerts: []\n  input: [{ndjson: '{\"at\":\"-1s\"}'}]":                         "t.yaml:5:11: ndjson, line 1: comes before the start",
		"  alerts: []\n  input: [{file: gone.ndjson}]":                                  "t.yaml:5:11: file does not exist",
		"  alerts: []\n  input: [{line: {}, times: 400000}, {line: {}, times: 400000}]": "t.yaml:5:38: the test has more than 500000 lines",
	} {
		f, problems := Parse("t.yaml", []byte("rule_files: [rules.yaml]\ntests:\n- name: n\n"+test))
		if len(problems) == 0 {
			_, problems = f.Run(ruleSet(t), noFiles, all)
		}
		require.NotEmpty(t, problems, test)
		require.True(t, strings.HasPrefix(problems[0].Error(), want), "%s\n gives %q\n not   %q", test, problems[0].Error(), want)
	}
}

// TestManyLines: what does not fit into one block gives the same as what does.
func TestManyLines(t *testing.T) {
	t.Parallel()
	require.Empty(t, run(t, `  input: [{every: 1ms, times: 30000, line: {service: checkout, level: error, message: m}}]
  alerts:
  - {at: 30s, rule: errors, expect: [{value: 30000, since: 10.25s}]}
`))
}

func TestSchemaIsTheStructs(t *testing.T) {
	t.Parallel()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("mem://tests", raw))
	s, err := c.Compile("mem://tests")
	require.NoError(t, err)
	var doc map[string]any
	require.NoError(t, yaml.Unmarshal([]byte("rule_files: [r]\ntests:\n- name: n\n  rules_from: 0s\n"+sixErrors+"  alerts: [{at: 1m, expect: [{status: firing, value: 3, labels: {a: b}}]}]"), &doc))
	text, err := json.Marshal(doc)
	require.NoError(t, err)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	require.NoError(t, s.Validate(instance))

	var have struct {
		Properties map[string]any `json:"properties"`
		Defs       map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema, &have))
	for def, typ := range map[string]reflect.Type{"": reflect.TypeFor[fileYAML](), "test": reflect.TypeFor[testYAML](), "input": reflect.TypeFor[inputYAML](), "check": reflect.TypeFor[checkYAML](), "alert": reflect.TypeFor[expectedYAML]()} {
		properties := have.Properties
		if def != "" {
			properties = have.Defs[def].Properties
		}
		var want, got []string
		for i := range typ.NumField() {
			want = append(want, typ.Field(i).Tag.Get("json"))
		}
		for name := range properties {
			got = append(got, name)
		}
		slices.Sort(want)
		slices.Sort(got)
		require.Equal(t, want, got, def)
	}
}

// FuzzParse: no file of tests does harm.
func FuzzParse(f *testing.F) {
	f.Add("rule_files: [r]\ntests:\n- name: n\n" + sixErrors + "  alerts: [{at: 1m, expect: [{status: firing, value: 3, labels: {a: b}}]}]")
	f.Add("rule_files: []\ntests: [{name: a, input: [{ndjson: '{\"at\":\"1s\"}'}, {line: {a: '${n}'}, times: 3, every: 1s, vary: {b: [1]}}], alerts: [{at: 3s, expect: []}]}]")
	f.Fuzz(func(t *testing.T, src string) {
		file, problems := Parse("f", []byte(src))
		if len(problems) == 0 && len(src) < 1000 {
			_, _ = file.Run(nil, noFiles, all)
		}
	})
}
