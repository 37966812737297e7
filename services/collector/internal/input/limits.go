package input

import "time"

// Limits of reading other topics, each with its reason.
const (
	// batchBytes and batchAge bound a transaction: large ones are cheap, old ones make alerts late.
	batchBytes = 2 << 20
	batchAge   = 100 * time.Millisecond

	// queued is how many messages of a partition wait for their transaction; Kafka keeps the rest.
	queued = 64

	callTimeout = 20 * time.Second // opening a writer, loading its position
	retryMin    = 200 * time.Millisecond
	retryMax    = 5 * time.Second

	// maxTopics bounds the consumers of a process; each partition has a Kafka producer of its own besides.
	maxTopics = 50

	maxReason = 500 // bytes of a dead letter's reason
)
