// Package relay carries events from the outbox in MySQL to alerts.fired and alerts.state: in order a source, at least once, under ids that
// never change. A relay that has lost its source is fenced by Kafka (one transactional id a source) and resumes from MySQL's marks.
package relay

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
)

const (
	batch       = 200              // events a transaction
	idle        = time.Second      // between looks when nobody wakes us
	sendTimeout = 30 * time.Second // a broker that is away is tried again
)

// Outbox is what a relay needs of MySQL.
type Outbox interface {
	Unsent(ctx context.Context, stream uint32, source string, limit int) ([]store.Pending, error)
	StillFiring(ctx context.Context, stream uint32, source string) ([]store.Pending, error)
	DecidedThrough(ctx context.Context, stream uint32, source string) (int64, error) // event time, ns
	Mark(ctx context.Context, stream uint32, source string, through int64, withheld []int64) error
	MarkOne(ctx context.Context, stream uint32, source string, seq int64) error
}

// Sender is a transactional producer.
type Sender interface {
	Send(ctx context.Context, messages []bus.Message) error
	Close() error
}

// Deps of a relay.
type Deps struct {
	Outbox Outbox
	Stream uint32
	MaxAge time.Duration // how old a decision may be to go out: subscribers want to know what is wrong now, not what was during an outage
	Open   func(ctx context.Context, transactionalID string) (Sender, error)
	Owned  func() []string // the sources that are ours now
	Now    func() time.Time
	Log    zerolog.Logger
}

// Relay sends what its sources have. Run it once.
type Relay struct {
	Deps
	wake    chan struct{}
	senders map[string]Sender
	live    map[string]bool // the present was reached: what is withheld and still fires has been said
	sent    *prometheus.CounterVec
	delay   prometheus.Histogram
}

// New makes a relay.
func New(d Deps, reg prometheus.Registerer) *Relay {
	r := &Relay{Deps: d, wake: make(chan struct{}, 1), senders: map[string]Sender{}, live: map[string]bool{}}
	r.sent = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "logmill_evaluator_relayed_total", Help: "Events of the outbox, by what became of them: sent, or withheld as history."}, []string{"outcome"})
	r.delay = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "logmill_evaluator_alert_delay_seconds", Help: "From the event time that decided an event to its being on alerts.fired.",
		Buckets: []float64{0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300}})
	reg.MustRegister(r.sent, r.delay)
	return r
}

// Wake says that something was put into an outbox.
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends.
func (r *Relay) Run(ctx context.Context) {
	t := time.NewTicker(idle)
	defer t.Stop()
	defer func() {
		for _, s := range r.senders {
			_ = s.Close() // nothing is in flight
		}
	}()
	for {
		r.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-t.C:
		}
	}
}

// round empties the outboxes that are ours.
func (r *Relay) round(ctx context.Context) {
	owned := map[string]bool{}
	for _, source := range r.Owned() {
		owned[source] = true
		if err := r.drain(ctx, source); err != nil && ctx.Err() == nil {
			r.Log.Warn().Err(err).Str("source", source).Msg("sending alerts; they are kept and sent later")
		}
	}
	for source, s := range r.senders {
		if !owned[source] {
			_ = s.Close() // its source is somebody else's: they have fenced it
			delete(r.senders, source)
			delete(r.live, source)
		}
	}
}

func (r *Relay) drain(ctx context.Context, source string) error {
	for {
		ctx, cancel := context.WithTimeout(ctx, sendTimeout)
		n, err := r.some(ctx, source)
		cancel()
		if err != nil || n < batch {
			return err
		}
	}
}

