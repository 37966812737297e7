package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// deadLetters is where what cannot be delivered goes.
type deadLetters interface {
	Publish(ctx context.Context, topic string, partition int32, key, value []byte, headers []contract.Header) error
}

// consumer is one receiver's member of its group: the edge between Kafka and the workers.
type consumer struct {
	cfg     config.Kafka
	file    File
	to      Receiver
	client  *bus.Client
	dead    deadLetters
	metrics *metrics
	log     zerolog.Logger
	started time.Time
	http    *http.Client

	ctx     context.Context // of Run, for the workers: sarama calls us without one
	mu      sync.Mutex
	workers map[int32]*worker
	failure error // why alerts.fired is not read, or not all of it
}

func (c *consumer) group() string { return groupPrefix + c.to.Name }

// run consumes until ctx ends.
func (c *consumer) run(ctx context.Context) error {
	c.ctx = ctx
	hook := bus.Hook{Load: c.load, Assigned: c.assigned, Revoked: c.revoked, Lost: c.lost}
	sub, err := bus.NewSubscriber(c.cfg, c.group(), hook, c.log)
	if err != nil {
		c.fail(err)
		return err
	}
	var offers sync.WaitGroup
	messages, err := sub.Subscribe(ctx, contract.TopicAlerts)
	for err == nil {
		msg, ok := <-messages
		if !ok {
			break
		}
		offers.Go(func() { c.dispatch(msg) }) // at most one a partition: the next one waits until this is taken
	}
	closed := sub.Close()
	offers.Wait()
	if ctx.Err() == nil {
		err = errors.Join(errors.New("the subscription ended"), err)
		c.fail(err)
		return err
	}
	return closed
}

func (c *consumer) dispatch(msg *message.Message) {
	info := bus.InfoOf(msg)
	c.mu.Lock()
	w := c.workers[info.Partition]
	c.mu.Unlock()
	taken := func() { msg.Ack() } // the hook keeps acknowledgements from the group: only mark moves its offset
	if w == nil {
		taken()
		return
	}
	w.offer(item{key: info.Key, value: msg.Payload, headers: msg.Metadata, partition: info.Partition, offset: info.Offset, time: info.Time, taken: taken})
}

// load reads on at the committed offsets. A receiver that never ran begins firstLook ago, not with a week of old alerts; that beginning is
// committed at once, so that what comes between it and the first delivery is not lost to a crash. What is gone already is passed over.
func (c *consumer) load(ctx context.Context, topic string, parts []int32) (map[int32]int64, error) {
	next, err := c.client.Committed(ctx, c.group(), topic)
	if err != nil {
		return nil, err
	}
	first, err := c.client.StartOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	end, err := c.client.EndOffsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	recent, err := c.client.OffsetsForTime(ctx, topic, c.started.Add(-firstLook))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.failure = nil // a new assignment
	c.mu.Unlock()
	out := map[int32]int64{}
	for _, p := range parts {
		at, ok := next[p]
		switch {
		case !ok:
			at = recent[p]
		case at < first[p] || at > end[p]: // retention passed us, or the topic lost its end
			c.log.Error().Int32("partition", p).Int64("offset", at).Int64("first", first[p]).Int64("end", end[p]).Msg("alert events are gone before they were delivered")
		}
		out[p] = min(max(at, first[p]), end[p])
	}
	return out, nil
}

func (c *consumer) assigned(claim *bus.Claim) {
	w := c.newWorker(claim)
	ctx, cancel := context.WithCancel(c.ctx)
	w.stop = cancel
	c.mu.Lock()
	c.workers[claim.Partition] = w
	c.mu.Unlock()
	go w.run(ctx)
	go func() {
		select {
		case <-claim.Done(): // the session waits for its handlers, so they must let go now
			cancel()
		case <-ctx.Done():
		}
	}()
}

// revoked returns when the worker is done: what it delivered is then marked while marks still count.
func (c *consumer) revoked(claim *bus.Claim) {
	c.mu.Lock()
	w := c.workers[claim.Partition]
	delete(c.workers, claim.Partition)
	c.mu.Unlock()
	if w != nil {
		w.stop()
		<-w.done
	}
}

// lost happens when the log is cut between load and the first fetch: the next assignment begins where there is something.
func (c *consumer) lost(_ string, partition int32, want int64) {
	c.fail(fmt.Errorf("alerts.fired/%d does not have offset %d: it is not read before the next assignment", partition, want))
}

func (c *consumer) fail(err error) {
	c.log.Error().Err(err).Msg("alert events are not carried on")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
}

func (c *consumer) check() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

func (c *consumer) newWorker(claim *bus.Claim) *worker {
	url, how := c.to.target()
	retries := c.metrics.retries.WithLabelValues(c.to.Name)
	w := &worker{
		name: c.to.Name, file: c.file, out: c.to.outlet(c.file.ExternalURL, c.metrics.dropped.WithLabelValues(c.to.Name).Inc), metrics: c.metrics, mark: claim.MarkStored, bury: c.bury,
		log:  c.log.With().Int32("partition", claim.Partition).Logger(),
		send: &deliverer{Delivery: how, url: url, client: c.http, now: time.Now, rand: rand.Float64, retried: retries.Inc},
		in:   make(chan item), done: make(chan struct{}),
	}
	if c.to.Alertmanager != nil {
		w.rebuild = func(ctx context.Context, f func(key, value []byte)) error { return c.rebuild(ctx, claim.Partition, f) }
	}
	return w
}

// bury puts an event with the dead letters and does not give up before ctx ends.
func (c *consumer) bury(ctx context.Context, it item, cause error) error {
	c.log.Error().Err(cause).Int32("partition", it.partition).Int64("offset", it.offset).Msg("an alert event could not be delivered: it goes to the dead letters")
	headers := contract.Dead{Error: cause.Error(), Kind: contract.DeadUndelivered, Component: componentPrefix + c.to.Name, Topic: contract.TopicAlerts, Partition: it.partition, Offset: it.offset}.Headers()
	for _, k := range slices.Sorted(maps.Keys(it.headers)) {
		headers = append(headers, contract.Header{Key: originalPrefix + k, Value: it.headers[k]})
	}
	return app.Retry(ctx, c.log, "the dead letters", nil, func(ctx context.Context) error {
		return c.dead.Publish(ctx, contract.TopicDead, bus.ByKey, it.key, it.value, headers)
	})
}

// lag is that of the worker that is farthest behind.
func (c *consumer) lag() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var most float64
	for _, w := range c.workers {
		most = max(most, w.lag(time.Now()))
	}
	return most
}
