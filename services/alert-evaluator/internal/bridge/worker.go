package bridge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/contract"
)

// item is a record of alerts.fired. taken lets the next one of its partition come; it does not move the offset.
type item struct {
	key, value []byte
	headers    map[string]string
	partition  int32
	offset     int64
	time       time.Time // Kafka's
	taken      func()
}

// worker has one partition of one receiver: its events go out one after the other, so that a resolution never overtakes its alert.
type worker struct {
	name    string // the receiver's
	file    File
	out     outlet
	send    *deliverer
	metrics *metrics
	log     zerolog.Logger
	mark    func(next int64)                                           // all below next is done with
	bury    func(ctx context.Context, it item, cause error) error      // fails only when ctx ends
	rebuild func(ctx context.Context, f func(key, value []byte)) error // reads alerts.state; fails only when ctx ends
	memory  memory
	since   atomic.Int64 // Kafka's time of the event in hand, ns; 0 = none
	in      chan item
	done    chan struct{}
	stop    context.CancelFunc
}

// run works until ctx ends.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	var tick <-chan time.Time
	if am, ok := w.out.(alertmanagerOutlet); ok {
		if w.rebuild(ctx, func(key, value []byte) { w.restore(am, key, value) }) != nil {
			return
		}
		t := time.NewTicker(am.resend)
		defer t.Stop()
		tick = t.C
		w.repost(ctx, am) // at once: nobody may have posted for as long as we were away
	}
	for {
		select {
		case <-ctx.Done():
			return
		case it := <-w.in:
			w.serve(ctx, it)
		case <-tick:
			w.repost(ctx, w.out.(alertmanagerOutlet))
		}
	}
}

// offer hands an event over, or lets go of it when the partition is no longer ours. It may wait, so it is called on a goroutine of its own.
func (w *worker) offer(it item) {
	select {
	case w.in <- it:
	case <-w.done:
		it.taken()
	}
}

// serve does not mark what ctx interrupted, nor anything after it: it comes again.
func (w *worker) serve(ctx context.Context, it item) {
	defer it.taken()
	if ctx.Err() != nil {
		return
	}
	w.since.Store(it.time.UnixNano())
	defer w.since.Store(0)
	outcome, err := w.handle(ctx, it)
	if err != nil {
		return
	}
	w.metrics.events.WithLabelValues(w.name, outcome).Inc()
	w.mark(it.offset + 1)
}

// handle fails only when ctx ends.
func (w *worker) handle(ctx context.Context, it item) (outcome string, err error) {
	e, sequence, err := parse(it.value)
	if err != nil {
		return outcomeDead, w.bury(ctx, it, err)
	}
	last, known := w.memory.get(e.Data.Fingerprint)
	if known && sequence <= last.sequence {
		return outcomeRepeat, nil
	}
	verdict := w.file.verdict(w.name, &e.Data)
	told := last.told || !known && verdict == outcomeSilenced && !begins(e) // somebody may have been told before we were started
	if told && resolved(e) {
		verdict = outcomeSent // whoever was told that it fires hears that it does not, silence or not: an incident must not stay open
	}
	if outcome, err = w.deliver(ctx, e, it, verdict); err == nil {
		w.memory.put(e.Data.Fingerprint, past{sequence, !resolved(e) && (told || verdict == outcomeSent)})
	}
	return outcome, err
}

// begins tells whether an event is the first one of its alert's episode.
func begins(e *contract.AlertEvent) bool {
	return e.Type == contract.AlertFiring && e.Data.Reason != reasonRenotify && e.Data.Reason != reasonCatchUp
}

func (w *worker) deliver(ctx context.Context, e *contract.AlertEvent, it item, verdict string) (outcome string, err error) {
	p, outcome := w.out.next(e, it.value, verdict)
	if p == nil {
		return outcome, nil
	}
	err = w.send.send(ctx, p)
	if ctx.Err() != nil && err != nil {
		return "", ctx.Err()
	}
	if err == nil || final(err) {
		w.out.told(e.Data.Fingerprint)
	}
	if err != nil {
		return outcomeDead, w.bury(ctx, it, err)
	}
	w.metrics.delay.WithLabelValues(w.name).Observe(time.Since(it.time).Seconds())
	return outcome, nil
}

func final(err error) bool {
	refused := (*failure)(nil)
	return errors.As(err, &refused) && refused.permanent
}

// repost posts again what fires. One attempt, and none for the rest when it fails: the next tick is the retry, and events wait behind this.
func (w *worker) repost(ctx context.Context, am alertmanagerOutlet) {
	for _, l := range am.due() {
		if f := w.send.once(ctx, am.post(l.alerts)); f != nil {
			if ctx.Err() != nil {
				return
			}
			w.log.Warn().Err(f).Int("alerts", len(l.alerts)).Msg("posting what fires again; it is tried at the next turn")
			if !f.permanent {
				return
			}
		}
		for _, fp := range l.fingerprints {
			am.told(fp)
		}
	}
}

// restore takes in a record of alerts.state. One that cannot be read costs the re-posting of one alert, not the bridge.
func (w *worker) restore(am alertmanagerOutlet, key, value []byte) {
	if len(value) == 0 {
		am.forget(string(key))
		return
	}
	e, _, err := parse(value)
	if err != nil {
		w.log.Warn().Err(err).Msg("passing over an event of alerts.state")
		return
	}
	am.restore(e, w.file.verdict(w.name, &e.Data))
}

// lag is how old the event in hand is, in seconds.
func (w *worker) lag(now time.Time) float64 {
	since := w.since.Load()
	if since == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, since)).Seconds())
}

func parse(value []byte) (e *contract.AlertEvent, sequence int64, err error) {
	if e, err = contract.ParseAlert(value); err != nil {
		return nil, 0, err
	}
	if sequence, err = strconv.ParseInt(e.Sequence, 10, 64); err != nil {
		return nil, 0, fmt.Errorf("reading the sequence of alert event %s: %w", e.ID, err)
	}
	return e, sequence, nil
}
