package watch

import (
	"cmp"
	"slices"
	"time"

	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

// Alert is a meta alert: one a kind of problem and, for problems of a service or a rule, one each. Times are ns; times of MySQL's clock, not of events.
type Alert struct {
	Kind    string  `json:"kind"`
	Service string  `json:"service,omitempty"`
	RuleID  string  `json:"rule_id,omitempty"`
	First   int64   `json:"first"`            // when it was first seen
	Since   int64   `json:"since"`            // since when the trouble lasts
	Starts  int64   `json:"starts,omitempty"` // 0: it does not fire yet
	Told    int64   `json:"told,omitempty"`
	Seq     int64   `json:"seq,omitempty"`
	Parts   []int32 `json:"parts,omitempty"` // concerned now
	Said    []int32 `json:"said,omitempty"`  // … and when it was last told
	Value   float64 `json:"value"`
	Peak    float64 `json:"peak"`
	Detail  string  `json:"detail"`
	Ack     string  `json:"ack,omitempty"`
	Note    string  `json:"note,omitempty"`
	Quiet   string  `json:"quiet,omitempty"` // the silence that covers it
	Muted   bool    `json:"muted,omitempty"` // resolved by hand: not told again before the problem is gone
}

// State is what the speaking replica hands to the next one.
type State struct {
	Alerts   []Alert          `json:"alerts,omitempty"`
	Silences []engine.Command `json:"silences,omitempty"` // in force
	RuleSeq  int64            `json:"rule_seq"`           // of rule_clock: commands up to it are carried out
}

// Event is something to be told of an alert.
type Event struct {
	Alert
	What   engine.Kind // Firing, Updated or Resolved
	Reason string
	At     int64
}

// Fingerprint names the meta alert that tells of a problem.
func Fingerprint(p *blind.Problem) string {
	a := alertOf(p)
	return a.fingerprint()
}

func alertOf(p *blind.Problem) Alert {
	return Alert{Kind: p.Kind, Service: p.Service, RuleID: p.RuleID}
}

// RuleID is the rule.id of a kind's events.
func RuleID(kind string) string { return "meta:" + kind }

func (a *Alert) fingerprint() string { return rule.Fingerprint(RuleID(a.Kind), a.group()) }

// group are the labels that tell alerts of a kind apart.
func (a *Alert) group() map[string]string {
	out := map[string]string{}
	if a.Service != "" {
		out["service"] = a.Service
	}
	if a.RuleID != "" {
		out["rule_id"] = a.RuleID
	}
	return out
}

// Look is what a look found.
type Look struct {
	Now      int64         // MySQL's clock, ns
	Hold     time.Duration // how long a problem lasts before it is told of
	Rules    *Rules
	Problems []blind.Problem
	Commands []engine.Command // what people did since the last look
}

// Step takes the state from one look to the next: first what people did, then what is the matter.
func (s *State) Step(l Look) (events []Event) {
	now := l.Now / 1e6 * 1e6 // ids hold ms
	events = append(s.obey(now, l.Commands), s.requiet(now, l.Rules)...)
	seen := s.gather(now, l.Problems)
	kept := s.Alerts[:0]
	for i := range s.Alerts {
		a := &s.Alerts[i]
		if !seen[a.fingerprint()] {
			if a.Starts > 0 {
				events = append(events, a.tell(now, engine.Resolved, "meta"))
			}
			continue
		}
		if a.Peak = max(a.Peak, a.Value); a.Starts == 0 {
			a.Quiet = s.quiet(now, l.Rules.silenceLabels(a))
		}
		events = append(events, a.next(now, int64(l.Hold))...)
		kept = append(kept, *a)
	}
	s.Alerts = kept
	return events
}

// gather brings the alerts up to date with the problems, making new ones, and tells which have any.
func (s *State) gather(now int64, problems []blind.Problem) map[string]bool {
	seen := map[string]bool{}
	for i := range problems {
		p := &problems[i]
		a := s.of(now, p)
		if fp := a.fingerprint(); !seen[fp] {
			seen[fp] = true
			a.Parts, a.Value, a.Since, a.Detail = nil, 0, p.Since, p.Detail
		}
		if p.Partition >= 0 {
			a.Parts = append(a.Parts, p.Partition)
		}
		a.Since = min(a.Since, p.Since)
		a.Value = value(now, p, a)
	}
	return seen
}

// value is for how many seconds rules have been blind by lag, or how many partitions are concerned.
func value(now int64, p *blind.Problem, a *Alert) float64 {
	if lags(p.Kind) {
		return max(a.Value, float64(now-p.Since)/1e9)
	}
	return a.Value + 1
}

func lags(kind string) bool {
	return kind == blind.ProcessorBehind || kind == blind.EvaluatorBehind || kind == blind.GlobalBehind
}

func (s *State) of(now int64, p *blind.Problem) *Alert {
	for i := range s.Alerts {
		if a := &s.Alerts[i]; a.Kind == p.Kind && a.Service == p.Service && a.RuleID == p.RuleID {
			return a
		}
	}
	a := alertOf(p)
	a.First = now
	s.Alerts = append(s.Alerts, a)
	slices.SortFunc(s.Alerts, func(x, y Alert) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.RuleID, y.RuleID), cmp.Compare(x.Service, y.Service))
	})
	return s.of(now, p)
}

