package compact

import "time"

// What makes a block large enough, and a job small enough.
const (
	// TargetRows is a merged block's worth. With each block MySQL's files have some 65 kB that hold nothing (the ends and the directories of its
	// blobs): half a byte a line; a query reads all of a block though it wants one line.
	TargetRows = 96 << 10

	// TargetBytes and TargetRaw bound a merged block of long lines, compressed and not: what a query, and a job, hold in memory.
	TargetBytes = 8 << 20
	TargetRaw   = 96 << 20

	// MaxInputs bounds a job of tiny blocks: each costs a tenth of a millisecond, however few lines it has.
	MaxInputs = 1024

	// Growth is what rewriting must gain: the merged block has so many times the lines of the largest one in it, unless it is final. A
	// line of a busy partition is rewritten once, and one of a quiet partition a few times: (log TargetRows) / (log Growth) at the most.
	Growth = 4

	// Newest blocks of a partition are left alone: the owner may have to publish the last one again.
	Newest = 2

	// patience is how many times After neighbours that do not fill a block are waited for, before they are merged as they are.
	patience = 10

	// maxGeneration: a block merged as often is left alone. The column is a byte.
	maxGeneration = 255
)

// DefaultAfter is how old a block is when it may be merged: readers that follow the stream have it by then, and so do caches.
const DefaultAfter = time.Minute
