package search

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
)

// errGone is a block that was in the set, and whose data are not there any more.
var errGone = errors.New("is gone: the query was slower than the store keeps replaced blocks")

// blob is a block's bytes and where its columns are.
type blob struct {
	data   []byte
	layout *vector.Layout
}

// view gives the columns of one block, from the cache where they are there. It implements scan.View for one goroutine.
type view struct {
	ctx    context.Context
	e      *Engine
	block  *scan.Block
	layout *vector.Layout
	cost   *cost
}

// cost is what a query has read so far.
type cost struct {
	bytes   atomic.Int64 // of blocks, from MySQL
	decoded atomic.Int64 // of columns, uncompressed
	columns atomic.Int64 // asked for
	cached  atomic.Int64 // of these, found in the cache
}

// view opens a block: its footer, from the cache or with all of its bytes.
func (e *Engine) view(ctx context.Context, b *scan.Block, c *cost) (*view, error) {
	v := &view{ctx: ctx, e: e, block: b, cost: c}
	layout, _, err := e.cache.get(ctx, cacheKey{block: b.ID, column: layoutKey}, func(ctx context.Context) (any, int, error) {
		bl, err := v.blob(ctx)
		if err != nil {
			return nil, 0, err
		}
		return bl.layout, layoutBytes + columnBytes*len(bl.layout.Names()), nil
	})
	if err != nil {
		return nil, err
	}
	v.layout = layout.(*vector.Layout)
	if v.layout.Rows() != b.Rows {
		return nil, fmt.Errorf("%w: %d rows instead of %d", block.ErrDamaged, v.layout.Rows(), b.Rows)
	}
	return v, nil
}

// Keys of what is not a column: no column's name begins so.
const (
	blobKey   = "\x00data"
	layoutKey = "\x00layout"
	rowKey    = "\x00row"
)

func (v *view) blob(ctx context.Context) (*blob, error) {
	value, _, err := v.e.cache.get(ctx, cacheKey{block: v.block.ID, column: blobKey}, func(ctx context.Context) (any, int, error) {
		data, err := v.e.source.Data(ctx, v.block)
		if err != nil {
			return nil, 0, fmt.Errorf("reading block %d: %w", v.block.ID, err)
		}
		if data == nil {
			return nil, 0, errGone
		}
		v.cost.bytes.Add(int64(len(data)))
		if block.Checksum(data) != v.block.Checksum {
			return nil, 0, fmt.Errorf("%w: its checksum is another", block.ErrDamaged)
		}
		layout, err := vector.ReadLayout(data)
		return &blob{data, layout}, len(data), err
	})
	if err != nil {
		return nil, err
	}
	return value.(*blob), nil
}

// Rows implements scan.View.
func (v *view) Rows() int { return v.layout.Rows() }

// Names implements scan.View.
func (v *view) Names() []string { return v.layout.Names() }

// Column implements scan.View.
func (v *view) Column(name string) (*vector.Column, error) {
	if !v.layout.Has(name) {
		return nil, nil
	}
	v.cost.columns.Add(1)
	value, hit, err := v.e.cache.get(v.ctx, cacheKey{block: v.block.ID, column: name}, func(ctx context.Context) (any, int, error) {
		b, err := v.blob(ctx)
		if err != nil {
			return nil, 0, err
		}
		v.cost.decoded.Add(int64(v.layout.RawBytes(name)))
		c, err := b.layout.Column(b.data, name)
		if err != nil {
			return nil, 0, fmt.Errorf("column %s: %w", name, err)
		}
		return c, c.Size(), nil
	})
	if err != nil {
		return nil, err
	}
	if hit {
		v.cost.cached.Add(1)
	}
	return value.(*vector.Column), nil
}
