package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// run runs a worker with its feed until stop is called; stop waits.
func (l *life) run(t *testing.T, rewind int) (w *Worker, stop func()) {
	t.Helper()
	w = l.start(t)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	wg.Go(func() { l.feed(ctx, w, w.progress.NextOffset, rewind) })
	return w, func() { cancel(); wg.Wait() }
}

// settle lets the bubble's clock run until everything sent is stored, windowed and published.
func settle(t *testing.T, w *world) {
	t.Helper()
	for range 600 {
		synctest.Wait()
		p := w.standing()
		if p.NextOffset == int64(len(w.log)) && p.WindowsThrough == p.NextOffset && w.allPublished() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not settled: %+v of %d", w.standing(), len(w.log))
}

// requireExact: stored = sent, enriched = stored, windows = stored, each line once.
func requireExact(t *testing.T, w *world, sent int) {
	t.Helper()
	stored := w.storedMessages(t)
	require.Len(t, stored, sent)
	for m, n := range stored {
		require.Equal(t, 1, n, m)
	}
	require.Equal(t, stored, w.deduped(t), "logs.enriched is not what is stored")
	lines, errors, hours := w.windowCount()
	require.EqualValues(t, sent, lines, "windows")
	require.EqualValues(t, sent, errors, "error windows")
	require.EqualValues(t, sent, hours, "hours")
}

func TestStoresAndPublishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		for i := range 200 {
			w.send(line(i))
		}
		settle(t, w)
		stop()
		requireExact(t, w, 200)
	})
}

func TestOnceAtEveryFaultPoint(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"commit", "committed", "acquire", "publish logs.enriched", "published", "windows", "windows written", "requests"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				n := atomic.Int32{}
				l := &life{world: w, fault: func(step string) error {
					if step == at && n.Add(1)%3 == 1 {
						return errFault
					}
					if at == "acquire" && step == "commit" && n.Add(1)%7 == 2 { // something must make it acquire
						return errFault
					}
					return nil
				}}
				_, stop := l.run(t, 2)
				for i := range 100 {
					if text := line(i); i%3 == 0 {
						w.request(byte(i), text)
						w.request(byte(i), text)
					} else {
						w.send(text)
					}
					time.Sleep(70 * time.Millisecond)
					synctest.Wait()
				}
				settle(t, w)
				stop()
				require.Positive(t, n.Load(), "the fault was never asked for")
				requireExact(t, w, 100)
			})
		})
	}
}

// TestChaos: processes die at random steps, others take over, zombies live on beside them, messages come again and again.
func TestChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func chaos(t *testing.T, r *rand.Rand) {
	w := newWorld()
	var mu sync.Mutex
	pick := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
	chance := func(n int) bool { return pick(n) == 0 }
	sent := 0
	requests := map[byte]string{}
	var zombies []func()
	for range 12 {
		var dead atomic.Bool
		l := &life{world: w, dead: dead.Load, fault: func(string) error {
			if chance(12) {
				return errFault
			}
			if chance(40) { // killed: nothing that this process does from here on has any effect
				dead.Store(true)
				return errFault
			}
			return nil
		}}
		_, stop := l.run(t, pick(3))
		for range pick(30) {
			w.send(line(sent))
			sent++
			if chance(8) {
				w.marker()
			}
			if chance(6) {
				w.again(1 + pick(6))
			}
			if chance(3) { // a client that repeats what may be stored: the body is known by its number
				key := byte(pick(40))
				if body := requests[key]; body == "" {
					requests[key] = line(sent)
					sent++
				}
				w.request(key, requests[key])
			}
			time.Sleep(time.Duration(pick(120)) * time.Millisecond)
			synctest.Wait()
		}
		if chance(2) {
			dead.Store(true)
			stop()
		} else {
			zombies = append(zombies, stop)
		}
	}
	for _, stop := range zombies {
		stop()
	}
	_, stop := (&life{world: w}).run(t, 0)
	settle(t, w)
	stop()
	requireExact(t, w, sent)
}

