package pipeline

import "time"

// Limits of a block and of time. All durations are ns inside the package.
const (
	// WatermarkLag is L: how far the watermark stays behind now, so that records on their way are still evaluated in their own order.
	WatermarkLag = 500 * time.Millisecond

	// FutureSlack is how far a sender's clock may run ahead of the collector's before its time is not believed.
	FutureSlack = time.Second

	// MaxRows and MaxBytes are a block's worth. Larger blocks cost less a line (filter, transaction, publish) and scan
	// faster; past these sizes the gain is under 5 % while a block in flight costs memory in every partition.
	MaxRows  = 8192
	MaxBytes = 2 << 20 // of Kafka message values; a single message may be larger than its share, never split

	// maxServiceBytes is what a window's key column holds. The collector rejects longer names; other programs may send them.
	maxServiceBytes = 200

	// Poison reasons are cut to this many bytes, and a message names at most this many of its rejected rows.
	maxReasonBytes  = 500
	maxReasonsNamed = 5
)
