package index

import "time"

const (
	// refreshEvery: a query has at most so much to catch up with. A look at nothing new costs MySQL about 0.1 ms.
	refreshEvery = time.Second

	// refreshTimeout of one look in the background: loading everything at the start is the longest.
	refreshTimeout = 2 * time.Minute

	// filterBatch is how many filters are asked for at once: about 20 MB of them when blocks are merged.
	filterBatch = 256
)
