package contract

// Limits of messages.
const (
	// MaxMessageBytes is the largest Kafka message of any topic: a batch of ~1 MiB, or one record at the limits of logrec, with room for framing.
	MaxMessageBytes = 8 << 20

	// BatchBytes is what a producer fills a logs.raw message up to: large enough that Watermill's cost of a message vanishes,
	// small enough that one in flight per partition stays cheap.
	BatchBytes = 1 << 20

	// MaxRequestBytes bounds what a request with an Idempotency-Key brings into one home partition: a message that is written whole or not at
	// all, so that a repeat need not ask which half is there. It leaves a block in the making, which is never smaller than a message, within memory.
	MaxRequestBytes = 4 << 20
)
