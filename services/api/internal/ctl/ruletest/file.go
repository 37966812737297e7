// Package ruletest runs unit tests of alert rules: lines at given times go in, and what the engine says at given times is compared with what
// is expected. It is the engine that the evaluator runs (shared/rule/engine), without a server and without a clock.
//
//	rule_files: [shop.yaml]
//	tests:
//	  - name: ten errors in a minute fire
//	    input:
//	      - at: 5s
//	        every: 1s
//	        times: 12
//	        line: {service: checkout, level: error, message: "payment ${n} declined"}
//	    alerts:
//	      - at: 30s
//	        rule: checkout errors
//	        expect:
//	          - {status: firing, labels: {service: checkout}, value: 12}
package ruletest

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

// Schema is the JSON Schema (2020-12) of test files, for editors.
//
//go:embed tests.schema.json
var Schema []byte

// File is a file of tests.
type File struct {
	Name      string
	RuleFiles []string // as the file names them: relative to it
	Tests     []*Test
	doc       *yamldoc.Doc
}

// Test is one story: what comes in, and what is expected when.
type Test struct {
	Name   string
	At     yamldoc.Position
	start  int64  // ns
	from   *int64 // ns: when the rules come into force; nil = so long before start that their windows are whole
	input  []input
	checks []check
	node   *yaml.Node
}

// input is lines.
type input struct {
	at, every time.Duration
	times     int64
	line      map[string]json.RawMessage
	vary      map[string][]json.RawMessage
	ndjson    string
	file      string
	node      *yaml.Node
}

// check is what is expected at a moment: all alerts that are pending or firing then, and those resolved ones that are named.
type check struct {
	at     time.Duration
	rule   string // "" = of all rules
	expect []expected
	node   *yaml.Node
}

type expected struct {
	status      string
	labels      map[string]string // that the alert must have; it may have others
	annotations map[string]string // likewise
	value       *float64
	since       *time.Duration
	ended       *time.Duration
	node        *yaml.Node
}

