package deadletter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// Log is logs.dead.
type Log interface {
	// Bounds are the first offset that is there, and the one that comes next.
	Bounds(ctx context.Context) (start, end int64, err error)
	// Read gives f the messages from … below to, in order.
	Read(ctx context.Context, from, to int64, f func(Message) error) error
}

// index holds the newest letters: those of offsets low … below high, in order. It reads what is new at each look, and what is old step by step.
type index struct {
	log       Log
	mu        sync.Mutex
	begun     bool
	low, high int64
	letters   []Letter
}

// look brings the index up to date and returns its letters, oldest first, which must not be changed. rest says what is not among them, "" for nothing.
func (x *index) look(ctx context.Context) (letters []Letter, rest string, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	start, end, err := x.log.Bounds(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("asking how far the dead letters go: %w", err)
	}
	x.place(start, end)
	until := time.Now().Add(readTime)
	for x.high < end && time.Now().Before(until) {
		if err := x.forward(ctx, min(x.high+chunk, end)); err != nil {
			return nil, "", err
		}
	}
	for x.high == end && x.low > start && len(x.letters) < MaxLetters && time.Now().Before(until) {
		if err := x.back(ctx, max(start, x.low-chunk)); err != nil {
			return nil, "", err
		}
	}
	return slices.Clip(x.letters), x.rest(start, end), nil
}

// place fits the index to what the topic has: retention takes letters away, a topic made anew all, and what came since we looked last may be too much to read.
func (x *index) place(start, end int64) {
	if !x.begun || end < x.high || end-x.high > MaxLetters {
		x.begun, x.low, x.high, x.letters = true, end, end, nil
	}
	x.low = max(x.low, start)
	x.drop(sort.Search(len(x.letters), func(i int) bool { return x.letters[i].Offset >= x.low }))
}

// drop lets the oldest n go. Callers may hold the others: they stay where they are.
func (x *index) drop(n int) { x.letters = x.letters[n:] }

func (x *index) forward(ctx context.Context, to int64) error {
	found, err := x.read(ctx, x.high, to)
	if err != nil {
		return err
	}
	x.letters, x.high = append(x.letters, found...), to
	if over := len(x.letters) - MaxLetters; over > 0 {
		x.low = x.letters[over].Offset
		x.drop(over)
	}
	return nil
}

func (x *index) back(ctx context.Context, from int64) error {
	found, err := x.read(ctx, from, x.low)
	if err != nil {
		return err
	}
	x.letters, x.low = slices.Concat(found, x.letters), from
	return nil
}

// read is all or nothing.
func (x *index) read(ctx context.Context, from, to int64) ([]Letter, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var found []Letter
	err := x.log.Read(ctx, from, to, func(m Message) error {
		found = append(found, letterOf(m))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading dead letters %d to %d: %w", from, to, err)
	}
	return found, nil
}

func (x *index) rest(start, end int64) string {
	switch {
	case x.high < end:
		return fmt.Sprintf("the newest %d dead letters are being read", end-x.high)
	case x.low > start && len(x.letters) >= MaxLetters:
		return fmt.Sprintf("only the newest %d dead letters are known here: those below offset %d are on logs.dead all the same", MaxLetters, x.low)
	case x.low > start:
		return fmt.Sprintf("dead letters below offset %d are being read", x.low)
	}
	return ""
}

var errFound = errors.New("found")

// one reads a single message; ok is false when it is not there.
func one(ctx context.Context, log Log, offset int64) (m Message, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	start, end, err := log.Bounds(ctx)
	if err != nil || offset < start || offset >= end {
		return m, false, err
	}
	err = log.Read(ctx, offset, offset+1, func(r Message) error {
		m, ok = r, true
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return m, ok, err
}
