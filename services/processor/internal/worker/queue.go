package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
)

// ErrClosed says that the queue's worker is gone; the message will come again to whoever owns its partition now.
var ErrClosed = errors.New("the partition's worker has stopped")

// Queue is what waits for a worker, bounded in messages and bytes. One producer and one consumer at a time.
type Queue struct {
	mu       sync.Mutex
	messages []pipeline.Message
	bytes    int

	arrived chan struct{} // a token: something was put
	room    chan struct{} // a token: something was taken
	closed  chan struct{}
	once    sync.Once
}

// NewQueue makes an empty queue.
func NewQueue() *Queue {
	return &Queue{arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Put waits for room and appends m. It fails when ctx ends or the queue is closed; then m was not taken.
func (q *Queue) Put(ctx context.Context, m pipeline.Message) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if q.offer(m) {
			return nil
		}
		select {
		case <-q.room:
		case <-q.closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (q *Queue) offer(m pipeline.Message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.closed:
		return false
	default:
	}
	if n := len(q.messages); n > 0 && (n >= QueueMessages || q.bytes+len(m.Value) > QueueBytes) {
		return false
	}
	q.messages = append(q.messages, m)
	q.bytes += len(m.Value)
	signal(q.arrived)
	return true
}

// Take returns the next message, if one waits.
func (q *Queue) Take() (m pipeline.Message, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.messages) == 0 {
		return m, false
	}
	m = q.messages[0]
	q.messages[0] = pipeline.Message{} // lets its value go
	q.messages = q.messages[1:]
	q.bytes -= len(m.Value)
	signal(q.room)
	return m, true
}

// Bytes that wait.
func (q *Queue) Bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// WaitFor returns when at least min bytes wait, when d has passed, or when ctx ends.
func (q *Queue) WaitFor(ctx context.Context, atLeast int, d time.Duration) {
	if q.Bytes() >= atLeast || d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-q.arrived:
			if q.Bytes() >= atLeast {
				return
			}
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// Close makes every Put fail from now on and drops what waits.
func (q *Queue) Close() {
	q.once.Do(func() { close(q.closed) })
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages, q.bytes = nil, 0
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
