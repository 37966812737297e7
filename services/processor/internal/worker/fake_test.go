package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/window"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/counts"
)

var errFault = errors.New("injected fault")

// world is MySQL and Kafka of one partition, in memory, with the fences of the real ones.
type world struct {
	mu       sync.Mutex
	progress store.Progress
	blocks   []store.Block
	windows  map[int64]window.Window
	errors   map[int64]window.ErrorWindow
	hours    map[string]window.Hour

	requests map[contract.RequestKey]dedup.Seen
	letters  map[int64]*letter

	log      []pipeline.Message // logs.raw
	sequence int64              // of the one producer
	vacant   map[int64]bool     // offsets that hold markers
	enriched []published
	dead     []published
}

type published struct {
	contract.Enriched
	headers map[string]string
	key     string
	data    []byte
}

func newWorld() *world {
	return &world{progress: store.Progress{Stream: 1, PrevTo: -1}, windows: map[int64]window.Window{}, errors: map[int64]window.ErrorWindow{}, hours: map[string]window.Hour{}, vacant: map[int64]bool{},
		requests: map[contract.RequestKey]dedup.Seen{}, letters: map[int64]*letter{}}
}

// send appends a message to logs.raw.
func (w *world) send(value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sequence++
	w.log = append(w.log, pipeline.Message{Offset: int64(len(w.log)), Time: time.Now().UnixNano(), ContentType: contract.ContentTypeJSON, Value: []byte(value),
		Identity: contract.Identity{Producer: contract.ProducerID{1}, Sequence: w.sequence}})
}

// request appends a request with an Idempotency-Key, as another collector's message each time.
func (w *world) request(key byte, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sequence++
	w.log = append(w.log, pipeline.Message{Offset: int64(len(w.log)), Time: time.Now().UnixNano(), ContentType: contract.ContentTypeJSON, Value: []byte(value),
		Identity: contract.Identity{Producer: contract.ProducerID{2, byte(w.sequence), byte(w.sequence >> 8)}, Sequence: 1},
		Request:  contract.Request{Key: contract.RequestKey{key}, Fingerprint: contract.FingerprintOf("", []byte(value))}})
}

// again is a broker that has forgotten the producer: it takes the newest n messages once more.
func (w *world) again(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.log[max(0, len(w.log)-n):] {
		if !w.vacant[m.Offset] {
			m.Offset = int64(len(w.log))
			w.log = append(w.log, m)
		}
	}
}

// allPublished tells whether the newest block is on logs.enriched: it is stored a moment before.
func (w *world) allPublished() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.blocks) == 0 {
		return true
	}
	newest := w.blocks[len(w.blocks)-1].To
	return slices.ContainsFunc(w.enriched, func(p published) bool { return p.Rows > 0 && p.To == newest })
}

// seen is what is on logs.enriched now.
func (w *world) seen() []published {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.enriched)
}

// marker appends an offset that is never delivered.
func (w *world) marker() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vacant[int64(len(w.log))] = true
	w.log = append(w.log, pipeline.Message{Offset: int64(len(w.log))})
}

func line(id int) string {
	return fmt.Sprintf(`{"service":"shop","level":"error","message":"m-%d","timestamp":"%s","response_time_ms":%d}`, id, time.Now().UTC().Format(time.RFC3339Nano), id%90)
}

// life is one process's view of the world. fault is asked at each step by name; dead processes change nothing.
type life struct {
	*world
	fault func(at string) error
	dead  func() bool
}

func (l *life) step(at string) error {
	if l.dead != nil && l.dead() {
		return errFault
	}
	if l.fault != nil {
		return l.fault(at)
	}
	return nil
}

