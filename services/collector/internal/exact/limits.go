package exact

import "time"

// Limits of a writer, each with its reason.
const (
	// transactionTimeout is how long Kafka keeps a dead writer's transaction open; readers of committed data wait behind it.
	transactionTimeout = 15 * time.Second

	// callTimeout bounds one call; one that may succeed later is repeated.
	callTimeout = 10 * time.Second
	retryPause  = 200 * time.Millisecond

	// queueKB is what librdkafka may hold of one transaction, KiB. Sources keep theirs far below.
	queueKB = 64 << 10

	// loadTimeout is how long reading the positions back may take; most of it is waiting for other writers' open transactions.
	loadTimeout = 2 * transactionTimeout
)
