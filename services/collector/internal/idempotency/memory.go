package idempotency

import (
	"sync"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

// Memory knows the keys of the last ten minutes that came to this collector. Safe for concurrent use.
type Memory struct {
	now func() time.Time
	max int // entries

	mu      sync.Mutex
	entries map[contract.RequestKey]*entry
	queue   []due // of what may be forgotten, oldest first
}

type entry struct {
	request  contract.Request
	expires  time.Time // moved by each try
	answered bool      // all of its records are acknowledged by Kafka
}

type due struct {
	at time.Time
	*entry
}

// NewMemory makes an empty memory of MaxKeys.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, max: MaxKeys, entries: map[contract.RequestKey]*entry{}}
}

// Len is the number of keys in memory.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// Attempt is one try of a request. That of a request without key is nil, on which all methods do nothing.
type Attempt struct {
	memory   *Memory
	entry    *entry
	first    bool
	replayed bool
}

// Begin takes note of a request. Errors, of package fault: unprocessable (the key was used for another body), overloaded (too many keys).
// Tries of one request may overlap: each is sent, and the processor stores one.
func (m *Memory) Begin(r contract.Request) (*Attempt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.forget(now)
	expires := now.Add(kept)
	if e := m.entries[r.Key]; e != nil && e.expires.After(now) {
		if e.request.Fingerprint != r.Fingerprint {
			return nil, fault.Contradiction("the %s was used for another request within %.0f minutes: a key names one request, send a new one", Header, Honoured.Minutes())
		}
		e.expires = expires
		return &Attempt{memory: m, entry: e, replayed: e.answered}, nil
	}
	if len(m.queue) >= m.max {
		return nil, fault.Overloaded(min(longestWait, m.queue[0].at.Sub(now)),
			"this collector remembers as many values of %s as it can (%d in %.0f minutes): send more lines a request", Header, m.max, kept.Minutes())
	}
	e := &entry{request: r, expires: expires}
	m.entries[r.Key] = e
	m.queue = append(m.queue, due{expires, e})
	return &Attempt{memory: m, entry: e, first: true}, nil
}

// forget drops what is due, unless another try has moved it.
func (m *Memory) forget(now time.Time) {
	for len(m.queue) > 0 && !m.queue[0].at.After(now) {
		e := m.queue[0].entry
		m.queue[0] = due{}
		m.queue = m.queue[1:]
		if m.entries[e.request.Key] != e {
			continue // refused meanwhile
		}
		if e.expires.After(now) {
			m.queue = append(m.queue, due{e.expires, e})
		} else {
			delete(m.entries, e.request.Key)
		}
	}
}

// Request is what the message's headers say; the zero Request without a key.
func (a *Attempt) Request() contract.Request {
	if a == nil {
		return contract.Request{}
	}
	return a.entry.request
}

// Replayed tells whether this collector has answered the request before: all of its records are safe.
func (a *Attempt) Replayed() bool { return a != nil && a.replayed }

// Answered says that all records of the request are acknowledged.
func (a *Attempt) Answered() {
	if a == nil {
		return
	}
	a.memory.mu.Lock()
	defer a.memory.mu.Unlock()
	a.entry.answered = true
}

// Refused says that nothing of the request went out: its key is free for the mended one.
func (a *Attempt) Refused() {
	if a == nil || !a.first {
		return
	}
	a.memory.mu.Lock()
	defer a.memory.mu.Unlock()
	if a.memory.entries[a.entry.request.Key] == a.entry {
		delete(a.memory.entries, a.entry.request.Key)
	}
}
