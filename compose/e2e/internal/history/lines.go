// Package history makes seeded logs with incidents in them and sends them through a collector while a fast clock goes by.
package history

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/logmill/logmill/shared/logrec"
)

// Step is how much of the history is made at once.
const Step = 250 * time.Millisecond

// services are enough for each of six partitions to have one or two, and unequal.
var services = []string{"checkout", "payments", "search", "auth", "catalog", "cart", "mail", "ledger", "stock", "gateway", "media", "quotes"}

// Services are the names that occur.
func Services() []string { return services }

// perStep is how many lines all services send in a step on average: 44 a second.
const perStep = 11

// Lines makes the lines of a history of the given length. The same seed gives the same lines; their times are the sender's affair.
type Lines struct {
	rng    *rand.Rand
	length time.Duration
	at     time.Duration
}

// NewLines begins a history.
func NewLines(seed uint64, length time.Duration) *Lines {
	return &Lines{rng: rand.New(rand.NewPCG(seed, 77)), length: length}
}

// Next are the lines of the next step, with Timestamp and Observed relative to the step's end (ns, 0 or before); ok is false at the end.
func (l *Lines) Next() (lines []logrec.Record, ok bool) {
	if l.at >= l.length {
		return nil, false
	}
	part := float64(l.at) / float64(l.length)
	for range l.rng.IntN(2*perStep + 1) {
		if r, sent := l.line(part); sent {
			lines = append(lines, r)
		}
	}
	if within(part, 0.62, 0.63) { // an import: records of hours ago, which rules never see
		lines = append(lines, logrec.Record{Service: "ledger", Level: logrec.LevelError, Message: "imported", Timestamp: -int64(3 * time.Hour)})
	}
	l.at += Step
	return lines, true
}

func within(part, from, to float64) bool { return part >= from && part < to }

// line makes one line; sent is false when an incident keeps its service silent.
func (l *Lines) line(part float64) (r logrec.Record, sent bool) {
	rng := l.rng
	service := services[min(rng.IntN(len(services)), rng.IntN(len(services)+6))] // the first are the busiest
	r = logrec.Record{Service: service, Level: logrec.LevelInfo, Timestamp: -rng.Int64N(int64(200 * time.Millisecond)), RequestMethod: "GET", ResponseStatus: 200,
		RequestPath: fmt.Sprintf("/%s/%d", service, rng.IntN(40)), UserID: fmt.Sprintf("u%d", rng.IntN(60)), HasResponseTime: true,
		ResponseTimeMS: float64(20 + rng.IntN(200)), Message: fmt.Sprintf("request %d served", rng.IntN(1000)),
		Attributes: []logrec.Attr{{Key: "region", Value: []string{"eu", "us", "ap"}[rng.IntN(3)]}}}
	switch p := rng.Float64(); {
	case p < 0.02:
		fail(&r, "upstream refused")
	case p < 0.08:
		r.Level = logrec.LevelWarn
	case p < 0.20:
		r.Timestamp -= rng.Int64N(int64(20 * time.Second)) // a slow sender
	}
	return r, l.incident(&r, part)
}

func fail(r *logrec.Record, why string) {
	r.Level, r.ResponseStatus, r.Message = logrec.LevelError, 503, why
}

// incident changes a line that lies in one. Places are parts of the whole length, so that a short history has all of them.
func (l *Lines) incident(r *logrec.Record, part float64) (sent bool) {
	rng := l.rng
	switch service := r.Service; {
	case service == "checkout" && (within(part, 0.10, 0.14) || within(part, 0.46, 0.47) || within(part, 0.80, 0.83)):
		if rng.IntN(2) == 0 {
			fail(r, "payment provider timed out")
		}
	case service == "payments" && within(part, 0.20, 0.26):
		r.ResponseTimeMS *= float64(8 + rng.IntN(20))
	case service == "search" && within(part, 0.30, 0.36), service == "media" && within(part, 0.50, 0.70):
		return false
	case service == "auth" && within(part, 0.40, 0.41) && rng.IntN(3) == 0:
		r.Level, r.Message = logrec.LevelFatal, "key store is gone"
	case within(part, 0.54, 0.58) && rng.IntN(4) == 0: // everywhere
		fail(r, "database is read-only")
	case service == "gateway" && within(part, 0.66, 0.70):
		r.UserID, r.Message = fmt.Sprintf("bot%d", rng.IntN(5000)), fmt.Sprintf("scan of %x", rng.Uint64())
	case service == "stock" && within(part, 0.72, 0.76): // a clock ten minutes behind, and one ahead
		r.Timestamp -= int64(10 * time.Minute)
	case service == "quotes" && within(part, 0.72, 0.76):
		r.Timestamp += int64(10 * time.Minute)
	case within(part, 0.86, 0.90) && service != "checkout" && service != "auth":
		return false // nearly everything is away: idle partitions
	}
	return true
}
