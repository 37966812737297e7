package bridge

import (
	"slices"

	"github.com/logmill/logmill/shared/contract"
)

// Outcomes of an event at a receiver, as the metric has them.
const (
	outcomeSent         = "sent"
	outcomeDead         = "dead"
	outcomeUnrouted     = "unrouted"
	outcomeSilenced     = "silenced"
	outcomeAcknowledged = "acknowledged"
	outcomeRepeat       = "repeat"
)

// matches tells whether the route brings the event to its receiver.
func (r Route) matches(d *contract.AlertData) bool {
	if len(r.Severity) > 0 && !slices.Contains(r.Severity, d.Severity) {
		return false
	}
	if len(r.Team) > 0 && !slices.Contains(r.Team, d.Team) {
		return false
	}
	for k, want := range r.Labels {
		if have, ok := d.Labels[k]; !ok || have != want {
			return false
		}
	}
	return true
}

// verdict is what shall become of an event at a receiver: outcomeSent, outcomeUnrouted or outcomeSilenced.
func (f File) verdict(receiver string, d *contract.AlertData) string {
	routed := slices.ContainsFunc(f.Routes, func(r Route) bool { return r.Receiver == receiver && r.matches(d) })
	switch {
	case !routed:
		return outcomeUnrouted
	case d.Annotations[silencedBy] != "":
		return outcomeSilenced
	}
	return outcomeSent
}
