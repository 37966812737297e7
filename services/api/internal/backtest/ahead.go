package backtest

import (
	"context"
	"sync"
)

// ahead reads the blocks that come next while others are folded: waiting for MySQL takes several times as long as folding.
type ahead struct {
	src   Source
	order order // the same walk as the run's, some steps before it
	end   int64
	ready map[uint64]chan fetched
	wg    sync.WaitGroup
}

type fetched struct {
	data []byte
	err  error
}

func newAhead(src Source, o order, end int64) *ahead {
	return &ahead{src: src, order: o, end: end, ready: map[uint64]chan fetched{}}
}

// fetch is a block's bytes, nil when it is gone, and begins to read those after it.
func (a *ahead) fetch(ctx context.Context, b *Block) ([]byte, error) {
	for len(a.ready) < readers {
		next, before, ok := a.order.next()
		if !ok || before >= a.end {
			break
		}
		a.order.read(next)
		c := make(chan fetched, 1)
		a.ready[next.ID] = c
		a.wg.Go(func() {
			data, err := a.src.BlockData(ctx, next)
			c <- fetched{data, err}
		})
	}
	c, ok := a.ready[b.ID]
	if !ok {
		return a.src.BlockData(ctx, b)
	}
	delete(a.ready, b.ID)
	select {
	case f := <-c:
		return f.data, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
