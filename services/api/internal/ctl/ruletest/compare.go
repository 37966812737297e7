package ruletest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// actual is an alert as it stands, or stood at last. Times are after the start.
type actual struct {
	name        string
	status      string
	labels      map[string]string
	annotations map[string]string
	value       expr.Value
	approximate bool
	since       time.Duration
	ended       time.Duration
}

// actuals are the alerts of a rule ("" = of all) at the last closed tick: those that stand, and the last episodes that are resolved.
func (s *stage) actuals(name string, start int64) (out []actual) {
	after := func(ns int64) time.Duration { return time.Duration(ns - start) }
	of := func(c *rule.Compiled, labels map[string]string, v expr.Value) actual {
		return actual{name: c.Name, labels: labels, annotations: annotations(c), value: v}
	}
	standing := map[string]bool{}
	for _, a := range s.eng.States() {
		got := of(a.Rule, a.Labels, a.Value)
		got.status, got.since, got.approximate = statusPending, after(a.Pending), a.Approximate
		if a.Firing {
			got.status, got.since = statusFiring, after(a.Starts)
		}
		standing[a.Fingerprint] = true
		out = append(out, got)
	}
	for _, fp := range slices.Sorted(maps.Keys(s.resolved)) {
		if ev := s.resolved[fp]; !standing[fp] {
			got := of(ev.Rule, ev.Labels, ev.Value)
			got.status, got.since, got.ended, got.approximate = statusResolved, after(ev.Starts), after(ev.Ends), ev.Approximate
			out = append(out, got)
		}
	}
	return slices.DeleteFunc(out, func(a actual) bool { return name != "" && a.name != name })
}

// annotations are those that subscribers get of the rule itself.
func annotations(c *rule.Compiled) map[string]string {
	out := maps.Clone(c.Annotations)
	if out == nil {
		out = map[string]string{}
	}
	if c.RunbookURL != "" {
		out["runbook_url"] = c.RunbookURL
	}
	return out
}

// compare says what differs, nothing when all is as expected.
func (c *check) compare(s *stage, start int64) (diff []string) {
	left := s.actuals(c.rule, start)
	for _, e := range c.inOrder() {
		best, least := -1, []string(nil)
		for i := range left {
			if !has(left[i].labels, e.labels) {
				continue
			}
			if d := e.differences(&left[i]); best < 0 || len(d) < len(least) {
				best, least = i, d
			}
		}
		if best < 0 {
			diff = append(diff, "- missing: "+e.String())
			continue
		}
		if len(least) > 0 {
			diff = append(append(diff, "~ "+left[best].String()+":"), least...)
		}
		left = slices.Delete(left, best, best+1)
	}
	for i := range left {
		if left[i].status != statusResolved { // history that nobody asked for
			diff = append(diff, "+ unexpected: "+left[i].String())
		}
	}
	return diff
}

// inOrder puts those first that name the most labels: the others may take what is left.
func (c *check) inOrder() []expected {
	out := slices.Clone(c.expect)
	slices.SortStableFunc(out, func(a, b expected) int { return cmp.Compare(len(b.labels), len(a.labels)) })
	return out
}

func has(all, wanted map[string]string) bool {
	for k, v := range wanted {
		if all[k] != v {
			return false
		}
	}
	return true
}

// differences are lines that say what the alert should have been.
func (e *expected) differences(a *actual) (out []string) {
	add := func(what, want, got string) {
		out = append(out, fmt.Sprintf("    %-12s expected %s, got %s", what+":", want, got))
	}
	if e.status != a.status {
		add("status", e.status, a.status)
	}
	if e.value != nil && !near(*e.value, a) {
		add("value", number(*e.value), value(a.value))
	}
	if e.since != nil && *e.since != a.since {
		add("since", rule.Duration(*e.since).String(), rule.Duration(a.since).String())
	}
	if e.ended != nil && (a.status != statusResolved || *e.ended != a.ended) {
		add("ended", rule.Duration(*e.ended).String(), map[bool]string{true: rule.Duration(a.ended).String(), false: "not yet"}[a.status == statusResolved])
	}
	for _, k := range slices.Sorted(maps.Keys(e.annotations)) {
		if got, ok := a.annotations[k]; !ok {
			add(k, strconv.Quote(e.annotations[k]), "no such annotation")
		} else if got != e.annotations[k] {
			add(k, strconv.Quote(e.annotations[k]), strconv.Quote(got))
		}
	}
	return out
}

func near(want float64, a *actual) bool {
	if a.value.Null() {
		return false
	}
	allowed := tolerance
	if a.approximate {
		allowed = sketchError
	}
	return math.Abs(want-a.value.N) <= allowed*max(1, math.Abs(want))
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 12, 64) }

func value(v expr.Value) string {
	if v.Null() {
		return "no data"
	}
	return number(v.N)
}

func (e *expected) String() string {
	s := e.status + labelText("", e.labels)
	if e.value != nil {
		s += " value " + number(*e.value)
	}
	return s
}

func (a *actual) String() string {
	s := fmt.Sprintf("%s %s value %s since %s", a.status, labelText(a.name, a.labels), value(a.value), rule.Duration(a.since))
	if a.status == statusResolved {
		s += " until " + rule.Duration(a.ended).String()
	}
	return s
}

// labelText is name{a="b"}, the name not repeated as a label.
func labelText(name string, labels map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k != "alertname" || labels[k] != name {
			parts = append(parts, k+"="+strconv.Quote(labels[k]))
		}
	}
	if len(parts) == 0 {
		return name
	}
	return name + "{" + strings.Join(parts, ",") + "}"
}
