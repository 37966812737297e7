package tail

import (
	"context"
	"sync"
	"time"

	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/services/api/internal/search"
)

// Viewer is somebody who watches. Next is for one goroutine.
type Viewer struct {
	hub     *Hub
	program *scan.Program
	rate    int

	second int64 // the one that sent is of; by the reader alone
	sent   int

	wake    chan struct{} // holds one token when there is something new
	mu      sync.Mutex
	queue   []*search.Hit
	bytes   int
	dropped int64
	live    bool
	problem error
	told    bool // of live and problem
	ended   error
}

// News is what a viewer gets at a time.
type News struct {
	Lines   []*search.Hit
	Dropped int64 // lines left out since the last time
	Changed bool  // Live or Problem are news
	Live    bool  // lines are being read
	Problem error // why they are not
}

// admit chooses the newest rows that the viewer's rate allows; the others are dropped.
func (v *Viewer) admit(found scan.Bitmap, now time.Time) []int32 {
	n := found.Count()
	if n == 0 {
		return nil
	}
	if s := now.Unix(); s != v.second {
		v.second, v.sent = s, 0
	}
	room := min(n, max(0, v.rate-v.sent))
	v.sent += room
	if room < n {
		v.drop(int64(n - room))
	}
	rows := found.Last(make([]int32, 0, room), room)
	for i, k := 0, len(rows)-1; i < k; i, k = i+1, k-1 {
		rows[i], rows[k] = rows[k], rows[i]
	}
	return rows
}

func (v *Viewer) drop(n int64) {
	v.hub.dropped.Add(n)
	v.mu.Lock()
	v.dropped += n
	v.mu.Unlock()
	v.poke()
}

func (v *Viewer) poke() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// put queues lines; the oldest go when there are too many.
func (v *Viewer) put(hits map[int32]*search.Hit, rows []int32) {
	v.mu.Lock()
	for _, row := range rows {
		h := hits[row]
		v.queue = append(v.queue, h)
		v.bytes += sizeOf(h)
	}
	over := 0
	for over < len(v.queue)-1 && (len(v.queue)-over > queueLines || v.bytes > queueBytes) {
		v.bytes -= sizeOf(v.queue[over])
		v.queue[over] = nil
		over++
	}
	v.queue = v.queue[over:]
	v.dropped += int64(over)
	v.mu.Unlock()
	v.hub.dropped.Add(int64(over))
	v.poke()
}

func sizeOf(h *search.Hit) int {
	n := lineBytes + len(h.Record.Message) + len(h.Record.RequestPath)
	for _, a := range h.Record.Attributes {
		n += len(a.Key) + len(a.Value)
	}
	return n
}

// connected is told when the reading begins, and when it fails.
func (v *Viewer) connected(err error) {
	v.mu.Lock()
	v.live, v.problem, v.told = err == nil, err, false
	v.mu.Unlock()
	v.poke()
}

// end makes Next return err.
func (v *Viewer) end(err error) {
	v.mu.Lock()
	v.ended = err
	v.mu.Unlock()
	v.poke()
}

// Next waits for news. The error is ctx's, or ErrClosed.
func (v *Viewer) Next(ctx context.Context) (News, error) {
	for {
		if n, ok, err := v.take(); ok || err != nil {
			return n, err
		}
		select {
		case <-v.wake:
		case <-ctx.Done():
			return News{}, ctx.Err()
		}
	}
}

func (v *Viewer) take() (n News, ok bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended != nil {
		return n, false, v.ended
	}
	n = News{Lines: v.queue, Dropped: v.dropped, Live: v.live, Problem: v.problem}
	n.Changed = !v.told && (v.live || v.problem != nil)
	v.queue, v.bytes, v.dropped, v.told = nil, 0, 0, v.told || n.Changed
	v.hub.lines.Add(int64(len(n.Lines)))
	return n, len(n.Lines) > 0 || n.Dropped > 0 || n.Changed, nil
}

// Close ends the watching.
func (v *Viewer) Close() { v.hub.leave(v) }
