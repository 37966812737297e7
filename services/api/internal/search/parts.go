package search

import (
	"context"

	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
)

// partsKey is where the parts of a column are in the cache, beside it.
func partsKey(b *scan.Block, column string) cacheKey {
	return cacheKey{block: b.ID, column: "\x00parts " + column}
}

// parting is a column whose parts a query would have liked to have.
type parting struct {
	block  *scan.Block
	column string
}

// Parts implements scan.Parted.
func (v *view) Parts(column string) *scan.Parts {
	p, ok := v.e.cache.peek(partsKey(v.block, column))
	if !ok {
		return nil
	}
	return p.(*scan.Parts)
}

// Wish implements scan.Parted. It never waits: the next search wishes for what this one could not.
func (v *view) Wish(column string) {
	select {
	case v.e.partings <- parting{v.block, column}:
	default:
	}
}

// part makes the parts of a column that is in the cache still. They are worth their work when words are looked for again: 0.2 µs a line.
func (e *Engine) part(ctx context.Context, p parting, w *block.Words) {
	if !e.slot(ctx) {
		return
	}
	defer e.done()
	c, ok := e.cache.peek(cacheKey{block: p.block.ID, column: p.column})
	if _, made := e.cache.peek(partsKey(p.block, p.column)); made || !ok {
		return
	}
	parts, err := scan.NewParts(c.(*vector.Column), e.rowsAPart, w)
	if err == nil && parts != nil { // without them all of the column is searched, as ever
		e.cache.put(partsKey(p.block, p.column), parts, parts.Size())
	}
}
