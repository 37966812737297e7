package block

import (
	"time"

	"github.com/logmill/logmill/shared/block/vector"
)

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
	MaxRows = vector.MaxRows

	// dictionaryShare: a dictionary pays while at most 1 of so many values is new.
	dictionaryShareText = 2

	// dictionaryShareMessage: of messages, which are long and mostly new, finding out costs more than a few repeats save.
	dictionaryShareMessage = 8
)
