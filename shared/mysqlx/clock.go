package mysqlx

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"
)

// Clock is MySQL's clock, the one clock of the pipeline: its distance from this machine's monotonic clock, sampled now and then.
// Safe for concurrent use; before the first sample it is this machine's.
type Clock struct {
	base   time.Time // of this machine, with its monotonic reading
	offset atomic.Int64
}

// NewClock makes a clock that has not been sampled.
func NewClock() *Clock {
	c := &Clock{base: time.Now()}
	c.offset.Store(c.base.UnixNano())
	return c
}

// Now is MySQL's time by the newest sample, ns since the epoch. It never depends on a step of this machine's clock.
func (c *Clock) Now() int64 { return c.offset.Load() + int64(time.Since(c.base)) }

// Sample asks the server for its time. The answer is taken as of the middle of the round trip.
func (c *Clock) Sample(ctx context.Context, pool *sql.DB) error {
	conn, err := pool.Conn(ctx) // first: waiting for one is no part of the round trip
	if err != nil {
		return fmt.Errorf("reading the server's clock: %w", err)
	}
	defer func() { _ = conn.Close() }() // gives it back to the pool
	var t time.Time
	before := time.Since(c.base)
	if err := conn.QueryRowContext(ctx, "SELECT UTC_TIMESTAMP(6)").Scan(&t); err != nil {
		return fmt.Errorf("reading the server's clock: %w", err)
	}
	middle := (before + time.Since(c.base)) / 2
	c.offset.Store(t.UnixNano() - int64(middle))
	return nil
}
