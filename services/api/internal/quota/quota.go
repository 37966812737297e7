// Package quota bounds what one caller may ask at the same time and in a minute, so that nobody's dashboard takes the api from the others.
package quota

import (
	"math"
	"sync"
	"time"

	"github.com/logmill/logmill/shared/fault"
)

// Config of a quota.
type Config struct {
	AtOnce    int     // queries of one caller in work; 0: any number
	PerMinute float64 // budgets of a query that one caller may use up in a minute; 0: any number
}

// maxCallers are remembered; beyond, those who have nothing in work and owe nothing are forgotten first, which changes nothing for them.
const maxCallers = 10_000

// Quota is safe for concurrent use. A nil one lets everybody in.
type Quota struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex
	callers map[string]*caller
}

// caller is what somebody has in work, and may still use up.
type caller struct {
	running int
	left    float64 // at the moment at; below zero: owed
	at      time.Time
}

// New makes a quota.
func New(cfg Config, now func() time.Time) *Quota {
	return &Quota{cfg: cfg, now: now, callers: map[string]*caller{}}
}

// Why a query is refused.
const (
	AtOnce = "at_once"
	Budget = "budget"
)

// Enter begins a query of a caller, and leave ends it and says how many budgets it used up. A refusal is a fault.Overloaded, with why.
func (q *Quota) Enter(name string) (leave func(used float64), why string, err error) {
	if q == nil {
		return func(float64) {}, "", nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.caller(name)
	if q.cfg.AtOnce > 0 && c.running >= q.cfg.AtOnce {
		return nil, AtOnce, fault.Overloaded(time.Second, "you have %d queries in work already, as many as one caller may", c.running)
	}
	if q.cfg.PerMinute > 0 && c.left <= 0 {
		wait := time.Duration((-c.left/q.cfg.PerMinute)*float64(time.Minute)) + time.Second
		return nil, Budget, fault.Overloaded(min(wait, time.Hour), "your queries of the last minute have read as much as one caller may")
	}
	c.running++
	return func(used float64) { q.leave(c, used) }, "", nil
}

func (q *Quota) leave(c *caller, used float64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.running--
	c.left -= used
}

// caller is somebody, as of now; with the lock.
func (q *Quota) caller(name string) *caller {
	now := q.now()
	c := q.callers[name]
	if c == nil {
		if len(q.callers) >= maxCallers {
			q.forget(now)
		}
		c = &caller{left: q.cfg.PerMinute, at: now}
		q.callers[name] = c
	}
	q.refill(c, now)
	return c
}

func (q *Quota) refill(c *caller, now time.Time) {
	c.left = math.Min(q.cfg.PerMinute, c.left+q.cfg.PerMinute*max(0, now.Sub(c.at).Minutes()))
	c.at = now
}

func (q *Quota) forget(now time.Time) {
	for name, c := range q.callers {
		if q.refill(c, now); c.running == 0 && c.left >= q.cfg.PerMinute {
			delete(q.callers, name)
		}
	}
}
