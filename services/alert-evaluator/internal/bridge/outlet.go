package bridge

import (
	"net/http"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
)

// outlet turns the events of one partition into what a receiver is sent.
type outlet interface {
	// next takes an event in and returns what to post for it now; ok = false: nothing.
	next(e *contract.AlertEvent, raw []byte, verdict string) (p post, ok bool, err error)
	// told says that the post of next is done with: delivered, or refused for good.
	told(fingerprint string)
}

// webhookOutlet passes events on as they are.
type webhookOutlet struct{ secret string }

func (o webhookOutlet) next(e *contract.AlertEvent, raw []byte, verdict string) (post, bool, error) {
	header := func(now time.Time) http.Header { return webhookHeader(o.secret, e.ID, raw, now) }
	return post{body: raw, header: header}, verdict == outcomeSent, nil
}

func (webhookOutlet) told(string) {}

// alertmanagerOutlet remembers what fires.
type alertmanagerOutlet struct{ *active }

func (o alertmanagerOutlet) next(e *contract.AlertEvent, _ []byte, verdict string) (post, bool, error) {
	alerts := o.apply(e, verdict)
	if len(alerts) == 0 {
		return post{}, false, nil
	}
	p, err := alertsPost(alerts)
	return p, true, err
}

func alertsPost(alerts []amAlert) (post, error) {
	body, err := encode(alerts)
	return post{body: body, header: jsonHeader}, err
}

func jsonHeader(time.Time) http.Header { return http.Header{"Content-Type": {contentTypeJSON}} }

// outlet is a fresh outlet for a partition.
func (r Receiver) outlet() outlet {
	if r.Alertmanager != nil {
		return alertmanagerOutlet{newActive()}
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
