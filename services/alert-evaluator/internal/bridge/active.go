package bridge

import (
	"maps"
	"slices"
	"time"

	"github.com/logmill/logmill/shared/contract"
)

// active is what an Alertmanager must be told again and again: the alerts of one partition that fire, and the ends it was not told of yet.
// Alertmanager knows an alert by its labels, we by its fingerprint: an alert whose severity changed is another one there, so the old one is ended.
type active struct {
	alerts map[string]amAlert   // by fingerprint, the ones that fire
	ending map[string][]amAlert // by fingerprint, until told
}

func newActive() *active {
	return &active{alerts: map[string]amAlert{}, ending: map[string][]amAlert{}}
}

// restore takes in an event of alerts.state, in order of the topic. Nothing is due for it: the re-posting brings it.
func (a *active) restore(e *contract.AlertEvent, verdict string) {
	if verdict == outcomeSent && !resolved(e) {
		a.alerts[e.Data.Fingerprint] = alertOf(e)
	} else {
		delete(a.alerts, e.Data.Fingerprint)
	}
}

// forget drops an alert whose state was deleted from alerts.state.
func (a *active) forget(fingerprint string) { delete(a.alerts, fingerprint) }

// apply takes in an event and returns what to post now; told must follow when that came through.
func (a *active) apply(e *contract.AlertEvent, verdict string) []amAlert {
	fp := e.Data.Fingerprint
	switch {
	case verdict == outcomeSilenced: // neither told nor ended: for Alertmanager it just falls silent
		delete(a.alerts, fp)
		delete(a.ending, fp)
		return nil
	case verdict == outcomeUnrouted:
		a.end(fp, nil, e.Time)
		return a.ending[fp]
	case resolved(e):
		alert := alertOf(e)
		a.end(fp, alert.Labels, e.Time)
		a.ending[fp] = append(a.ending[fp], alert)
		return a.ending[fp]
	}
	alert := alertOf(e)
	a.end(fp, alert.Labels, e.Time)
	a.ending[fp] = slices.DeleteFunc(a.ending[fp], func(old amAlert) bool { return maps.Equal(old.Labels, alert.Labels) }) // it fires again
	if len(a.ending[fp]) == 0 {
		delete(a.ending, fp)
	}
	a.alerts[fp] = alert
	return append(slices.Clone(a.ending[fp]), alert)
}

// end stops an alert from being posted again, and ends it at Alertmanager unless it goes on there under the same labels.
func (a *active) end(fp string, labels map[string]string, at time.Time) {
	old, ok := a.alerts[fp]
	delete(a.alerts, fp)
	if ok && !maps.Equal(old.Labels, labels) {
		a.ending[fp] = append(a.ending[fp], old.endedAt(at))
	}
}

// told forgets the ends of an alert: Alertmanager has them, or will never take them.
func (a *active) told(fingerprint string) { delete(a.ending, fingerprint) }

// due is all that must be posted again, in the order of fingerprints, in lots of at most maxPost alerts, each with its fingerprints.
func (a *active) due() []lot {
	fps := slices.Sorted(maps.Keys(a.alerts))
	for fp := range a.ending {
		if _, both := a.alerts[fp]; !both {
			fps = append(fps, fp)
		}
	}
	var lots []lot
	for _, fp := range fps {
		alerts := a.ending[fp]
		if alert, ok := a.alerts[fp]; ok {
			alerts = append(slices.Clone(alerts), alert)
		}
		if n := len(lots); n == 0 || len(lots[n-1].alerts)+len(alerts) > maxPost {
			lots = append(lots, lot{})
		}
		last := &lots[len(lots)-1]
		last.alerts, last.fingerprints = append(last.alerts, alerts...), append(last.fingerprints, fp)
	}
	return lots
}

// lot is one POST of the re-posting.
type lot struct {
	alerts       []amAlert
	fingerprints []string
}

// seen remembers the last sequence of each fingerprint, of at least the maxSeen that came last: two generations, the older one is dropped.
type seen struct{ young, old map[string]int64 }

// repeat tells whether an event of this sequence, or a later one, was had.
func (s *seen) repeat(fingerprint string, sequence int64) bool {
	last, ok := s.young[fingerprint]
	if !ok {
		last, ok = s.old[fingerprint]
	}
	return ok && sequence <= last
}

func (s *seen) add(fingerprint string, sequence int64) {
	if s.young == nil || len(s.young) >= maxSeen {
		s.young, s.old = map[string]int64{}, s.young
	}
	s.young[fingerprint] = sequence
}
