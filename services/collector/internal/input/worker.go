package input

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/contract"
)

// sink takes a transaction. exact.Writer is one.
type sink interface {
	Load(ctx context.Context, prefix string) (map[string][]byte, error)
	Commit(ctx context.Context, t exact.Transaction) error
	Close()
}

// worker sends one partition of a topic while it is ours.
type worker struct {
	topic     Topic
	partition int32
	key       string // of its position
	next      int64  // what is sent: all below
	sink      sink   // nil after an error
	open      func(ctx context.Context) (sink, error)
	guard     func() error // whether sending is safe
	mark      func(next int64)
	metrics   *metrics
	log       zerolog.Logger
	in        chan message
	done      chan struct{}
	stop      func()
	started   bool

	held     []message
	bytes    int
	batch    contract.Batch
	letters  []exact.Message // dead letters of the batch
	messages int             // of the batch
}

// position is the partition's stored one; −1 for none.
func position(stored map[string][]byte, key string) (int64, error) {
	v, ok := stored[key]
	if !ok {
		return -1, nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading position %s: %w", key, err)
	}
	return n, nil
}

// run sends until ctx ends, which it does when the partition is another's. A batch that is in hand then is sent by the next owner.
func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	defer w.close()
	for w.collect(ctx) && w.send(ctx) {
	}
}

func (w *worker) close() {
	if w.sink != nil {
		w.sink.Close()
	}
}

// skipTo passes over what the topic does not have any more, and returns where reading begins.
func (w *worker) skipTo(first int64) int64 {
	if w.next >= 0 && w.next < first {
		w.metrics.missed.WithLabelValues(w.topic.Name).Add(float64(first - w.next))
		w.log.Error().Int64("offset", w.next).Int64("first", first).Msg("messages were deleted before they were read")
	}
	w.next = max(w.next, first)
	return w.next
}

// collect waits for messages and takes as many as make a transaction. false: it is over.
func (w *worker) collect(ctx context.Context) bool {
	w.held, w.bytes = w.held[:0], 0
	var full <-chan time.Time
	for w.bytes < batchBytes {
		select {
		case <-ctx.Done():
			return false
		case <-full:
			return true
		case m := <-w.in:
			if m.offset < w.next { // sent already
				continue
			}
			if full == nil {
				full = time.After(batchAge)
			}
			w.held = append(w.held, m)
			w.bytes += len(m.value) + 64
		}
	}
	return true
}

// send commits what is held, however often it takes. false: ctx ended. Being fenced is an error like others: a process that was stopped
// for long may take the writer from us once more before it learns that the partition is not its own.
func (w *worker) send(ctx context.Context) bool {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := w.try(ctx)
		if err == nil {
			w.mark(w.next)
			return true
		}
		w.log.Warn().Err(err).Int64("offset", w.next).Msg("sending messages home failed, trying again")
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// try commits what of held is not sent. After an error the writer is opened again, and the stored position says what became of it.
func (w *worker) try(ctx context.Context) error {
	if err := w.guard(); err != nil {
		return err
	}
	if w.sink == nil {
		if err := w.reopen(ctx); err != nil {
			return err
		}
	}
	w.decode()
	if w.next > w.held[len(w.held)-1].offset {
		return nil
	}
	next := w.held[len(w.held)-1].offset + 1
	t := exact.Transaction{Parts: []exact.Part{{Records: w.batch.Records}}, Dead: w.letters, Positions: []exact.Position{{Key: w.key, Value: strconv.AppendInt(nil, next, 10)}}}
	if err := w.sink.Commit(ctx, t); err != nil {
		w.sink.Close()
		w.sink = nil
		return err
	}
	w.next = next
	w.metrics.sent(w.topic.Name, w.messages, len(w.batch.Records), len(w.letters))
	return nil
}

// decode reads the held messages that are not sent.
func (w *worker) decode() {
	w.batch.Reset()
	w.letters, w.messages = nil, 0
	for _, m := range w.held {
		if m.offset < w.next {
			continue
		}
		w.messages++
		if err := w.topic.decode(&w.batch, m); err != nil {
			w.letters = append(w.letters, w.dead(m, err))
		}
	}
}

func (w *worker) dead(m message, cause error) exact.Message {
	reason := cause.Error()
	hs := contract.Dead{Error: reason[:min(len(reason), maxReason)], Kind: contract.DeadUnreadable, Component: "collector-input", Topic: w.topic.Name, Partition: w.partition, Offset: m.offset}.Headers()
	return exact.Message{Key: m.key, Value: m.value, Headers: hs}
}

// reopen takes the writer again after an error, and reads what became of the transaction.
func (w *worker) reopen(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	stored, err := s.Load(ctx, w.key)
	if err == nil {
		var at int64
		if at, err = position(stored, w.key); err == nil {
			w.sink, w.next = s, max(w.next, at)
			return nil
		}
	}
	s.Close()
	return err
}
