// Package tail shows lines as they come: it reads blocks from logs.enriched while somebody looks, asks them each viewer's filter, and puts what
// matches into bounded queues. A viewer who does not keep up loses the oldest lines, is told how many, and harms nobody else.
package tail

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// Feed calls f with each message of logs.enriched that comes from now on, in order by partition, until ctx ends. state is told nil when it
// reads, and the error when it does not.
type Feed func(ctx context.Context, state func(error), f func(headers map[string]string, value []byte))

// ErrFull is that there are as many viewers as there may be.
var ErrFull = errors.New("too many are watching")

// ErrClosed is that the api stops.
var ErrClosed = errors.New("the api stops")

// Stats are figures of a hub.
type Stats struct {
	Viewers int
	Lines   int64 // given to viewers
	Dropped int64 // that viewers were too slow for
	Damaged int64 // blocks that could not be read
}

// Hub has the viewers. Safe for concurrent use.
type Hub struct {
	feed Feed
	now  func() time.Time

	mu      sync.Mutex
	viewers map[*Viewer]struct{}
	reading context.CancelFunc // nil: nobody reads
	done    chan struct{}      // closed when the reading has ended
	idle    *time.Timer
	problem error // why nothing comes
	live    bool  // it reads
	closed  bool

	seen                    map[partition]int64 // the last offset of logs.raw that was shown; by the reader alone
	lines, dropped, damaged atomic.Int64
}

type partition struct {
	stream uint32
	part   int32
}

// New makes a hub; it reads while there are viewers.
func New(feed Feed, now func() time.Time) *Hub {
	return &Hub{feed: feed, now: now, viewers: map[*Viewer]struct{}{}}
}

// Stats of the hub.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{len(h.viewers), h.lines.Load(), h.dropped.Load(), h.damaged.Load()}
}

// Watch makes a viewer of the lines that filter lets through, at most rate a second. Close it. ErrFull and ErrClosed; the filter's own errors.
func (h *Hub) Watch(filter query.Node, rate int) (*Viewer, error) {
	program, err := scan.Compile(filter, h.now(), nil)
	if err != nil {
		return nil, err
	}
	v := &Viewer{hub: h, program: program, rate: rate, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return nil, ErrClosed
	case len(h.viewers) >= maxViewers:
		return nil, ErrFull
	}
	h.viewers[v] = struct{}{}
	v.live, v.problem = h.live, h.problem
	h.start()
	return v, nil
}

// start begins to read; with the lock.
func (h *Hub) start() {
	if h.idle != nil {
		h.idle.Stop()
		h.idle = nil
	}
	if h.reading != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, before := make(chan struct{}), h.done
	h.reading, h.done = cancel, done
	go func() {
		defer close(done)
		if before != nil {
			<-before // one reader at a time: seen is the reader's
		}
		h.seen = map[partition]int64{}
		h.feed(ctx, h.state, h.block)
	}()
}

// leave takes a viewer out; the last one ends the reading, after a while.
func (h *Hub) leave(v *Viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, v)
	if len(h.viewers) > 0 || h.reading == nil || h.idle != nil {
		return
	}
	h.idle = time.AfterFunc(linger, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.viewers) == 0 {
			h.stop()
		}
	})
}

// stop ends the reading; with the lock.
func (h *Hub) stop() {
	if h.idle != nil {
		h.idle.Stop()
		h.idle = nil
	}
	if h.reading != nil {
		h.reading()
		h.reading, h.live, h.problem = nil, false, nil
	}
}

// Close ends all viewers and the reading, and waits for it as long as ctx allows.
func (h *Hub) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.stop()
	for v := range h.viewers {
		v.end(ErrClosed)
	}
	done := h.done
	h.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// state is what the feed says of its connection.
func (h *Hub) state(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live, h.problem = err == nil, err
	for v := range h.viewers {
		v.connected(err)
	}
}

// block shows a message to all viewers.
func (h *Hub) block(headers map[string]string, value []byte) {
	e, err := contract.ParseEnriched(headers)
	if err == nil && (e.Heartbeat() || h.repeated(e)) {
		return
	}
	var v *view
	if err == nil {
		v, err = newView(value, e.Checksum)
	}
	if err == nil {
		err = h.show(describe(e), v)
	}
	if err != nil {
		h.damaged.Add(1)
	}
}

// repeated tells whether a block was shown before: its publisher may say it twice.
func (h *Hub) repeated(e contract.Enriched) bool {
	p := partition{e.Stream, e.Partition}
	if last, ok := h.seen[p]; ok && e.To <= last {
		return true
	}
	h.seen[p] = e.To
	return false
}

// wanted is what a viewer gets of a block.
type wanted struct {
	viewer *Viewer
	rows   []int32
}

// show asks a block each viewer's filter, makes records of the rows that somebody is sent, each once, and puts them into the queues.
func (h *Hub) show(b *scan.Block, v *view) error {
	h.mu.Lock()
	viewers := make([]*Viewer, 0, len(h.viewers))
	for w := range h.viewers {
		viewers = append(viewers, w)
	}
	h.mu.Unlock()
	now, all := h.now(), scan.All(v.Rows())
	union := scan.NewBitmap(v.Rows())
	var gets []wanted
	for _, w := range viewers {
		found, err := w.program.Run(v, b, all)
		if err != nil {
			return err
		}
		if rows := w.admit(found, now); len(rows) > 0 {
			gets = append(gets, wanted{w, rows})
			for _, row := range rows {
				union.Set(int(row))
			}
		}
	}
	rows := union.First(nil, v.Rows())
	recs, err := search.Records(v, rows)
	if err != nil {
		return err
	}
	hits := make(map[int32]*search.Hit, len(rows))
	for i, row := range rows {
		r := &recs[i]
		hits[row] = &search.Hit{Key: query.Key{Time: r.Timestamp, ID: logrec.ID{Stream: b.Stream, Partition: b.Partition, Offset: r.SrcOffset, Row: r.SrcRow}}, Record: r}
	}
	for _, g := range gets {
		g.viewer.put(hits, g.rows)
	}
	return nil
}
