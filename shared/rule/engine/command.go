package engine

import (
	"slices"
)

// silence keeps alerts quiet while it lasts. It does not change what fires: bridges look at the event's mark.
type silence struct {
	ID       string
	Matchers map[string]string
	Until    int64 // tick
}

func (s *silence) covers(labels map[string]string) bool {
	for k, v := range s.Matchers {
		if labels[k] != v {
			return false
		}
	}
	return true
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
		s := &silence{ID: c.Silence, Matchers: c.Matchers, Until: tickOf(c.Until)}
		e.quiets = append(e.quiets, s)
		e.insert(input{tick: max(s.Until, t+1), command: &Command{ID: c.ID, Kind: CommandExpire, Silence: c.Silence}})
		e.requiet(t)
	case CommandExpire:
		before := len(e.quiets)
		e.quiets = slices.DeleteFunc(e.quiets, func(s *silence) bool { return s.ID == c.Silence })
		if len(e.quiets) != before {
			e.requiet(t)
		}
	default:
		if i := e.firing(c.Fingerprint); i != nil {
			e.handle(i, c, t)
		}
	}
}

// requiet tells of each firing alert that has come under a silence or out of one.
func (e *Engine) requiet(t int64) {
	for _, a := range e.sortedRules() {
		for _, i := range sortedInstances(a) {
			if i.alert.Phase != firing {
				continue
			}
			if quiet := e.quietFor(i, t); quiet != i.alert.Quiet {
				i.alert.Quiet = quiet
				e.emit(i, Updated, ReasonManual, t, nil)
			}
		}
	}
}

// quietFor is the silence that covers an instance, "" for none.
func (e *Engine) quietFor(i *instance, t int64) string {
	for _, s := range e.quiets {
		if t < s.Until && s.covers(i.allLabels()) {
			return s.ID
		}
	}
	return ""
}

func (e *Engine) firing(fingerprint string) *instance {
	for _, a := range e.active {
		for _, i := range a.instances {
			if i.fingerprint == fingerprint && i.alert.Phase == firing {
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
		i.alert.Ack, i.alert.AckNote = c.Who, c.Note
		e.end(i, t, t, ReasonManual)
		if next := i.next(t); next != 0 {
			e.wakeAt(i, next)
		}
	case CommandAcknowledge, CommandNote:
		if c.Kind == CommandAcknowledge {
			i.alert.Ack = c.Who
		}
		i.alert.AckNote = c.Note
		e.emit(i, Updated, ReasonManual, t, nil)
	}
}
