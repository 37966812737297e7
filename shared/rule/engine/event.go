package engine

import (
	"maps"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// Kind of an event.
type Kind uint8

// The kinds.
const (
	Firing  Kind = iota + 1
	Updated      // something about a firing alert changed
	Resolved
	Confirmed // the closed tick of an early alert: for the history, not for subscribers
)

// Reasons of events, as the alert's schema has them.
const (
	ReasonCondition = "condition"
	ReasonNoData    = "no_data"
	ReasonRenotify  = "renotify"
	ReasonSeverity  = "severity_change"
	ReasonChanged   = "rule_changed"
	ReasonDisabled  = "rule_disabled"
	ReasonDeleted   = "rule_deleted"
	ReasonStale     = "stale_group"
	ReasonManual    = "manual"
)

// Event is what the engine says. Times are ns.
type Event struct {
	Kind        Kind
	Reason      string
	Early       bool
	Rule        *rule.Compiled
	Fingerprint string
	Labels      map[string]string // of the group, of the pin, and the rule's own
	Tick        int64             // that decided
	Starts      int64             // announced
	Final       int64             // the first closed tick of the episode; 0 while unconfirmed
	Ends        int64             // 0 while firing
	Pending     int64
	LastTrue    int64
	Seq         int64
	Value, Peak expr.Value
	Samples     int64
	Approximate bool
	Aggregates  map[string]expr.Value // by their text
	WindowStart int64
	WindowEnd   int64
	Evidence    []RecordID
	Ack, Note   string // who acknowledged, and what they said
	Silence     string // that covers it
	Watermark   int64
}

// emit says something about an instance at a tick.
func (e *Engine) emit(i *instance, k Kind, reason string, tick int64, v *view) {
	a, c := &i.alert, i.a.c
	said := a.said()
	ev := Event{Kind: k, Reason: reason, Early: k != Confirmed && a.Final == 0, Rule: c, Fingerprint: i.fingerprint(), Labels: i.allLabels(), Tick: tick * Tick,
		Starts: a.Starts * Tick, Final: a.Final * Tick, Pending: a.Pending * Tick, LastTrue: a.LastTrue * Tick, Value: a.Value.value(), Peak: a.Peak.value(),
		Ack: said.Ack, Note: said.Note, Silence: said.Quiet, Watermark: e.wm}
	if e.place.Global { // how far all partitions are when it is decided depends on who decides when
		ev.Watermark = tick * Tick
	}
	if a.Phase == firing && a.False == 0 {
		ev.LastTrue = max(a.LastTrue, tick) * Tick // whenever it was looked at last
	}
	if k != Confirmed {
		a.Seq++
		a.Told = tick
	}
	ev.Seq = a.Seq
	if v == nil {
		v = i.view(tick, false)
	}
	if k == Resolved || k == Updated || reason == ReasonRenotify {
		ev.Value = i.value(v) // of now; what it began with stays in Peak and in the history
	}
	e.fill(&ev, i, v)
	e.events = append(e.events, ev)
}

// fill reads the window.
func (e *Engine) fill(ev *Event, i *instance, v *view) {
	c := i.a.c
	size := c.Bucket() / Tick
	ev.WindowEnd = v.tick * Tick
	ev.WindowStart = max(v.tick/size*size-int64(c.TimeWindow)/Tick, v.warm*size) * Tick
	ev.Samples = v.samples()
	ev.Aggregates = map[string]expr.Value{}
	for k, g := range c.Aggregates {
		ev.Aggregates[expr.Print(g)] = v.aggregate(k)
	}
	ev.Approximate = v.approximate
	if i.evidence != nil && (ev.Kind == Firing || ev.Kind == Confirmed) {
		ev.Evidence = v.evidence(i.a.evidence, i.evidence)
	}
}

// allLabels are alertname, the rule's labels, the pin and the group.
func (i *instance) allLabels() map[string]string {
	out := map[string]string{}
	maps.Copy(out, i.a.c.Labels)
	if i.a.c.Pinned {
		out["service"] = i.a.c.Pin
	}
	maps.Copy(out, i.groupLabels())
	out["alertname"] = i.a.c.Name
	return out
}
