package engine

import (
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/rule"
)

// silence keeps alerts quiet while it lasts. It does not change what fires: bridges look at the event's mark.
type silence struct {
	ID          string
	Matchers    []rule.Matcher
	From, Until int64 // ticks: it covers From … Until-1
	match       func(labels map[string]string) bool
}

// commands carries out what people did, after the tick's own decisions.
func (e *Engine) commands(t int64) {
	for len(e.future) > 0 && e.future[0].tick <= t {
		c := e.future[0].command
		e.future = slices.Delete(e.future, 0, 1)
		e.carryOut(c, t)
	}
}

func (e *Engine) carryOut(c *Command, t int64) {
	switch c.Kind {
	case CommandSilence:
		e.unsilence(c.Silence)
		match, err := rule.Matching(c.Matchers)
		if s := (&silence{ID: c.Silence, Matchers: c.Matchers, From: tickOf(c.From), Until: tickOf(c.Until), match: match}); err == nil && s.Until > t {
			e.silence(s, t)
		}
		e.requiet(t)
	case CommandExpire:
		e.unsilence(c.Silence)
		e.requiet(t)
	case commandTurn:
		e.quiets = slices.DeleteFunc(e.quiets, func(s *silence) bool { return s.Until <= t })
		e.requiet(t)
	default:
		if i := e.firing(c.Fingerprint); i != nil && (c.Starts == 0 || c.Starts == i.alert.Starts*Tick) {
			e.handle(i, c, t)
		}
	}
}

// silence takes one in, by id so that of two that cover an alert always the same one is told, and plans its beginning and end.
func (e *Engine) silence(s *silence, t int64) {
	k, _ := slices.BinarySearchFunc(e.quiets, s.ID, func(q *silence, id string) int { return compareIDs(q.ID, id) })
	e.quiets = slices.Insert(e.quiets, k, s)
	for _, turn := range []int64{s.From, s.Until} {
		if turn > t {
			e.insert(input{tick: turn, command: &Command{Kind: commandTurn, Silence: s.ID}})
		}
	}
}

// unsilence forgets a silence and its turns: a turn left behind would hold back early decisions that a restored engine takes.
func (e *Engine) unsilence(id string) {
	e.quiets = slices.DeleteFunc(e.quiets, func(s *silence) bool { return s.ID == id })
	e.future = slices.DeleteFunc(e.future, func(in input) bool {
		return in.command != nil && in.command.Kind == commandTurn && in.command.Silence == id
	})
}

// requiet tells of each firing alert that has come under a silence or out of one.
func (e *Engine) requiet(t int64) {
	for _, a := range e.sortedRules() {
		for _, i := range sortedInstances(a) {
			if i.alert.Phase != firing {
				continue
			}
			if quiet := e.quietFor(i, t); quiet != i.alert.said().Quiet {
				i.alert.quiet(quiet)
				e.emit(i, Updated, ReasonManual, t, nil)
			}
		}
	}
}

// quietFor is the silence that covers an instance, "" for none.
func (e *Engine) quietFor(i *instance, t int64) string {
	for _, s := range e.quiets {
		if s.From <= t && t < s.Until && s.match(i.silenceLabels()) {
			return s.ID
		}
	}
	return ""
}

// silenceLabels are what matchers see: the alert's labels, and besides severity, team and rule_id where no label has that name.
func (i *instance) silenceLabels() map[string]string {
	c := i.a.c
	out := map[string]string{"severity": c.Severity, "rule_id": c.ID}
	if c.Team != "" {
		out["team"] = c.Team
	}
	maps.Copy(out, i.allLabels())
	return out
}

func (e *Engine) firing(fingerprint string) *instance {
	for _, a := range e.active {
		for _, i := range a.instances {
			if i.alert.Phase == firing && i.fingerprint() == fingerprint {
				return i
			}
		}
	}
	return nil
}

func (e *Engine) handle(i *instance, c *Command, t int64) {
	switch c.Kind {
	case CommandResolve:
		i.alert.Muted = true
		said := i.alert.said()
		said.Ack, said.Note = c.Who, c.Note
		i.alert.say(said)
		e.end(i, t, t, ReasonManual)
		if next := i.next(t); next != 0 {
			e.wakeAt(i, next)
		}
		e.settle(i)
	case CommandAcknowledge, CommandNote:
		said := i.alert.said()
		if c.Kind == CommandAcknowledge {
			said.Ack = c.Who
		}
		if c.Note != "" { // an acknowledgement without words takes none away
			said.Note = c.Note
		}
		i.alert.say(said)
		e.emit(i, Updated, ReasonManual, t, nil)
	}
}
