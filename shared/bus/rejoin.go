package bus

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Waits of a member that could not join its group, or not load its positions. Watermill itself tries again at once: a broker that refuses a
// setting was asked a thousand times a second.
const (
	rejoinMin = 100 * time.Millisecond
	rejoinMax = 2 * time.Second // a broker that comes back, or a setting that was changed there, is noticed after this long
)

// rejoin paces a member's tries to join.
type rejoin struct {
	log     zerolog.Logger
	tried   bool
	joined  atomic.Bool // since the last try
	wait    time.Duration
	closing chan struct{}
	once    sync.Once
}

func newRejoin(log zerolog.Logger) *rejoin { return &rejoin{log: log, closing: make(chan struct{})} }

// pause comes before each try, one at a time. It waits when the last one has failed.
func (r *rejoin) pause() {
	if r.joined.Swap(false) || !r.tried {
		r.tried, r.wait = true, 0
		return
	}
	r.wait = min(max(2*r.wait, rejoinMin), rejoinMax)
	r.log.Warn().Dur("wait", r.wait).Msg("could not join the group, trying again")
	timer := time.NewTimer(r.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.closing:
	}
}

// close ends a pause, and those to come.
func (r *rejoin) close() { r.once.Do(func() { close(r.closing) }) }