func (l *life) Acquire(_ context.Context, _ uint32, _ int32, _ string) (store.Progress, error) {
	if err := l.step("acquire"); err != nil {
		return store.Progress{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress.Epoch++
	return l.progress, nil
}

func (l *life) Commit(_ context.Context, p store.Progress, c store.Commit) (store.Progress, error) {
	if err := l.step("commit"); err != nil {
		return p, err
	}
	next, err := l.commit(p, c)
	if err != nil {
		return p, err
	}
	if err := l.step("committed"); err != nil {
		return p, err
	}
	return next, nil
}

func (l *life) commit(p store.Progress, c store.Commit) (store.Progress, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Epoch != l.progress.Epoch || p.NextOffset != l.progress.NextOffset || c.Watermark > time.Now().UnixNano() {
		return p, store.ErrFenced
	}
	if c.Block.Data != nil {
		l.blocks = append(l.blocks, store.Block{From: c.From, To: c.To, PrevTo: p.PrevTo, Watermark: c.Watermark, Meta: c.Block.Meta, Data: c.Block.Data})
		l.progress.PrevTo = c.To
	}
	maps.Copy(l.requests, c.Requests)
	for offset, d := range l.letters {
		_, now := c.Replayed[offset]
		if seen, ok := c.Requests[d.Request.Key]; ok && d.Request != (contract.Request{}) && seen.Fingerprint == d.Request.Fingerprint && len(d.replayed) == 0 && !now {
			d.replayed = append(d.replayed, dedup.Replayed{As: c.To})
		}
	}
	for _, d := range c.Dead {
		l.letters[d.Offset] = &letter{Letter: d}
	}
	for offset, r := range c.Replayed {
		l.letters[offset].replayed = append(l.letters[offset].replayed, r)
	}
	if c.Producers != nil {
		l.progress.Producers = c.Producers
	}
	l.progress.NextOffset, l.progress.Watermark = c.To+1, c.Watermark
	p.NextOffset, p.Watermark, p.PrevTo, p.Producers = l.progress.NextOffset, l.progress.Watermark, l.progress.PrevTo, l.progress.Producers
	return p, nil
}

func (l *life) LastBlock(context.Context, store.Progress) (store.Block, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.blocks) == 0 {
		return store.Block{}, false, nil
	}
	return l.blocks[len(l.blocks)-1], true, nil
}

func (l *life) BlockFrom(_ context.Context, _ store.Progress, offset int64) (store.Block, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.blocks {
		if b.To >= offset {
			return b, true, nil
		}
	}
	return store.Block{}, false, nil
}

func (l *life) Windows(_ context.Context, _ store.Progress, starts window.Starts) (found window.Changes, damaged int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, start := range starts.Windows {
		found.Windows = append(found.Windows, l.windows[start])
	}
	for _, start := range starts.Errors {
		found.Errors = append(found.Errors, l.errors[start])
	}
	for _, h := range l.hours {
		if slices.Contains(starts.Hours, h.Start) {
			found.Hours = append(found.Hours, h)
		}
	}
	return found, 0, nil
}

func (l *life) DropWindowChanges(context.Context, store.Progress, int) (int64, error) { return 0, nil }

func (l *life) SaveWindows(_ context.Context, p store.Progress, through int64, c window.Changes) (store.Progress, error) {
	if err := l.step("windows"); err != nil {
		return p, err
	}
	l.mu.Lock()
	if p.Epoch != l.progress.Epoch || p.WindowsThrough != l.progress.WindowsThrough {
		l.mu.Unlock()
		return p, store.ErrFenced
	}
	for _, w := range c.Windows {
		l.windows[w.Start] = w
	}
	for _, w := range c.Errors {
		l.errors[w.Start] = w
	}
	for _, h := range c.Hours {
		l.hours[fmt.Sprint(h.Start, h.Service)] = h
	}
	l.progress.WindowsThrough, p.WindowsThrough = through, through
	l.mu.Unlock()
	return p, l.step("windows written")
}

func (l *life) Requests(_ context.Context, _ store.Progress, keys []contract.RequestKey) (map[contract.RequestKey]dedup.Seen, error) {
	if err := l.step("requests"); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[contract.RequestKey]dedup.Seen{}
	for _, k := range keys {
		if seen, ok := l.requests[k]; ok {
			out[k] = seen
		}
	}
	return out, nil
}

func (l *life) DropRequests(_ context.Context, _ store.Progress, before int64, limit int) (n int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, seen := range l.requests {
		if seen.At < before && n < int64(limit) {
			delete(l.requests, k)
			n++
		}
	}
	return n, nil
}

func (l *life) Letters(_ context.Context, _ store.Progress, offsets []int64) (map[int64]dedup.Letter, error) {
	if err := l.step("letters"); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[int64]dedup.Letter{}
	for _, o := range offsets {
		if d, ok := l.letters[o]; ok {
			found := dedup.Letter{Rows: d.Rows, At: d.At, Import: d.Import, Request: d.Request, Replayed: d.as(), Twin: -1}
			for _, other := range l.letters {
				if d.Request != (contract.Request{}) && d.Request == other.Request {
					found.Twin = max(found.Twin, other.as())
				}
			}
			out[o] = found
		}
	}
	return out, nil
}

func (l *life) DropLetters(context.Context, int) (int64, error) { return 0, nil }

func (l *life) End(context.Context, int32) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.log)), nil
}

