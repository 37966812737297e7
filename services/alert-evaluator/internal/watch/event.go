package watch

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

// Source is the outbox of meta alerts.
const Source = "m"

// names are the alerts' names: for people, and for routes.
var names = map[string]string{
	blind.ProcessorBehind: "Alert rules are blind: the processor is behind",
	blind.EvaluatorBehind: "Alert rules are blind: the alert-evaluator is behind",
	blind.GlobalBehind:    "Alert rules are blind: rules over all partitions are behind",
	blind.Gap:             "Alert rules are blind: lines are missing",
	blind.Lost:            "Alert rules are blind: a position is lost",
	blind.Misplaced:       "Alert rules are blind: lines on the wrong partition",
	blind.Error:           "Alert rule cannot be evaluated",
	blind.Overflow:        "Alert rule has too many groups",
}

// Kinds are all kinds of problems, in a fixed order.
var Kinds = slices.Sorted(maps.Keys(names))

// expression is what the value is of.
func expression(kind string) string {
	if lags(kind) {
		return "seconds_blind"
	}
	return "problems"
}

// Make builds the CloudEvent of ev. place is its number in the outbox, after what was Find's.
func (r *Rules) Make(ev *Event, f *Facts, problems []blind.Problem, after time.Duration, place int64) *contract.AlertEvent {
	fp, starts := ev.fingerprint(), at(ev.Starts)
	name := names[ev.Kind]
	team, severity := r.face(&ev.Alert)
	e := &contract.AlertEvent{
		SpecVersion: "1.0", ID: contract.AlertID(fp, starts, ev.Seq), Source: contract.AlertSource, Type: contract.AlertFiring, Time: at(ev.At), Subject: name,
		DataContentType: "application/json", DataSchema: contract.AlertDataSchema, PartitionKey: fp, Sequence: fmt.Sprintf("%010d", ev.Seq),
	}
	threshold := 1.0
	if lags(ev.Kind) {
		threshold = after.Seconds()
	}
	e.Data = contract.AlertData{
		Status: "firing", Reason: ev.Reason, Fingerprint: fp, DedupKey: fp, Rule: contract.AlertRule{ID: RuleID(ev.Kind), Name: name, Version: 1},
		Severity: severity, Team: team, Labels: labels(&ev.Alert), Annotations: r.annotations(ev, f, problems), StartsAt: starts, Value: &ev.Value, Peak: &ev.Peak,
		Condition:   contract.AlertCondition{Expression: expression(ev.Kind), Operator: ">=", Threshold: threshold},
		Window:      contract.AlertWindow{Start: at(min(ev.Since, ev.At)), End: at(ev.At), Seconds: int(time.Duration(max(0, ev.At-ev.Since)).Seconds())},
		Links:       map[string]string{"rule": "/api/alert-rules"},
		SourceState: contract.AlertSourceState{Watermark: at(f.oldest()), Outbox: Source + ":" + strconv.FormatInt(place, 10)},
	}
	if ev.RuleID != "" {
		e.Data.Links["rule"] += "/" + ev.RuleID
	}
	switch ev.What {
	case engine.Updated:
		e.Type = contract.AlertUpdated
	case engine.Resolved:
		e.Type, e.Data.Status, e.Data.EndsAt = contract.AlertResolved, "resolved", &e.Time
	}
	return e
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func labels(a *Alert) map[string]string {
	out := a.group()
	out["alertname"], out["kind"] = names[a.Kind], a.Kind
	return out
}

// silenceLabels are what matchers see, as of the engine's alerts.
func (r *Rules) silenceLabels(a *Alert) map[string]string {
	out := map[string]string{}
	out["team"], out["severity"] = r.face(a)
	maps.Copy(out, labels(a))
	return out
}

// face is what routes go by: alerts about a rule go where the rule's own do.
func (r *Rules) face(a *Alert) (team, severity string) {
	severity = "high"
	switch a.Kind {
	case blind.Misplaced:
		severity = "medium"
	case blind.Overflow:
		severity = "low"
	}
	if k := r.byID[a.RuleID]; k != nil {
		team = k.version.Rule.Team
		if a.Kind == blind.Error && slices.Contains(rule.Severities, k.version.Rule.Severity) {
			severity = k.version.Rule.Severity
		}
	}
	return team, severity
}

func (r *Rules) annotations(ev *Event, f *Facts, problems []blind.Problem) map[string]string {
	out := map[string]string{"summary": ev.Detail}
	if len(ev.Parts) > 0 {
		if more := len(ev.Parts) - 1; more > 0 {
			out["summary"] += fmt.Sprintf(" (and %d more)", more)
		}
		out["partitions"] = strings.Trim(strings.ReplaceAll(fmt.Sprint(ev.Parts), " ", ", "), "[]")
	}
	if k := r.byID[ev.RuleID]; k != nil {
		out["rule"] = k.version.Rule.Name
	} else if ev.What != engine.Resolved {
		out["rules"] = r.impact(f, problems, ev.Kind, ev.Service)
	}
	for k, v := range map[string]string{"acknowledged_by": ev.Ack, "note": ev.Note, "silenced_by": ev.Quiet} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// impact counts the rules that problems of a kind make blind, and names the first.
func (r *Rules) impact(f *Facts, problems []blind.Problem, kind, service string) string {
	n, v := 0, f.view(nil)
	var some []string
	for _, k := range r.sorted() {
		if k.c == nil {
			continue
		}
		for i := range problems {
			if p := &problems[i]; p.Kind == kind && p.Service == service && v.Concerns(p, k.c) {
				n++
				if len(some) < MaxNames {
					some = append(some, k.c.Name)
				}
				break
			}
		}
	}
	text := fmt.Sprintf("%d of %d", n, r.Len())
	if n > 0 {
		text += ": " + strings.Join(some, ", ")
	}
	if n > len(some) {
		text += ", …"
	}
	return text
}