// some sends one batch and returns how many events it had.
func (r *Relay) some(ctx context.Context, source string) (int, error) {
	pending, err := r.fenced(ctx, source, func() ([]store.Pending, error) { return r.Outbox.Unsent(ctx, r.Stream, source, batch) })
	if err != nil {
		return 0, err
	}
	if len(pending) == 0 {
		return 0, r.catchUp(ctx, source)
	}
	var fresh []store.Pending
	var withheld []int64
	for _, p := range pending {
		if r.historical(p) {
			withheld = append(withheld, p.Seq)
		} else {
			fresh = append(fresh, p)
		}
	}
	if len(withheld) > 0 {
		r.live[source] = false
	}
	if err := r.send(ctx, source, fresh); err != nil {
		return 0, err
	}
	for _, p := range fresh {
		r.delay.Observe(max(0, r.Now().Sub(time.Unix(0, p.Tick)).Seconds())) // an early event is there before its tick is over
	}
	r.sent.WithLabelValues("sent").Add(float64(len(fresh)))
	r.sent.WithLabelValues("withheld").Add(float64(len(withheld)))
	return len(pending), r.Outbox.Mark(ctx, r.Stream, source, pending[len(pending)-1].Seq, withheld)
}

// historical tells whether an event is too old to be news: older than MaxAge, and than its rule's window, which may be what made it late to be decided.
func (r *Relay) historical(p store.Pending) bool {
	age := r.Now().Sub(time.Unix(0, p.Tick))
	if age <= r.MaxAge {
		return false
	}
	e, err := contract.ParseAlert(p.Event)
	return err != nil || age > time.Duration(e.Data.Window.Seconds)*time.Second
}

// fenced reads events when every other relay of the source is fenced already. Read before, they might be sent behind newer ones that another
// relay sends meanwhile, and alerts.state would go back. While nothing is to be sent there is no need of a sender.
func (r *Relay) fenced(ctx context.Context, source string, read func() ([]store.Pending, error)) ([]store.Pending, error) {
	pending, err := read()
	if err != nil || len(pending) == 0 || r.senders[source] != nil {
		return pending, err
	}
	s, err := r.Open(ctx, fencedID(r.Stream, source))
	if err != nil {
		return nil, err
	}
	r.senders[source] = s
	return read()
}

// catchUp says, on reaching the present, what was withheld and fires still. An empty outbox is not yet the present: the evaluator may be in the middle
// of what it has missed, where an alert that fires is one that is long over.
func (r *Relay) catchUp(ctx context.Context, source string) error {
	if r.live[source] {
		return nil
	}
	decided, err := r.Outbox.DecidedThrough(ctx, r.Stream, source)
	if err != nil || r.Now().Sub(time.Unix(0, decided)) > r.MaxAge {
		return err
	}
	still, err := r.fenced(ctx, source, func() ([]store.Pending, error) { return r.Outbox.StillFiring(ctx, r.Stream, source) })
	if err != nil {
		return err
	}
	for _, p := range still {
		e, err := contract.ParseAlert(p.Event)
		if err != nil {
			return fmt.Errorf("event %s:%d: %w", source, p.Seq, err)
		}
		e.Data.Reason, e.Data.SourceState.Historical = "catch_up", true
		if p.Event, err = e.Encode(); err != nil {
			return err
		}
		if err := r.send(ctx, source, []store.Pending{p}); err != nil {
			return err
		}
		if err := r.Outbox.MarkOne(ctx, r.Stream, source, p.Seq); err != nil {
			return err
		}
	}
	r.live[source] = true
	return nil
}

func (r *Relay) send(ctx context.Context, source string, pending []store.Pending) error {
	if len(pending) == 0 {
		return nil
	}
	s := r.senders[source]
	messages := make([]bus.Message, 0, 2*len(pending))
	for _, p := range pending {
		e, err := contract.ParseAlert(p.Event)
		if err != nil {
			return fmt.Errorf("event %s:%d: %w", source, p.Seq, err)
		}
		for _, topic := range []string{contract.TopicAlerts, contract.TopicAlertsState} {
			messages = append(messages, bus.Message{Topic: topic, Key: []byte(e.Data.Fingerprint), Value: p.Event, Headers: e.Headers()})
		}
	}
	if err := s.Send(ctx, messages); err != nil {
		delete(r.senders, source)
		_ = s.Close() // it failed: the next one begins anew, and fences it
		return err
	}
	return nil
}
