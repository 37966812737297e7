package bridge

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
)

// outlet turns the events of one partition into what a receiver is sent.
type outlet interface {
	// next takes an event in and returns what to post for it now (nil: nothing) and what became of it if that comes through.
	next(e *contract.AlertEvent, raw []byte, verdict string) (p post, outcome string)
	// told says that the post of next is done with: delivered, or refused for good.
	told(fingerprint string)
}

// webhookOutlet passes events on as they are.
type webhookOutlet struct{ secret string }

func (o webhookOutlet) next(e *contract.AlertEvent, raw []byte, verdict string) (post, string) {
	switch {
	case verdict != outcomeSent:
		return nil, verdict
	case e.Data.Reason == reasonRenotify && e.Data.Annotations[acknowledgedBy] != "":
		return nil, outcomeAcknowledged // it only says that it fires still, to somebody who knows
	}
	return func(now time.Time) ([]byte, http.Header) { return raw, webhookHeader(o.secret, e.ID, raw, now) }, verdict
}

func (webhookOutlet) told(string) {}

// alertmanagerOutlet remembers what fires.
type alertmanagerOutlet struct {
	*active
	resend time.Duration
}

func (o alertmanagerOutlet) next(e *contract.AlertEvent, _ []byte, verdict string) (post, string) {
	alerts := o.apply(e, verdict)
	if len(alerts) == 0 {
		return nil, verdict
	}
	return o.post(alerts), verdict
}

// post gives alerts that fire an end that comes unless they are posted again: Alertmanager's own resolve_timeout, which others may have
// set for other reasons, has no say then.
func (o alertmanagerOutlet) post(alerts []amAlert) post {
	return func(now time.Time) ([]byte, http.Header) {
		dated := make([]amAlert, len(alerts))
		for i, a := range alerts {
			if dated[i] = a; a.EndsAt == nil {
				end := now.Add(postsMissed * o.resend)
				dated[i].EndsAt = &end
			}
		}
		body, _ := json.Marshal(dated) // texts, and times that came as JSON: nothing of it can fail
		return body, http.Header{"Content-Type": {contentTypeJSON}}
	}
}

// outlet is a fresh outlet for a partition. dropped counts alerts that are too many to remember.
func (r Receiver) outlet(base string, dropped func()) outlet {
	if am := r.Alertmanager; am != nil {
		return alertmanagerOutlet{newActive(base, dropped), am.Resend}
	}
	return webhookOutlet{r.Webhook.secret.Reveal()}
}

// target is where the receiver's posts go, and how hard they are tried.
func (r Receiver) target() (url string, d Delivery) {
	if r.Alertmanager != nil {
		return strings.TrimSuffix(r.Alertmanager.URL, "/") + alertsPath, r.Alertmanager.Delivery
	}
	return r.Webhook.URL, r.Webhook.Delivery
}
