package bridge

import (
	"slices"

	"github.com/logmill/logmill/shared/contract"
)

// Outcomes of an event at a receiver, as the metric has them.
const (
	outcomeSent     = "sent"
	outcomeDead     = "dead"
	outcomeUnrouted = "unrouted"
	outcomeSilenced = "silenced"
	outcomeRepeat   = "repeat"
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

// verdict is what a receiver shall do with an event: outcomeSent, outcomeUnrouted or outcomeSilenced. Silence comes before routes,
// because an alert that leaves a receiver's routes is ended there, and a silenced one is not spoken of at all.
func (f File) verdict(receiver string, d *contract.AlertData) string {
	if d.Annotations[silencedBy] != "" {
		return outcomeSilenced
	}
	for _, r := range f.Routes {
		if r.Receiver == receiver && r.matches(d) {
			return outcomeSent
		}
	}
	return outcomeUnrouted
}