// the shapes of the YAML
type (
	fileYAML struct {
		RuleFiles []string     `json:"rule_files"`
		Tests     []*yaml.Node `json:"tests"`
	}
	testYAML struct {
		Name      string         `json:"name"`
		Start     string         `json:"start"`
		RulesFrom *rule.Duration `json:"rules_from"`
		Input     []*yaml.Node   `json:"input"`
		Alerts    []*yaml.Node   `json:"alerts"`
	}
	inputYAML struct {
		At     rule.Duration           `json:"at"`
		Every  rule.Duration           `json:"every"`
		Times  int64                   `json:"times"`
		Line   *yaml.Node              `json:"line"`
		Vary   map[string][]*yaml.Node `json:"vary"`
		NDJSON string                  `json:"ndjson"`
		File   string                  `json:"file"`
	}
	checkYAML struct {
		At     rule.Duration `json:"at"`
		Rule   string        `json:"rule"`
		Expect []*yaml.Node  `json:"expect"`
	}
	expectedYAML struct {
		Status      string            `json:"status"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Value       *float64          `json:"value"`
		Since       *rule.Duration    `json:"since"`
		Ended       *rule.Duration    `json:"ended"`
	}
)

// Statuses of an expected alert.
const (
	statusPending  = "pending"
	statusFiring   = "firing"
	statusResolved = "resolved"
)

var statuses = []string{statusPending, statusFiring, statusResolved}

// defaultStart is where tests begin that do not say: the times in their reports are then easy to read.
var defaultStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Parse reads a file of tests.
func Parse(name string, src []byte) (*File, []yamldoc.Problem) {
	d := yamldoc.Parse(name, src)
	f := &File{Name: name, doc: d}
	if d.Root() == nil {
		return f, d.Problems()
	}
	var y fileYAML
	need(d, d.Root(), d.Fill(d.Root(), &y), "rule_files", "tests")
	f.RuleFiles = y.RuleFiles
	for _, n := range y.Tests {
		f.Tests = append(f.Tests, parseTest(d, n))
	}
	return f, d.Problems()
}

func need(d *yamldoc.Doc, n *yaml.Node, got yamldoc.Nodes, fields ...string) {
	for _, f := range fields {
		if got[f] == nil {
			d.Wrong(n, "%s is missing", f)
		}
	}
}

func parseTest(d *yamldoc.Doc, n *yaml.Node) *Test {
	var y testYAML
	got := d.Fill(n, &y)
	need(d, n, got, "name", "alerts")
	t := &Test{Name: y.Name, At: d.At(n), start: defaultStart.UnixNano(), node: n}
	if y.Start != "" {
		ns, ok := logrec.ParseTime(y.Start)
		if !ok {
			d.Wrong(got["start"], "%q is not a time such as 2026-01-31T12:00:00Z", y.Start)
		}
		t.start = ns
	}
	if y.RulesFrom != nil {
		bound(d, got["rules_from"], time.Duration(*y.RulesFrom).Abs())
		from := t.start + int64(*y.RulesFrom)
		t.from = &from
	}
	for _, i := range y.Input {
		t.input = append(t.input, parseInput(d, i))
	}
	for _, c := range y.Alerts {
		t.checks = append(t.checks, parseCheck(d, c))
	}
	return t
}

// bound refuses times that are before the start or far from it.
func bound(d *yamldoc.Doc, n *yaml.Node, v time.Duration) {
	if n != nil && (v < 0 || v > maxAfter) {
		d.Wrong(n, "must be between 0s and %s", rule.Duration(maxAfter))
	}
}

func parseInput(d *yamldoc.Doc, n *yaml.Node) input {
	y := inputYAML{Times: 1}
	got := d.Fill(n, &y)
	in := input{at: time.Duration(y.At), every: time.Duration(y.Every), times: y.Times, ndjson: y.NDJSON, file: y.File, node: n}
	kinds := slices.DeleteFunc([]string{"line", "ndjson", "file"}, func(f string) bool { return got[f] == nil })
	if len(kinds) != 1 {
		d.Wrong(n, "an input has one of line, ndjson and file")
		return in
	}
	bound(d, got["at"], in.at)
	bound(d, got["every"], in.every)
	if y.Times < 1 || y.Times > maxLines {
		d.Wrong(got["times"], "must be between 1 and %d", maxLines)
	}
	if y.Line == nil {
		for _, f := range []string{"times", "vary"} {
			if v := got[f]; v != nil {
				d.Wrong(v, "%s goes with line", f)
			}
		}
		return in
	}
	if raw := d.JSON(y.Line); raw != nil && json.Unmarshal(raw, &in.line) != nil {
		d.Wrong(y.Line, "must be a mapping: the fields of a log line")
	}
	in.vary = map[string][]json.RawMessage{}
	for field, values := range y.Vary {
		for _, v := range values {
			in.vary[field] = append(in.vary[field], d.JSON(v))
		}
		if len(values) == 0 {
			d.Wrong(got["vary"], "%s has no values", field)
			delete(in.vary, field)
		}
	}
	return in
}

func parseCheck(d *yamldoc.Doc, n *yaml.Node) check {
	var y checkYAML
	got := d.Fill(n, &y)
	need(d, n, got, "at", "expect")
	bound(d, got["at"], time.Duration(y.At))
	c := check{at: time.Duration(y.At), rule: y.Rule, node: n}
	if got["rule"] != nil {
		c.node = got["rule"]
	}
	for _, e := range y.Expect {
		c.expect = append(c.expect, parseExpected(d, e))
	}
	return c
}

func parseExpected(d *yamldoc.Doc, n *yaml.Node) expected {
	y := expectedYAML{Status: statusFiring}
	got := d.Fill(n, &y)
	if !slices.Contains(statuses, y.Status) {
		d.Wrong(got["status"], "%q is not one of %s", y.Status, strings.Join(statuses, ", "))
	}
	if y.Ended != nil && y.Status != statusResolved {
		d.Wrong(got["ended"], "only a resolved alert has ended")
	}
	return expected{status: y.Status, labels: y.Labels, annotations: y.Annotations, value: y.Value, since: (*time.Duration)(y.Since), ended: (*time.Duration)(y.Ended), node: n}
}
