package contract

// Limits of messages.
const (
	// MaxMessageBytes is the largest Kafka message of any topic: a batch of ~1 MiB, or one record at the limits of logrec, with room for framing.
	MaxMessageBytes = 8 << 20

	// BatchBytes is what a producer fills a logs.raw message up to: large enough that Watermill's cost of a message vanishes,
	// small enough that one in flight per partition stays cheap.
	BatchBytes = 1 << 20
)
