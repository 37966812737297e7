package tail

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// topic is a feed that a test publishes to.
type topic struct {
	messages chan message
	states   chan error
	begun    chan struct{}
}

type message struct {
	headers map[string]string
	value   []byte
	shown   chan struct{}
}

func newTopic() *topic {
	return &topic{make(chan message), make(chan error), make(chan struct{}, 10)}
}

func (f *topic) feed(ctx context.Context, state func(error), show func(map[string]string, []byte)) {
	state(nil)
	f.begun <- struct{}{}
	for {
		select {
		case m := <-f.messages:
			show(m.headers, m.value)
			close(m.shown)
		case err := <-f.states:
			state(err)
		case <-ctx.Done():
			return
		}
	}
}

// publish returns when all viewers have had their chance.
func (f *topic) publish(h contract.Enriched, value []byte) {
	m := message{map[string]string{}, value, make(chan struct{})}
	for _, x := range h.Headers() {
		m.headers[x.Key] = x.Value
	}
	f.messages <- m
	<-m.shown
}

func build(t testing.TB, part int32, from int64, recs []logrec.Record) (contract.Enriched, []byte) {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	blk, err := b.Build(recs)
	require.NoError(t, err)
	return contract.Enriched{Stream: 1, Partition: part, From: from, To: from, Prev: from - 1, Rows: len(recs), MinTime: blk.Meta.MinTime, MaxTime: blk.Meta.MaxTime, Checksum: blk.Meta.Checksum}, blk.Data
}

func lines(from int64, n int) (recs []logrec.Record) {
	for i := range n {
		recs = append(recs, logrec.Record{Timestamp: from*1e9 + int64(i), Level: logrec.LevelInfo, Service: "s" + strconv.Itoa(i%3), Message: fmt.Sprintf("line %d", i), SrcOffset: from, SrcRow: int32(i)})
	}
	return recs
}

// frozen keeps the second, so that rates are exact.
func frozen() time.Time { return time.Unix(1000, 0) }

func hub(t *testing.T, f *topic, now func() time.Time) *Hub {
	h := New(f.feed, now)
	t.Cleanup(func() { require.NoError(t, h.Close(context.Background())) })
	return h
}

func next(t *testing.T, v *Viewer) News {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n, err := v.Next(ctx)
	require.NoError(t, err)
	return n
}

// TestFiftyViewersOneStuck: who reads gets every line, in order; the stuck one holds a bounded queue and is told what it lost.
func TestFiftyViewersOneStuck(t *testing.T) {
	t.Parallel()
	const blocks, rows, viewers = 40, 500, 50
	f := newTopic()
	h := hub(t, f, time.Now)
	stuck, err := h.Watch(query.All{}, 1<<30)
	require.NoError(t, err)
	var all []*Viewer
	for range viewers - 1 {
		v, err := h.Watch(query.Equal(query.Field{Name: "service"}, "s1"), 1<<30)
		require.NoError(t, err)
		all = append(all, v)
	}
	<-f.begun
	var wg sync.WaitGroup
	counts := make([]int, len(all))
	for i, v := range all {
		wg.Go(func() {
			last := query.Key{Time: -1}
			for counts[i] < blocks*167 {
				n, err := v.Next(t.Context())
				if err != nil || n.Dropped > 0 {
					t.Errorf("viewer %d: %v, %d dropped", i, err, n.Dropped)
					return
				}
				for _, l := range n.Lines {
					if l.Key.Compare(last) <= 0 || l.Record.Service != "s1" {
						t.Errorf("viewer %d: %v after %v", i, l.Key, last)
					}
					last = l.Key
				}
				counts[i] += len(n.Lines)
			}
		})
	}
	for b := range int64(blocks) {
		f.publish(build(t, 0, b, lines(b, rows)))
		if b%8 == 7 { // as much as a queue holds: those who read are given the time to
			require.Eventually(t, func() bool { return waiting(all) == 0 }, 20*time.Second, time.Millisecond)
		}
	}
	wg.Wait()
	require.LessOrEqual(t, len(stuck.queue), queueLines)
	require.LessOrEqual(t, stuck.bytes, queueBytes)
	n := next(t, stuck)
	require.EqualValues(t, blocks*rows, int64(len(n.Lines))+n.Dropped)
	require.Greater(t, n.Dropped, int64(blocks*rows-queueLines-1))
	require.Equal(t, query.Key{Time: 39e9 + 499, ID: logrec.ID{Stream: 1, Offset: 39, Row: 499}}, n.Lines[len(n.Lines)-1].Key, "the newest are kept")
	require.Equal(t, n.Dropped, h.Stats().Dropped)
	for _, v := range append(all, stuck) {
		v.Close()
	}
	require.Zero(t, h.Stats().Viewers)
}