func TestCrashBetweenCommitAndPublish(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var dead atomic.Bool
		_, stop := (&life{world: w, dead: dead.Load, fault: func(at string) error {
			if at == "committed" {
				dead.Store(true)
			}
			return nil
		}}).run(t, 0)
		w.send(line(0))
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		require.Len(t, w.blocks, 1)
		require.Empty(t, w.enriched)

		_, stop = (&life{world: w}).run(t, 0)
		w.send(line(1))
		settle(t, w)
		stop()
		require.EqualValues(t, 0, w.enriched[0].From, "the last block comes before anything new")
		require.Positive(t, w.enriched[0].Rows)
		requireExact(t, w, 2)
	})
}

// TestABatchThatIsWrittenTwiceIsStoredOnce: in one block, in the next, after another process has taken over, and when it was poison.
func TestABatchThatIsWrittenTwiceIsStoredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.send(line(0))
		w.send(line(1))
		w.again(2) // in hand at once: one block
		worker, stop := (&life{world: w}).run(t, 0)
		settle(t, w)
		w.again(3)
		w.send(line(2))
		settle(t, w)
		stop()
		require.EqualValues(t, 5, testutil.ToFloat64(worker.deps.Metrics.repeated.WithLabelValues("batch")))
		worker, stop = (&life{world: w}).run(t, 0)
		w.again(8)
		w.send("garbage")
		w.again(1)
		w.send(line(3))
		settle(t, w)
		stop()
		require.EqualValues(t, 9, testutil.ToFloat64(worker.deps.Metrics.repeated.WithLabelValues("batch")))
		require.Len(t, w.dead, 1)
		requireExact(t, w, 4)
	})
}

// TestARequestIsStoredOnce: repeated in one block, in the next, after another process has taken over; a key that is used for another body is
// not stored, and not lost; after ten minutes it may be used again.
func TestARequestIsStoredOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a, b := line(0), line(1)
		w.request(1, a)
		w.request(1, a)
		w.request(2, b)
		worker, stop := (&life{world: w}).run(t, 0)
		settle(t, w)
		w.request(2, b)
		time.Sleep(9 * time.Minute)
		w.request(1, a)
		settle(t, w)
		stop()
		require.EqualValues(t, 3, testutil.ToFloat64(worker.deps.Metrics.repeated.WithLabelValues("request")))
		worker, stop = (&life{world: w}).run(t, 0)
		w.request(1, a)
		w.request(1, b)
		settle(t, w)
		require.Len(t, w.dead, 1)
		require.Equal(t, b, string(w.dead[0].data))
		require.Contains(t, w.dead[0].headers["error"], "idempotency_conflict")
		requireExact(t, w, 2)
		time.Sleep(time.Minute)
		c := line(2)
		w.request(1, c)
		settle(t, w)
		stop()
		require.EqualValues(t, 1, testutil.ToFloat64(worker.deps.Metrics.repeated.WithLabelValues("request")))
		require.Len(t, w.dead, 1)
		requireExact(t, w, 3)
	})
}

func TestOldRequestsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		w.request(1, line(0))
		settle(t, w)
		time.Sleep(dedup.KeepKey)
		w.request(2, line(1))
		settle(t, w)
		time.Sleep(2 * ForgetEvery) // heartbeats only
		synctest.Wait()
		stop()
		require.Len(t, w.requests, 1)
		require.Contains(t, w.requests, contract.RequestKey{2})
	})
}

func TestAMemoryThatCannotBeReadHoldsNothingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.progress.Producers = []byte("of another version")
		_, stop := (&life{world: w}).run(t, 0)
		w.send(line(0))
		settle(t, w)
		stop()
		requireExact(t, w, 1)
	})
}

func TestPoisonGoesToDeadLettersAndCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		w.send("\x00\xff garbage")
		w.send(line(1))
		w.send(`[` + line(2) + `,{"message":"m-3","service":"x","timestamp":"never"}]`)
		w.send("{")
		settle(t, w)
		stop()
		require.Len(t, w.storedMessages(t), 2)
		require.Len(t, w.dead, 3)
		d, err := contract.ParseDead(w.dead[0].headers)
		require.NoError(t, err)
		require.Equal(t, contract.TopicRaw, d.Topic)
		require.EqualValues(t, 0, d.Offset)
		require.NotEmpty(t, d.Error)
		require.Equal(t, "\x00\xff garbage", string(w.dead[0].data))
	})
}

func TestRefusedBlockIsNarrowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		l := &refusing{life{world: w}}
		for i := range 20 {
			w.send(line(i))
		}
		worker := l.start(t)
		worker.deps.Progress = l
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { worker.Run(ctx) })
		wg.Go(func() { l.feed(ctx, worker, 0, 0) })
		settle(t, w)
		cancel()
		wg.Wait()
		require.Len(t, w.storedMessages(t), 19)
		require.Len(t, w.dead, 1)
		require.True(t, strings.HasPrefix(w.dead[0].headers["error"], "refused") || strings.Contains(fmt.Sprint(w.dead[0].headers), "refused"))
	})
}

// refusing is a MySQL that never takes a block with offset 7 in it.
type refusing struct{ life }

func (l *refusing) Commit(ctx context.Context, p store.Progress, c store.Commit) (store.Progress, error) {
	if c.Block.Data != nil && c.From <= 7 && 7 <= c.To {
		return p, errors.Join(store.ErrRefused, errFault)
	}
	return l.life.Commit(ctx, p, c)
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		w.send(line(0))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		beats := len(w.seen()) - 1
		require.InDelta(t, 8, beats, 1, "one each 250 ms")
		last := w.seen()[len(w.seen())-1]
		require.Zero(t, last.Rows)
		require.Empty(t, last.data)
		require.EqualValues(t, 1, last.From)
		require.EqualValues(t, 0, last.To)
		require.EqualValues(t, 0, last.Prev)
		require.InDelta(t, time.Now().Add(-pipeline.WatermarkLag).UnixNano(), last.Watermark, float64(2*Heartbeat))
		time.Sleep(QuietAfter)
		synctest.Wait()
		quiet := len(w.seen())
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.InDelta(t, 10, len(w.seen())-quiet, 1, "one each 2 s after a quiet minute")
		stop()
	})
}

// TestNoHeartbeatWhileRecordsWait: the log's end lies beyond us, and the watermark must not pass records that are on their way.
func TestNoHeartbeatWhileRecordsWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		l := &life{world: w}
		worker := l.start(t)
		w.send(line(0)) // there, but not delivered
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		worker.Run(ctx)
		require.Empty(t, w.enriched)
		require.Zero(t, w.standing().NextOffset)
	})
}

func TestMarkersArePassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		w.send(line(0))
		w.marker()
		w.marker()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 3, w.standing().NextOffset)
		w.send(line(1))
		settle(t, w)
		stop()
		requireExact(t, w, 2)
	})
}

func TestLostLogStopsThePartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.progress.NextOffset, w.progress.WindowsThrough = 500, 500 // the log is empty
		worker, stop := (&life{world: w}).run(t, 0)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.True(t, worker.State().Lost)
		require.NotEmpty(t, worker.State().Err)
		require.EqualValues(t, 500, w.standing().NextOffset)
		require.Empty(t, w.enriched)
		stop()
	})
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue()
		var put atomic.Int32
		done := make(chan error, 1)
		go func() {
			for {
				if err := q.Put(context.Background(), pipeline.Message{Value: make([]byte, QueueBytes/4)}); err != nil {
					done <- err
					return
				}
				put.Add(1)
			}
		}()
		synctest.Wait()
		require.EqualValues(t, 4, put.Load())
		_, ok := q.Take()
		require.True(t, ok)
		synctest.Wait()
		require.EqualValues(t, 5, put.Load())
		q.Close()
		require.ErrorIs(t, <-done, ErrClosed)
	})
}

func TestOversizedMessageStillPasses(t *testing.T) {
	t.Parallel()
	q := NewQueue()
	require.NoError(t, q.Put(t.Context(), pipeline.Message{Value: make([]byte, 2*QueueBytes)}))
}