// next is what a problem that lasts makes of its alert.
func (a *Alert) next(now, hold int64) []Event {
	switch {
	case a.Muted:
	case a.Starts == 0:
		if now-a.First >= hold {
			a.Starts = now
			return []Event{a.tell(now, engine.Firing, "meta")}
		}
	case now-a.Told >= int64(Repeat):
		return []Event{a.tell(now, engine.Firing, engine.ReasonRenotify)}
	case now-a.Told >= int64(UpdateEvery) && !slices.Equal(a.Parts, a.Said):
		return []Event{a.tell(now, engine.Updated, "meta")}
	}
	return nil
}

// tell numbers an event. Numbers grow for ever, since seconds do: nobody has to remember those of alerts that are over.
func (a *Alert) tell(now int64, what engine.Kind, reason string) Event {
	a.Seq = max(a.Seq+1, now/1e9)
	a.Told, a.Said = now, slices.Clone(a.Parts)
	return Event{Alert: *a, What: what, Reason: reason, At: now}
}

// obey carries out what people did. Commands for other alerts are passed over.
func (s *State) obey(now int64, commands []engine.Command) (events []Event) {
	for i := range commands {
		c := &commands[i]
		switch c.Kind {
		case engine.CommandSilence, engine.CommandExpire:
			s.Silences = slices.DeleteFunc(s.Silences, func(q engine.Command) bool { return q.Silence == c.Silence })
			if c.Kind == engine.CommandSilence && c.Until > now {
				s.Silences = append(s.Silences, *c)
			}
		default:
			events = append(events, s.handle(now, c)...)
		}
	}
	return events
}

// requiet tells of each firing alert that has come under a silence or out of one.
func (s *State) requiet(now int64, r *Rules) (events []Event) {
	s.Silences = slices.DeleteFunc(s.Silences, func(q engine.Command) bool { return q.Until <= now })
	for i := range s.Alerts {
		a := &s.Alerts[i]
		if quiet := s.quiet(now, r.silenceLabels(a)); a.Starts > 0 && a.Quiet != quiet {
			a.Quiet = quiet
			events = append(events, a.tell(now, engine.Updated, engine.ReasonManual))
		}
	}
	return events
}

func (s *State) handle(now int64, c *engine.Command) []Event {
	for i := range s.Alerts {
		a := &s.Alerts[i]
		if a.Starts == 0 || a.fingerprint() != c.Fingerprint || c.Starts != 0 && c.Starts != a.Starts {
			continue
		}
		a.Note = c.Note
		switch c.Kind {
		case engine.CommandAcknowledge:
			a.Ack = c.Who
		case engine.CommandResolve:
			a.Ack = c.Who
			ev := a.tell(now, engine.Resolved, engine.ReasonManual)
			a.Starts, a.Muted, a.Ack, a.Note, a.Quiet = 0, true, "", "", ""
			return []Event{ev}
		}
		return []Event{a.tell(now, engine.Updated, engine.ReasonManual)}
	}
	return nil
}

// quiet is the silence that covers an alert of these labels, "" for none.
func (s *State) quiet(now int64, labels map[string]string) string {
	for _, q := range s.Silences {
		match, err := rule.Matching(q.Matchers)
		if err == nil && q.From <= now && match(labels) {
			return q.Silence
		}
	}
	return ""
}