func waiting(all []*Viewer) (n int) {
	for _, v := range all {
		v.mu.Lock()
		n += len(v.queue)
		v.mu.Unlock()
	}
	return n
}

// TestAViewersFilterEqualsANaiveOne with random filters over random lines.
func TestAViewersFilterEqualsANaiveOne(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(6) {
		r := naive.NewRandom(seed)
		f := newTopic()
		h := hub(t, f, frozen)
		var viewers []*Viewer
		var filters []query.Node
		for range 40 {
			filters = append(filters, r.Filter(2))
			v, err := h.Watch(filters[len(filters)-1], 1<<30)
			require.NoError(t, err)
			viewers = append(viewers, v)
		}
		<-f.begun
		var recs []logrec.Record
		for i := range 100 {
			rec := r.Record()
			rec.SrcOffset, rec.SrcRow = 0, int32(i)
			recs = append(recs, rec)
		}
		f.publish(build(t, 0, 0, recs))
		for i, v := range viewers {
			want, got := map[logrec.ID]bool{}, map[logrec.ID]bool{}
			for k := range recs {
				id := logrec.ID{Stream: 1, Row: recs[k].SrcRow} // building a block has put them in order
				if naive.Match(filters[i], &recs[k], id, frozen()) {
					want[id] = true
				}
			}
			for _, l := range next(t, v).Lines {
				got[l.Key.ID] = true
			}
			require.Equal(t, want, got, query.Print(filters[i]))
			found += len(want)
		}
	}
	require.Greater(t, found, 100)
}

func TestARateIsKeptAndToldOf(t *testing.T) {
	t.Parallel()
	f := newTopic()
	h := hub(t, f, frozen)
	v, err := h.Watch(query.All{}, 10)
	require.NoError(t, err)
	<-f.begun
	f.publish(build(t, 0, 1, lines(1, 7)))
	f.publish(build(t, 0, 2, lines(2, 7)))
	n := next(t, v)
	require.Len(t, n.Lines, 10)
	require.EqualValues(t, 4, n.Dropped)
	require.EqualValues(t, 6, n.Lines[9].Key.ID.Row, "the newest of a block")
}

// TestRepeatsDamageAndConnection: a block that is published twice is shown once, a damaged one is counted, a lost connection is told.
func TestRepeatsDamageAndConnection(t *testing.T) {
	t.Parallel()
	f := newTopic()
	h := hub(t, f, frozen)
	v, err := h.Watch(query.All{}, 1000)
	require.NoError(t, err)
	<-f.begun
	require.True(t, next(t, v).Live)
	head, data := build(t, 0, 5, lines(5, 3))
	f.publish(head, data)
	f.publish(head, data)
	other := head
	other.Partition = 1
	f.publish(other, data)
	require.Len(t, next(t, v).Lines, 6)
	head, data = build(t, 0, 6, lines(6, 3))
	data[len(data)/2] ^= 1
	f.publish(head, data)
	f.publish(contract.Enriched{Stream: 1, From: 7, To: 6}, nil) // a heartbeat
	m := message{map[string]string{"rows": "x"}, nil, make(chan struct{})}
	f.messages <- m
	<-m.shown
	require.EqualValues(t, 2, h.Stats().Damaged)
	away := errors.New("away")
	f.states <- away
	n := next(t, v)
	require.True(t, n.Changed)
	require.False(t, n.Live)
	require.ErrorIs(t, n.Problem, away)
}

func TestAsManyAsMayAndNoMore(t *testing.T) {
	t.Parallel()
	f := newTopic()
	h := New(f.feed, frozen)
	for range maxViewers {
		_, err := h.Watch(query.All{}, 1)
		require.NoError(t, err)
	}
	_, err := h.Watch(query.All{}, 1)
	require.ErrorIs(t, err, ErrFull)
	require.NoError(t, h.Close(t.Context()))
	_, err = h.Watch(query.All{}, 1)
	require.ErrorIs(t, err, ErrClosed)
}

func TestClosingEndsAViewer(t *testing.T) {
	t.Parallel()
	f := newTopic()
	h := New(f.feed, frozen)
	v, err := h.Watch(query.All{}, 1)
	require.NoError(t, err)
	<-f.begun
	next(t, v)
	require.NoError(t, h.Close(t.Context()))
	_, err = v.Next(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	v.Close()
}
