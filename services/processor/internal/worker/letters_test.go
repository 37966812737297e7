package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// letter is a row of dead_letter.
type letter struct {
	store.Letter
	replayed []dedup.Replayed // each time that somebody marked it: once, or lines count twice
}

func (l *letter) as() int64 {
	if len(l.replayed) == 0 {
		return -1
	}
	return l.replayed[0].As
}

// replay appends the message at offset once more, as the api does. mend is what the fix of the processor would be: here the bytes change, there the code does.
func (w *world) replay(offset int64, mend string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := pipeline.Message{Offset: int64(len(w.log)), Time: time.Now().UnixNano(), ContentType: contract.ContentTypeJSON, Value: []byte(mend),
		Replay: contract.Replay{Stream: 1, Offset: offset, By: "ann"}}
	if mend == "" {
		m.Value = w.log[offset].Value
	}
	w.log = append(w.log, m)
}

func (w *world) letter(offset int64) letter {
	w.mu.Lock()
	defer w.mu.Unlock()
	return *w.letters[offset]
}

func TestAReplayStoresWhatIsMissingOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		bad := `{"message":"bad","service":"x","timestamp":"never"}`
		w.send(`[` + line(1) + `,` + bad + `,` + line(3) + `,` + bad + `]`)
		settle(t, w)
		began := w.log[0].Time
		require.Equal(t, "1,3", w.letter(0).Rows)

		time.Sleep(time.Hour)
		w.replay(0, "")
		settle(t, w)
		require.Equal(t, "1,3", w.letter(1).Rows, "nothing is mended: it is a letter again")
		require.Equal(t, letter{Letter: store.Letter{Offset: 1, Kind: "rejected_rows", Rows: "1,3", At: began, ReplayOf: contract.Replay{Stream: 1, Offset: 0, By: "ann"}}}, w.letter(1))
		require.Equal(t, []dedup.Replayed{{As: 1, By: "ann"}}, w.letter(0).replayed)

		half := `[` + line(91) + `,` + line(2) + `,` + line(93) + `,` + bad + `]`
		w.replay(0, half) // stored as 1 long ago
		w.replay(1, half)
		w.replay(1, half)
		settle(t, w)
		require.Equal(t, "3", w.letter(3).Rows)
		whole := `[` + line(91) + `,` + line(92) + `,` + line(93) + `,` + line(4) + `]`
		for range 3 {
			w.replay(3, whole)
		}
		w.replay(99, line(5)) // no letter of ours
		settle(t, w)
		stop()
		requireExact(t, w, 4)
		require.Equal(t, map[string]int{"m-1": 1, "m-2": 1, "m-3": 1, "m-4": 1}, w.storedMessages(t))
	})
}

// TestALetterOfATryThatWasGivenUpIsNoLetter: it is on logs.dead, but its message was read again, by a processor that could read it.
func TestALetterOfATryThatWasGivenUpIsNoLetter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w, fault: func(at string) error {
			if at == "commit" {
				return errFault
			}
			return nil
		}}).run(t, 0)
		w.send("{")
		time.Sleep(time.Second)
		synctest.Wait()
		stop()
		require.NotEmpty(t, w.dead)
		w.log[0].Value = []byte(line(1)) // the fix
		_, stop = (&life{world: w}).run(t, 0)
		w.replay(0, line(1))
		settle(t, w)
		stop()
		requireExact(t, w, 1)
	})
}

func TestARepeatedConflictIsReplayedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		_, stop := (&life{world: w}).run(t, 0)
		w.request(1, line(1))
		for range 3 {
			w.request(1, line(2))
		}
		settle(t, w)
		for _, offset := range []int64{1, 2} {
			w.replay(offset, "")
		}
		settle(t, w)
		w.replay(3, "")
		settle(t, w)
		stop()
		requireExact(t, w, 2)
		for offset := range int64(3) {
			require.Equal(t, []dedup.Replayed{{As: 4, By: "ann"}}, w.letter(offset+1).replayed, "those of one request go together")
		}
	})
}

// TestAConflictThatWasStoredLaterIsNotReplayed: when the key is free again, its client may send once more, and is stored.
func TestAConflictThatWasStoredLaterIsNotReplayed(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			_, stop := (&life{world: w}).run(t, 0)
			w.request(1, line(1))
			second := line(2)
			w.request(1, second)
			settle(t, w)
			time.Sleep(dedup.HonourKey + time.Second)
			w.request(1, second)
			if !together {
				settle(t, w)
			}
			w.replay(1, "")
			settle(t, w)
			stop()
			requireExact(t, w, 2)
			require.Len(t, w.letter(1).replayed, 1)
		})
	}
}

func TestReplaysAtEveryFaultPoint(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"commit", "committed", "letters", "publish logs.dead", "publish logs.enriched"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				n := atomic.Int32{}
				_, stop := (&life{world: w, fault: func(step string) error {
					if step == at && n.Add(1)%3 == 1 {
						return errFault
					}
					return nil
				}}).run(t, 2)
				for i := range 40 {
					w.send(fmt.Sprintf(`[%s,{"message":"bad %d","timestamp":"never"}]`, line(2*i), i))
					time.Sleep(50 * time.Millisecond)
				}
				settle(t, w)
				for i := range int64(40) {
					mended := fmt.Sprintf("[%s,%s]", line(999), line(int(2*i+1)))
					w.replay(i, mended)
					w.replay(i, mended)
					w.replay(i, "")
					time.Sleep(30 * time.Millisecond)
				}
				settle(t, w)
				stop()
				require.Positive(t, n.Load(), "the fault was never asked for")
				requireExact(t, w, 80)
				for i := range int64(40) {
					require.Len(t, w.letter(i).replayed, 1)
				}
			})
		})
	}
}

// refusingAll is a MySQL that takes no block.
type refusingAll struct{ *life }

func (l refusingAll) Commit(ctx context.Context, p store.Progress, c store.Commit) (store.Progress, error) {
	if c.Block.Data != nil {
		return p, errors.Join(store.ErrRefused, errFault)
	}
	return l.life.Commit(ctx, p, c)
}

func TestARefusedReplayIsALetterAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		l := &life{world: w}
		worker := l.start(t)
		worker.deps.Progress = refusingAll{l}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { worker.Run(ctx) })
		wg.Go(func() { l.feed(ctx, worker, 0, 0) })
		w.send(line(1))
		settle(t, w)
		w.replay(0, "")
		settle(t, w)
		cancel()
		wg.Wait()
		require.Equal(t, "refused", w.letter(1).Kind)
		require.Equal(t, []dedup.Replayed{{As: 1, By: "ann"}}, w.letter(0).replayed)
		require.Equal(t, contract.Replay{Stream: 1, By: "ann"}, w.letter(1).ReplayOf)
		require.Equal(t, w.letter(0).At, w.letter(1).At)
	})
}
