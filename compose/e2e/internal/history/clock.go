package history

import (
	"fmt"
	"time"
)

// Clock goes through the past quickly: it is Event when this machine's clock says Wall, and Speed times as fast. A processor built with the
// tag history keeps it too.
type Clock struct {
	Wall, Event time.Time
	Speed       int64
}

// Env tells a processor of the clock.
func (c Clock) Env() string {
	return fmt.Sprintf("LOGMILL_TEST_CLOCK=%d %d %d", c.Wall.UnixNano(), c.Event.UnixNano(), c.Speed)
}

// Now is the clock's time.
func (c Clock) Now() time.Time { return c.Event.Add(time.Since(c.Wall) * time.Duration(c.Speed)) }

// Until is how long (of this machine's time) it takes the clock to come to t; negative when it is past.
func (c Clock) Until(t time.Time) time.Duration {
	return time.Until(c.Wall.Add(t.Sub(c.Event) / time.Duration(c.Speed)))
}
