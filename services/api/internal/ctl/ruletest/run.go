package ruletest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
	"github.com/logmill/logmill/shared/rule/expr"
)

// Result is how a test went.
type Result struct {
	File     string           `json:"file"`
	Name     string           `json:"name"`
	At       yamldoc.Position `json:"at"`
	Lines    int              `json:"lines"`
	Failures []Failure        `json:"failures"`
}

// Failure is an expectation that was not met.
type Failure struct {
	yamldoc.Position
	After rule.Duration `json:"after"` // the start
	Rule  string        `json:"rule,omitempty"`
	Diff  []string      `json:"diff"` // lines for people
}

// Run runs the tests of a file whose names match. Problems are mistakes in the tests themselves; then there are no results.
func (f *File) Run(rules []rule.Rule, open Open, match func(name string) bool) ([]Result, []yamldoc.Problem) {
	f.checkNames(rules)
	var out []Result
	for _, t := range f.Tests {
		if !match(t.Name) {
			continue
		}
		lines := (&reader{doc: f.doc, test: t, open: open}).lines()
		if len(f.doc.Problems()) > 0 {
			continue // the others' mistakes are still to be found
		}
		r := Result{File: f.Name, Name: t.Name, At: t.At, Lines: len(lines), Failures: []Failure{}}
		if err := t.run(rules, lines, f.doc, &r); err != nil {
			f.doc.Wrong(t.node, "%v", err)
		}
		out = append(out, r)
	}
	if p := f.doc.Problems(); len(p) > 0 {
		return nil, p
	}
	return out, nil
}

// checkNames finds expectations of rules that are not there: they would pass, or fail, for the wrong reason.
func (f *File) checkNames(rules []rule.Rule) {
	var names []string
	for _, r := range rules {
		names = append(names, r.Name)
	}
	for _, t := range f.Tests {
		for _, c := range t.checks {
			if c.rule == "" || slices.Contains(names, c.rule) {
				continue
			}
			near := ""
			if n := expr.Nearest(c.rule, names); n != "" {
				near = fmt.Sprintf(" (did you mean %q?)", n)
			}
			f.doc.Wrong(c.node, "the rule files have no rule %q%s", c.rule, near)
		}
	}
}

// stage is the engine and what it has said.
type stage struct {
	eng      *engine.Engine
	build    *block.Builder
	resolved map[string]engine.Event // by fingerprint: the last episode, unless the alert stands again
}

func (t *Test) run(rules []rule.Rule, lines []logrec.Record, d *yamldoc.Doc, out *Result) error {
	s, err := t.stage(rules)
	if err != nil {
		return err
	}
	checks := slices.Clone(t.checks)
	slices.SortStableFunc(checks, func(a, b check) int { return int(min(1, max(-1, a.at-b.at))) })
	for _, c := range checks {
		until := t.start + int64(c.at)
		n := 0
		for n < len(lines) && lines[n].EvalTime <= until {
			n++
		}
		if err := s.fold(lines[:n]); err != nil {
			return err
		}
		lines = lines[n:]
		s.advance(until)
		if diff := c.compare(s, t.start); len(diff) > 0 {
			out.Failures = append(out.Failures, Failure{Position: d.At(c.node), After: rule.Duration(c.at), Rule: c.rule, Diff: diff})
		}
	}
	return nil
}

// stage puts the rules in force: each so long before the start that its windows are whole then, unless the test says when.
func (t *Test) stage(rules []rule.Rule) (*stage, error) {
	var versions []engine.Version
	begin := t.start
	for i, r := range rules {
		r.Enabled = true // a test is about what the rule would say
		at := t.start - int64(r.TimeWindow) - rule.Bucket(time.Duration(r.TimeWindow)) - int64(time.Second)
		if t.from != nil {
			at = *t.from
		}
		begin = min(begin, at)
		versions = append(versions, engine.Version{RuleID: strconv.Itoa(i + 1), Number: 1, Effective: at, Rule: r})
	}
	b, err := block.NewBuilder(block.Options{})
	if err != nil {
		return nil, fmt.Errorf("preparing blocks: %w", err)
	}
	s := &stage{eng: engine.New(engine.Place{All: true}, begin), build: b, resolved: map[string]engine.Event{}}
	if err := s.eng.Schedule(versions, nil); err != nil {
		return nil, fmt.Errorf("putting the rules in force: %w", err)
	}
	for id, err := range s.eng.Failed() {
		n, _ := strconv.Atoi(id) // ours
		return nil, fmt.Errorf("rule %q: %w", rules[n-1].Name, err)
	}
	return s, nil
}

// fold takes records in, a block at a time, and closes the ticks between them as the processor's watermarks would.
func (s *stage) fold(lines []logrec.Record) error {
	for chunk := range slices.Chunk(lines, blockRows) {
		built, err := s.build.Build(chunk)
		if err != nil {
			return fmt.Errorf("building a block: %w", err)
		}
		r, err := block.Open(built.Data)
		if err != nil {
			return fmt.Errorf("reading a block: %w", err)
		}
		if err := s.eng.Fold(r, 0); err != nil {
			return fmt.Errorf("evaluating: %w", err)
		}
		s.advance(chunk[len(chunk)-1].EvalTime - 1) // records of the same moment may follow
	}
	return nil
}

func (s *stage) advance(until int64) {
	events, _ := s.eng.Advance(until)
	for i := range events {
		switch ev := &events[i]; ev.Kind {
		case engine.Resolved:
			s.resolved[ev.Fingerprint] = *ev
		case engine.Firing:
			delete(s.resolved, ev.Fingerprint)
		}
	}
}
