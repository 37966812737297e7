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
	base    string               // of links
	alerts  map[string]amAlert   // by fingerprint, the ones that fire
	ending  map[string][]amAlert // by fingerprint, until told
	dropped func()               // an alert, or an end, is too many: it is posted once and not again
}

func newActive(base string, dropped func()) *active {
	return &active{base: base, alerts: map[string]amAlert{}, ending: map[string][]amAlert{}, dropped: dropped}
}

// restore takes in an event of alerts.state, in order of the topic. Nothing is due for it: the re-posting brings it.
func (a *active) restore(e *contract.AlertEvent, verdict string) {
	if verdict == outcomeSent && !resolved(e) {
		a.keep(e.Data.Fingerprint, alertOf(e, a.base))
	} else {
		delete(a.alerts, e.Data.Fingerprint)
	}
}

// keep remembers what fires, up to a limit.
func (a *active) keep(fp string, alert amAlert) {
	if _, have := a.alerts[fp]; !have && len(a.alerts) >= maxActive {
		a.dropped()
		return
	}
	a.alerts[fp] = alert
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
		return a.end(fp, nil, e.Time)
	case resolved(e):
		alert := alertOf(e, a.base)
		a.end(fp, alert.Labels, e.Time)
		return a.addEnd(fp, alert)
	}
	alert := alertOf(e, a.base)
	ends := slices.DeleteFunc(a.end(fp, alert.Labels, e.Time), func(old amAlert) bool { return maps.Equal(old.Labels, alert.Labels) }) // it fires again
	if a.ending[fp] = ends; len(ends) == 0 {
		delete(a.ending, fp)
	}
	a.keep(fp, alert)
	return append(slices.Clone(ends), alert)
}

// end stops an alert from being posted again, and ends it at Alertmanager unless it goes on there under the same labels. It returns the ends to tell.
func (a *active) end(fp string, labels map[string]string, at time.Time) []amAlert {
	old, ok := a.alerts[fp]
	delete(a.alerts, fp)
	if ok && !maps.Equal(old.Labels, labels) {
		return a.addEnd(fp, old.endedAt(at))
	}
	return a.ending[fp]
}

// addEnd remembers an end until it is told, up to a limit, and returns the ends to tell.
func (a *active) addEnd(fp string, ended amAlert) []amAlert {
	ends := append(a.ending[fp], ended)
	if len(a.ending) >= maxActive && len(ends) == 1 || len(ends) > maxEnds {
		a.dropped()
		return ends
	}
	a.ending[fp] = ends
	return ends
}

// told forgets the ends of an alert: Alertmanager has them, or will never take them.
func (a *active) told(fingerprint string) { delete(a.ending, fingerprint) }

// due is all that must be posted again, in the order of fingerprints, in lots of at most maxPost alerts, each with its fingerprints.
func (a *active) due() []lot {
	fps := slices.AppendSeq(slices.Collect(maps.Keys(a.alerts)), maps.Keys(a.ending))
	slices.Sort(fps)
	var lots []lot
	for _, fp := range slices.Compact(fps) {
		alerts := slices.Clone(a.ending[fp])
		if alert, ok := a.alerts[fp]; ok {
			alerts = append(alerts, alert)
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
