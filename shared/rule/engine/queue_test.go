package engine

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// merged is the window of a ring without its queue: a merge a bucket.
func merged(r *ring, tick, warm int64, open []openCell) cell {
	plain := *r
	plain.queue = nil
	return plain.window(tick, warm, open)
}

// randomCell is what a tick has of a kind.
func randomCell(rng *rand.Rand, k kind, values int) cell {
	c := cell{N: 1 + rng.Int64N(5)}
	switch k {
	case kindMin, kindMax:
		c.F = float64(rng.IntN(1000))
	case kindDistinct:
		c.Set = newDistinct()
		for range 1 + rng.IntN(60) {
			c.Set.add(hashNumber(float64(rng.IntN(values))))
		}
	case kindSketch:
		c.Sketch = newSketch()
		for range c.N {
			if err := c.Sketch.Add(rng.ExpFloat64() * 1000); err != nil {
				panic(err)
			}
		}
	}
	return c
}

func sameCell(t *testing.T, k kind, want, got *cell) {
	t.Helper()
	require.Equal(t, want.N, got.N)
	switch k {
	case kindMin, kindMax:
		require.Equal(t, want.F, got.F)
	case kindDistinct:
		n, approximate := want.Set.count()
		m, also := got.Set.count()
		require.Equal(t, n, m)
		require.Equal(t, approximate, also)
	case kindSketch:
		require.Equal(t, want.Sketch == nil, got.Sketch == nil)
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			if want.Sketch != nil {
				x, err := want.Sketch.GetValueAtQuantile(q)
				require.NoError(t, err)
				y, err := got.Sketch.GetValueAtQuantile(q)
				require.NoError(t, err)
				require.Equal(t, x, y)
			}
		}
	}
}

// TestQueueIsTheMergeOfItsBuckets: busy and quiet groups, values few and many in turn, windows that are still warming, open cells, looks ahead:
// a queue's sums are what a merge of all buckets is.
func TestQueueIsTheMergeOfItsBuckets(t *testing.T) {
	t.Parallel()
	for _, k := range []kind{kindMin, kindMax, kindDistinct, kindSketch} {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			ways := map[string]int{}
			for seed := range uint64(30) {
				rng := rand.New(rand.NewPCG(seed, 9))
				r := &ring{kind: k, size: 1 + rng.Int64N(4), count: 10 + rng.Int64N(50)}
				values := 100
				for tick := int64(1000); tick < 2500; tick += 1 + rng.Int64N(2+rng.Int64N(20)/19*rng.Int64N(300)) {
					if rng.IntN(100) == 0 {
						values = []int{100, 900, 5000}[rng.IntN(3)]
					}
					r.expire(tick)
					c := randomCell(rng, k, values)
					r.add(tick, &c)
					ways[way(r)]++
					compareWindow(t, rng, r, tick)
				}
			}
			for _, w := range []string{"plain", "front", "back"} {
				require.Greater(t, ways[w], 50, "%v", ways)
			}
			if k == kindDistinct {
				require.Greater(t, ways["tally"], 50, "%v", ways)
			}
		})
	}
}

// way is how a ring's window is worked out.
func way(r *ring) string {
	switch {
	case r.queue == nil:
		return "plain"
	case r.queue.tally != nil:
		return "tally"
	case r.cells[0].at < r.queue.border:
		return "front"
	}
	return "back"
}

func compareWindow(t *testing.T, rng *rand.Rand, r *ring, tick int64) {
	t.Helper()
	warm, at := int64(0), tick
	var open []openCell
	if rng.IntN(3) == 0 {
		warm = r.cells[rng.IntN(len(r.cells))].at
	}
	if rng.IntN(3) == 0 {
		at += rng.Int64N(3 * r.size)
		open = []openCell{{tick: tick + 1, cell: randomCell(rng, r.kind, 6000)}, {tick: at, cell: randomCell(rng, r.kind, 100)}}
	}
	want, got := merged(r, at, warm, open), r.window(at, warm, open)
	sameCell(t, r.kind, &want, &got)
	if r.kind == kindDistinct {
		n, approximate := want.Set.count()
		m, also := r.distinct(at, warm, open)
		require.Equal(t, n, m)
		require.Equal(t, approximate, also)
	}
}

// addPlain is add without a queue.
func (r *ring) addPlain(tick int64, c *cell) {
	at := r.bucket(tick)
	if n := len(r.cells); n == 0 || r.cells[n-1].at != at {
		r.cells = append(r.cells, cellSlot{at: at, cell: &cell{}})
	}
	r.cells[len(r.cells)-1].cell.merge(r.kind, c)
}

// BenchmarkWindow adds a cell a tick to a window of a minute and looks at it, as a rule does; merged is without the queue.
func BenchmarkWindow(b *testing.B) {
	for _, c := range []struct {
		name   string
		kind   kind
		values int
	}{{"max", kindMax, 0}, {"distinct-500", kindDistinct, 500}, {"distinct-100000", kindDistinct, 100_000}, {"p99", kindSketch, 0}} {
		for _, way := range []string{"queue", "merged"} {
			b.Run(c.name+"/"+way, func(b *testing.B) {
				rng := rand.New(rand.NewPCG(1, 1))
				cells := make([]cell, 1000)
				for i := range cells {
					cells[i] = randomCell(rng, c.kind, c.values)
				}
				r := &ring{kind: c.kind, size: 4, count: 60}
				tick := int64(1000)
				b.ReportAllocs()
				for b.Loop() {
					tick++
					r.expire(tick)
					if way == "merged" {
						r.addPlain(tick, &cells[tick%1000])
					} else {
						r.add(tick, &cells[tick%1000])
					}
					if c.kind == kindDistinct {
						r.distinct(tick, 0, nil)
					} else {
						r.window(tick, 0, nil)
					}
				}
			})
		}
	}
}
