// Package event turns what the engine says into what subscribers and the history get.
package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule/engine"
	"github.com/logmill/logmill/shared/rule/expr"
)

const maxMessage = 1024 // characters of a line in an event

// Origin is where in the stream an event was decided.
type Origin struct {
	Source    string // of the outbox: p<partition> or g
	Partition *int32
	Offset    *int64
}

// Make builds the CloudEvent. seq is its place in the source's outbox.
func Make(ev *engine.Event, o Origin, seq int64, evidence []contract.AlertEvidence) *contract.AlertEvent {
	starts, c := at(ev.Starts), ev.Rule
	e := &contract.AlertEvent{
		SpecVersion: "1.0", ID: contract.AlertID(ev.Fingerprint, starts, ev.Seq), Source: contract.AlertSource, Type: contract.AlertFiring, Time: at(ev.Tick), Subject: c.Name,
		DataContentType: "application/json", DataSchema: contract.AlertDataSchema, PartitionKey: ev.Fingerprint, Sequence: fmt.Sprintf("%010d", ev.Seq),
	}
	d := &e.Data
	*d = contract.AlertData{
		Status: "firing", Reason: ev.Reason, Early: ev.Early, Fingerprint: ev.Fingerprint, DedupKey: ev.Fingerprint,
		Rule:     contract.AlertRule{ID: c.ID, Name: c.Name, Version: c.Version, Description: c.Description},
		Severity: c.Severity, Labels: ev.Labels, Annotations: annotations(ev), Team: c.Team, StartsAt: starts, PendingSince: maybe(ev.Pending), LastTrueAt: maybe(ev.LastTrue),
		Value: number(ev.Value), Peak: number(ev.Peak),
		Condition:  contract.AlertCondition{Expression: c.Condition, Operator: c.Operator, Threshold: c.Threshold, ResolveThreshold: c.ResolveThreshold, Filter: c.Filter, ForSeconds: int(time.Duration(c.For).Seconds())},
		Window:     contract.AlertWindow{Start: at(ev.WindowStart), End: at(ev.WindowEnd), Seconds: int(time.Duration(c.TimeWindow).Seconds()), Samples: ev.Samples, Approximate: ev.Approximate},
		Aggregates: map[string]*float64{}, Evidence: evidence, Links: links(ev),
		SourceState: contract.AlertSourceState{Partition: o.Partition, Offset: o.Offset, Watermark: at(ev.Watermark), Outbox: o.Source + ":" + strconv.FormatInt(seq, 10)},
	}
	for k, v := range ev.Aggregates {
		d.Aggregates[k] = number(v)
	}
	switch ev.Kind {
	case engine.Updated:
		e.Type = contract.AlertUpdated
	case engine.Resolved:
		e.Type, d.Status, d.EndsAt = contract.AlertResolved, "resolved", maybe(ev.Ends)
	}
	return e
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func maybe(ns int64) *time.Time {
	if ns == 0 {
		return nil
	}
	t := at(ns)
	return &t
}

func number(v expr.Value) *float64 {
	if v.Null() {
		return nil
	}
	return &v.N
}

func annotations(ev *engine.Event) map[string]string {
	out := map[string]string{}
	maps.Copy(out, ev.Rule.Annotations)
	if _, ok := out["summary"]; !ok {
		out["summary"] = summary(ev)
	}
	for k, v := range map[string]string{"runbook_url": ev.Rule.RunbookURL, "acknowledged_by": ev.Ack, "note": ev.Note, "silenced_by": ev.Silence} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

func summary(ev *engine.Event) string {
	value := "no data"
	if !ev.Value.Null() {
		value = strconv.FormatFloat(ev.Value.N, 'g', 6, 64)
	}
	group := ""
	for _, k := range slices.Sorted(maps.Keys(ev.Labels)) {
		if k != "alertname" {
			group += fmt.Sprintf(" %s=%s", k, ev.Labels[k])
		}
	}
	return fmt.Sprintf("%s%s: %s (%s %v)", ev.Rule.Name, group, value, ev.Rule.Operator, ev.Rule.Threshold)
}

func links(ev *engine.Event) map[string]string {
	q := fmt.Sprintf("/api/logs?start=%d&end=%d", ev.WindowStart, ev.WindowEnd+1)
	if s := ev.Labels["service"]; s != "" {
		q += "&service=" + strings.ReplaceAll(s, " ", "%20")
	}
	return map[string]string{"rule": "/api/alert-rules/" + ev.Rule.ID, "logs": q}
}

// Episode is the history's row of an event.
func Episode(ev *engine.Event, data *contract.AlertData) (store.Episode, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return store.Episode{}, fmt.Errorf("encoding alert %s: %w", ev.Fingerprint, err)
	}
	id, err := strconv.ParseInt(ev.Rule.ID, 10, 64)
	if err != nil {
		return store.Episode{}, fmt.Errorf("rule id %q: %w", ev.Rule.ID, err)
	}
	value := data.Value
	return store.Episode{Fingerprint: ev.Fingerprint, Starts: ev.Starts, Final: ev.Final, Ends: ev.Ends, RuleID: id, Version: ev.Rule.Version, Name: ev.Rule.Name, Team: ev.Rule.Team,
		Severity: ev.Rule.Severity, Service: ev.Labels["service"], Value: value, Peak: data.Peak, Reason: ev.Reason, Ack: ev.Ack, Note: ev.Note, Event: raw,
		Opens: ev.Kind == engine.Firing && ev.Reason != engine.ReasonRenotify || ev.Kind == engine.Confirmed}, nil
}

// Line is a stored record as evidence.
func Line(r store.Line, topic string) contract.AlertEvidence {
	return contract.AlertEvidence{Timestamp: at(r.Record.Timestamp), Service: r.Record.Service, Level: r.Record.Level.String(), Message: clip(r.Record.Message),
		TraceID: r.Record.TraceID, LogID: r.ID, Kafka: fmt.Sprintf("%s/%d/%d/%d", topic, r.Partition, r.Record.SrcOffset, r.Record.SrcRow)}
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxMessage {
		return s
	}
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage])
	}
	return s
}
