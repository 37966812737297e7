// Package quota keeps one service from starving the others: lines and bytes a second that the catalogue allows it, at one collector.
package quota

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
)

const (
	// burst is how long a service may send at its rate at once, after a pause: agents send in bursts.
	burst = 5 * time.Second

	// maxTracked bounds the buckets; idle ones are full and need not be remembered.
	maxTracked = 20_000

	maxWait = time.Minute // that a sender is asked to wait, at most
)

// Quotas are the services' buckets. Safe for concurrent use.
type Quotas struct {
	catalogue func() (*catalogue.Catalogue, int)
	now       func() time.Time
	refused   *prometheus.CounterVec

	mu      sync.Mutex
	version int
	limits  *catalogue.Catalogue
	buckets map[string]*bucket
}

// bucket holds what a service may still send now. It may go into debt by one request, so that a request above the burst is possible at all.
type bucket struct {
	at           time.Time
	lines, bytes float64
}

// New makes Quotas of what the catalogue says at each moment.
func New(c func() (*catalogue.Catalogue, int), now func() time.Time, reg prometheus.Registerer) *Quotas {
	q := &Quotas{catalogue: c, now: now, buckets: map[string]*bucket{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_collector_over_quota_total", Help: "Lines that were refused because their service was over its quota."}, []string{"service"})}
	reg.MustRegister(q.refused)
	return q
}

// use is what a request has of one service.
type use struct {
	service string
	limits  catalogue.Limits
	lines   float64
	bytes   float64
}

// Take takes the records of a request of so many bytes out of their services' quotas, or none of them: then a fault Overload names the
// services over theirs and when to come again.
func (q *Quotas) Take(recs []logrec.Record, bytes int) error {
	if q == nil || len(recs) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if c, version := q.catalogue(); version != q.version || q.limits == nil {
		q.limits, q.version = c, version
	}
	uses := q.uses(recs, bytes)
	now := q.now()
	var wait time.Duration
	var over []string
	for _, u := range uses {
		if w := q.bucket(u, now).wait(u.limits); w > 0 {
			wait, over = max(wait, w), append(over, u.service)
		}
	}
	if len(over) > 0 {
		for _, u := range uses {
			if slices.Contains(over, u.service) {
				q.refused.WithLabelValues(u.service).Add(u.lines)
			}
		}
		return fault.Overloaded(min(wait, maxWait), "over quota: %.500s; nothing of the request is stored", fmt.Sprint(over))
	}
	for _, u := range uses {
		b := q.buckets[u.service]
		b.lines -= u.lines
		b.bytes -= u.bytes
	}
	return nil
}

// uses are the parts of a request that have limits. A body's bytes are shared out by lines.
func (q *Quotas) uses(recs []logrec.Record, bytes int) (out []use) {
	each := float64(bytes) / float64(len(recs))
	places := map[string]int{}
	last, place := "", -1
	for i := range recs {
		if s := recs[i].Service; i == 0 || s != last {
			last = s
			var ok bool
			if place, ok = places[s]; !ok {
				place = -1
				if l := q.limits.Service(s).Limits; l != (catalogue.Limits{}) {
					place = len(out)
					out = append(out, use{service: s, limits: l})
				}
				places[s] = place
			}
		}
		if place >= 0 {
			out[place].lines++
			out[place].bytes += each
		}
	}
	return out
}

// bucket is a service's, filled up to now.
func (q *Quotas) bucket(u use, now time.Time) *bucket {
	b := q.buckets[u.service]
	if b == nil {
		q.forget(now)
		b = &bucket{at: now, lines: u.limits.Lines * burst.Seconds(), bytes: u.limits.Bytes * burst.Seconds()}
		q.buckets[string(append([]byte(nil), u.service...))] = b // the request's memory does not last
	}
	passed := max(0, now.Sub(b.at).Seconds())
	b.at = now
	b.lines = min(u.limits.Lines*burst.Seconds(), b.lines+passed*u.limits.Lines)
	b.bytes = min(u.limits.Bytes*burst.Seconds(), b.bytes+passed*u.limits.Bytes)
	return b
}

// forget makes room: buckets that nobody has touched for long are full again.
func (q *Quotas) forget(now time.Time) {
	if len(q.buckets) < maxTracked {
		return
	}
	for s, b := range q.buckets {
		if now.Sub(b.at) > maxWait {
			delete(q.buckets, s)
		}
	}
}

// wait is how long until the bucket is out of debt; 0 when it is.
func (b *bucket) wait(l catalogue.Limits) (w time.Duration) {
	for _, x := range [][2]float64{{b.lines, l.Lines}, {b.bytes, l.Bytes}} {
		if x[1] > 0 && x[0] <= 0 {
			w = max(w, time.Duration((1-x[0])/x[1]*float64(time.Second)))
		}
	}
	return w
}
