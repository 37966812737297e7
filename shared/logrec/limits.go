package logrec

// Limits of one record. What is over them is cut where nothing but length is lost, and rejected where meaning would be.
const (
	MaxServiceBytes    = 200       // a key of the window tables
	MaxMessageBytes    = 256 << 10 // as Loki's and Datadog's limit; longer ones are cut and marked
	MaxIDBytes         = 128       // trace, span and user ids that are not hex
	MaxPathBytes       = 8 << 10   // what servers accept in a request line
	MaxMethodBytes     = 32
	MaxAttributes      = 256
	MaxAttributeKey    = 256
	MaxAttributeValue  = 64 << 10
	MaxRecordBytes     = 1 << 20 // of one JSON record: it must fit into one Kafka message with all its escapes undone
	MaxDepth           = 64      // nesting of a JSON value: the parser recurses
	TruncatedAttribute = "truncated"
	UnknownService     = "unknown"
)
