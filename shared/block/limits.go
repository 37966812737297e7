package block

import "time"

// What readers of stored blocks may rely on (docs/blocks.md).
const (
	// RetiredFor is how long a block that was replaced or removed stays readable: longer than any query, and than a reader's copy of
	// the metadata may be behind.
	RetiredFor = 15 * time.Minute

	// SnapshotFor is how long a reader may go on with a set of blocks that it has learned. The rest of RetiredFor is for clocks and for
	// statements under way.
	SnapshotFor = 10 * time.Minute
)

// Limits of a block, with their reasons.
const (
	// MaxAttributeColumns bounds the columns: each costs about 150 bytes of footer and a page, however few rows it has.
	MaxAttributeColumns = 64

	// MaxTokenBytes bounds a token of the filter: longer runs are base64 and the like, which nobody searches for whole.
	MaxTokenBytes = 128

	// MaxRows of one block: what compaction builds. Codes and offsets are 32-bit.
	MaxRows = 1 << 17

	// maxColumnBytes bounds what reading one column may allocate: a damaged length must not take the process down.
	maxColumnBytes = 512 << 20

	// maxPageHeader is far more than the few bytes of a page's header.
	maxPageHeader = 1 << 10

	// maxZstdWindow is the largest window that our encoders use.
	maxZstdWindow = 32 << 20

	// dictionaryShare: a dictionary pays while at most 1 of so many values is new.
	dictionaryShareText = 2

	// dictionaryShareMessage: of messages, which are long and mostly new, finding out costs more than a few repeats save.
	dictionaryShareMessage = 8
)