func (l *life) Vacant(_ context.Context, _ int32, from int64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.vacant[from] {
		from++
	}
	return from, nil
}

func (l *life) Publish(ctx context.Context, topic string, partition int32, key, value []byte, headers []contract.Header) error {
	if err := errors.Join(ctx.Err(), l.step("publish "+topic)); err != nil {
		return err
	}
	p := published{headers: map[string]string{}, key: string(key), data: slices.Clone(value)}
	for _, h := range headers {
		p.headers[h.Key] = h.Value
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if topic == contract.TopicDead {
		l.world.dead = append(l.world.dead, p)
		return nil
	}
	var err error
	if p.Enriched, err = contract.ParseEnriched(p.headers); err != nil || partition != p.Partition {
		return fmt.Errorf("bad headers for partition %d: %w", partition, err)
	}
	l.enriched = append(l.enriched, p)
	return l.step("published")
}

// start makes a worker of this life on the partition as it stands now.
func (l *life) start(t *testing.T) *Worker {
	t.Helper()
	p, err := (&life{world: l.world}).Acquire(t.Context(), 1, 0, "")
	require.NoError(t, err)
	cfg := Config{Owner: "test", Pipeline: pipeline.Config{Partitions: 1, MaxLate: 5 * time.Minute}}
	deps := Deps{Progress: l, Blocks: l, Windows: l, Requests: l, Letters: l, Log: l, Enriched: l, Dead: l, Decode: decodeOutside, Now: func() int64 { return time.Now().UnixNano() },
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop()}
	w, err := New(cfg, deps, p, func(int64) {})
	require.NoError(t, err)
	return w
}

// feed delivers logs.raw from the worker's position until ctx ends, as a claim does. rewind > 0 delivers that many messages again
// after each.
func (l *life) feed(ctx context.Context, w *Worker, from int64, rewind int) {
	for at := from; ctx.Err() == nil; {
		l.mu.Lock()
		waiting := at < int64(len(l.log))
		var m pipeline.Message
		if waiting {
			m = l.log[at]
		}
		marker := l.vacant[at]
		again := l.log[max(0, min(int(at), len(l.log))-rewind):min(int(at), len(l.log))]
		l.mu.Unlock()
		if !waiting {
			sleep(ctx, 5*time.Millisecond)
			continue
		}
		at++
		if marker || w.Put(ctx, m) != nil {
			continue
		}
		for _, old := range again {
			if !l.isMarker(old.Offset) {
				_ = w.Put(ctx, old)
			}
		}
	}
}

func (l *life) isMarker(offset int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.vacant[offset]
}

// storedMessages counts each message text of all stored blocks.
func (w *world) storedMessages(t *testing.T) map[string]int {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, b := range w.blocks {
		countMessages(t, n, b.Data)
	}
	return n
}

func countMessages(t *testing.T, n map[string]int, data []byte) {
	t.Helper()
	recs, err := decodeOutside(data)
	require.NoError(t, err)
	for _, rec := range recs {
		n[rec.Message]++
	}
}

// deduped reads logs.enriched as a reader does: blocks below what it has are dropped, a gap is an error.
func (w *world) deduped(t *testing.T) map[string]int {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	n, have, watermark := map[string]int{}, int64(-1), int64(0)
	for _, p := range w.enriched {
		if p.Rows > 0 && p.To > have {
			require.Equal(t, have, p.Prev, "a gap before offset %d", p.From)
			have = p.To
			countMessages(t, n, p.data)
		}
		watermark = max(watermark, p.Watermark)
	}
	require.LessOrEqual(t, watermark, w.progress.Watermark, "published before it was stored")
	return n
}

func (w *world) windowCount() (lines, errors, hours uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r := range maps.Values(w.windows) {
		lines += counts.Lines(r.Rows)
	}
	for r := range maps.Values(w.errors) {
		errors += counts.TextLines(r.Texts)
	}
	for h := range maps.Values(w.hours) {
		hours += h.Lines()
	}
	return lines, errors, hours
}

func (w *world) standing() store.Progress {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.progress
}
