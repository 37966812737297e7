package search

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

// parallel calls f with 0 … n-1, several at the same time.
func (e *Engine) parallel(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	var at atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(n, runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			for i := int(at.Add(1)) - 1; i < n; i = int(at.Add(1)) - 1 {
				if err := f(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// records makes the records of one block that are not in the cache: out[i] of hits[i], for i in places.
func (r *run) records(ctx context.Context, b *scan.Block, hits []hit, places []int, out []Hit) error {
	var missing []int
	for _, i := range places {
		if v, ok := r.e.cache.peek(cacheKey{b.ID, rowKey, hits[i].row}); ok {
			out[i] = v.(Hit)
		} else {
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	v, err := r.e.view(ctx, b, &r.cost)
	if err != nil {
		return err
	}
	rows := make([]int32, len(missing))
	for k, i := range missing {
		rows[k] = hits[i].row
	}
	recs, err := Records(v, rows)
	if err != nil {
		return err
	}
	for k, i := range missing {
		rec := &recs[k]
		out[i] = Hit{query.Key{Time: rec.Timestamp, ID: logrec.ID{Stream: b.Stream, Partition: b.Partition, Offset: rec.SrcOffset, Row: rec.SrcRow}}, rec}
		r.e.cache.put(cacheKey{b.ID, rowKey, hits[i].row}, out[i], recordBytes(rec))
	}
	return nil
}

func recordBytes(r *logrec.Record) int {
	n := rowBytes + len(r.Message) + len(r.RequestPath)
	for _, a := range r.Attributes {
		n += 48 + len(a.Key) + len(a.Value)
	}
	return n
}

// Records makes records of rows, column by column. Their texts are copies.
func Records(v scan.View, rows []int32) ([]logrec.Record, error) {
	out := make([]logrec.Record, len(rows))
	for _, name := range v.Names() {
		c, err := v.Column(name)
		if err != nil {
			return nil, err
		}
		if err := fill(name, c, rows, out); err != nil {
			return nil, fmt.Errorf("%w: column %s: %w", block.ErrDamaged, name, err)
		}
	}
	for i := range out {
		slices.SortFunc(out[i].Attributes, func(a, b logrec.Attr) int { return strings.Compare(a.Key, b.Key) })
	}
	return out, nil
}

// fill sets one field; columns that this version does not know are passed over.
func fill(name string, c *vector.Column, rows []int32, out []logrec.Record) error {
	if set := block.IntFields[name]; set != nil && c.Ints != nil {
		for i, row := range rows {
			if k := c.Index(int(row)); k >= 0 {
				set(&out[i], c.Ints[k])
			}
		}
		return nil
	}
	if name == "response_time_ms" && c.Floats != nil {
		for i, row := range rows {
			if k := c.Index(int(row)); k >= 0 {
				out[i].ResponseTimeMS, out[i].HasResponseTime = c.Floats[k], true
			}
		}
		return nil
	}
	if c.Ints != nil || c.Floats != nil {
		return nil
	}
	return fillTexts(name, c, rows, out)
}

func fillTexts(name string, c *vector.Column, rows []int32, out []logrec.Record) error {
	field, isLevel := block.TextFields[name], name == "level" // levels are names in blocks
	if field == nil && !isLevel && !block.IsAttribute(name) {
		return nil
	}
	for i, row := range rows {
		text, ok := c.Text(int(row))
		if !ok {
			continue
		}
		var err error
		switch {
		case isLevel:
			out[i].Level, _ = logrec.ParseLevel(text)
		case field != nil:
			*field(&out[i]) = strings.Clone(text)
		default:
			out[i].Attributes, err = block.AppendAttributes(out[i].Attributes, name, strings.Clone(text), c.JSON)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
