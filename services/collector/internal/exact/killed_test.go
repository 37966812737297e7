package exact

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/broker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// wires are the connections to a broker, which are cut now and then: between a request and the broker, or between the broker and its answer.
type wires struct {
	mu    sync.Mutex
	rng   *rand.Rand
	often int // one of so many reads and writes cuts; 0: none does
	open  map[net.Conn]bool
}

type wire struct {
	net.Conn
	of *wires
}

func (w *wires) wrap(c net.Conn) net.Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = true
	return wire{c, w}
}

func (w *wires) cuts() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.often > 0 && w.rng.IntN(w.often) == 0
}

func (w *wires) set(often int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.often = often
}

// kill cuts all: what was written may still be read and done.
func (w *wires) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.(*net.TCPConn).CloseWrite()
		delete(w.open, c)
	}
}

func (c wire) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.of.cuts() {
		return 0, c.Close()
	}
	return n, err
}

func (c wire) Write(p []byte) (int, error) {
	if c.of.cuts() {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// TestKilledAtAnyMoment: a writer that is killed anywhere in a transaction, and whose connections break, is followed by one that goes on at
// the stored position: each line is there once.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 5))
			w := &wires{rng: rand.New(rand.NewPCG(seed, 6)), open: map[net.Conn]bool{}}
			b, err := broker.Start(broker.Config{Dir: t.TempDir(), Wrap: w.wrap})
			require.NoError(t, err)
			defer b.Close()
			cfg := config.Kafka{Brokers: []string{b.Addr()}, Partitions: 3, Embedded: true}
			client, err := bus.NewClient(cfg, "test")
			require.NoError(t, err)
			require.NoError(t, client.EnsureTopics(t.Context(), contract.Topics(cfg.Partitions, true)))
			require.NoError(t, client.Close())

			const key = "tail/a/1"
			at, unknown := 0, 0
			for range 10 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				writer, err := Open(ctx, cfg, "tail-a", zerolog.Nop())
				require.NoError(t, err)
				stored, err := writer.Load(ctx, key)
				require.NoError(t, err)
				n := 0
				if v := stored[key]; v != nil {
					n, err = strconv.Atoi(string(v))
					require.NoError(t, err)
				}
				require.Contains(t, []int{at, at + unknown}, n, "the last transaction is there or it is not")
				at, unknown = n, 0
				w.set(30)
				for range rng.IntN(6) {
					lines := lines(at, 1+rng.IntN(200))
					next := Transaction{Parts: []Part{{Records: lines}}, Positions: []Position{{key, strconv.AppendInt(nil, int64(at+len(lines)), 10)}}}
					if rng.IntN(3) == 0 { // at a moment in the middle of it
						time.AfterFunc(time.Duration(rng.IntN(20_000))*time.Microsecond, func() { w.set(0); cancel(); w.kill() })
					}
					if err := writer.Commit(ctx, next); err != nil {
						unknown = len(lines)
						break
					}
					at += len(lines)
				}
				w.set(0)
				writer.Close()
				cancel()
			}
			writer, err := Open(t.Context(), cfg, "tail-a", zerolog.Nop()) // ends the last one's transaction
			require.NoError(t, err)
			defer writer.Close()
			stored, err := writer.Load(t.Context(), key)
			require.NoError(t, err)
			n, err := strconv.Atoi(string(stored[key]))
			require.NoError(t, err)
			live, _ := committed(t, cfg)
			require.Len(t, live, n)
			for i := range n {
				require.Equal(t, 1, live[fmt.Sprint("line ", i)], i)
			}
			t.Logf("%d lines", n)
		})
	}
}
