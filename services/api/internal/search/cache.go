package search

import (
	"container/list"
	"context"
	"sync"
)

// cache keeps what was read of blocks, up to a number of bytes. What two queries want at the same time is read once. It evicts by SIEVE
// (Zhang et al., NSDI 2024): an entry that was used since the hand last passed stays, and a scan of more than fits does not wash out the rest.
type cache struct {
	budget int64

	mu      sync.Mutex
	used    int64
	entries map[cacheKey]*cacheEntry
	order   list.List     // *cacheEntry, newest at the front
	hand    *list.Element // where eviction looks next
	hits    int64
	misses  int64
}

// cacheKey is a column of a block; its bytes and layout are the column "", a row of it "#".
type cacheKey struct {
	block  uint64
	column string
	row    int32
}

type cacheEntry struct {
	key   cacheKey
	value any
	err   error
	size  int64
	used  bool
	ready chan struct{} // closed when value or err is there
	place *list.Element
}

func newCache(budget int64) *cache {
	return &cache{budget: budget, entries: map[cacheKey]*cacheEntry{}}
}

// get is the value of a key; load makes it and says how many bytes it takes. hit says that it was there, or on its way.
func (c *cache) get(ctx context.Context, key cacheKey, load func(ctx context.Context) (any, int, error)) (value any, hit bool, err error) {
	for {
		c.mu.Lock()
		e := c.entries[key]
		if e == nil {
			break
		}
		e.used = true
		c.hits++
		c.mu.Unlock()
		select {
		case <-e.ready:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		if e.err == nil {
			return e.value, true, nil
		}
		// Whoever loaded it gave up, perhaps because its client had gone: we try ourselves.
	}
	e := &cacheEntry{key: key, ready: make(chan struct{})}
	c.entries[key] = e
	c.misses++
	c.mu.Unlock()
	size := 0
	e.value, size, e.err = load(ctx)
	c.settle(e, int64(size))
	close(e.ready)
	return e.value, false, e.err
}

// settle puts a loaded entry in its place, or forgets one that failed.
func (c *cache) settle(e *cacheEntry, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.err != nil || size > c.budget/4 { // one giant must not push everything else out
		delete(c.entries, e.key)
		return
	}
	e.size = size
	e.place = c.order.PushFront(e)
	c.used += size
	for c.used > c.budget {
		c.evict()
	}
}

func (c *cache) evict() {
	at := c.hand
	if at == nil {
		at = c.order.Back()
	}
	for at != nil {
		e := at.Value.(*cacheEntry)
		if !e.used {
			c.hand = at.Prev()
			c.drop(e)
			return
		}
		e.used = false
		if at = at.Prev(); at == nil {
			at = c.order.Back()
		}
	}
}

func (c *cache) drop(e *cacheEntry) {
	c.order.Remove(e.place)
	delete(c.entries, e.key)
	c.used -= e.size
}

// peek is a value that is there; it counts as used.
func (c *cache) peek(key cacheKey) (any, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil || e.place == nil {
		return nil, false
	}
	e.used = true
	return e.value, true
}

// put keeps a value that was made besides.
func (c *cache) put(key cacheKey, value any, size int) {
	c.mu.Lock()
	if c.entries[key] != nil {
		c.mu.Unlock()
		return
	}
	e := &cacheEntry{key: key, value: value, ready: make(chan struct{})}
	close(e.ready)
	c.entries[key] = e
	c.mu.Unlock()
	c.settle(e, int64(size))
}

// CacheStats are figures of the cache.
type CacheStats struct {
	Bytes   int64 `json:"bytes"`
	Entries int   `json:"entries"`
	Hits    int64 `json:"hits"`
	Misses  int64 `json:"misses"`
}

func (c *cache) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{c.used, len(c.entries), c.hits, c.misses}
}
