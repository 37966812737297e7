package idempotency

import "time"

// Limits of keys.
const (
	// Honoured is how long a key names one request: the processor honours it as long (processor/internal/dedup.HonourKey).
	Honoured = 10 * time.Minute

	// kept is how long a key is remembered after its newest try: a minute longer than that try's message, which is made a little later, is
	// honoured for. A key that one side has forgotten and the other has not would be answered with 2xx and then found to be another's.
	kept = Honoured + time.Minute

	// MaxKeyBytes is what Stripe and the IETF draft's examples allow; a UUID has 36.
	MaxKeyBytes = 255

	// MaxKeys is how many keys a collector remembers, about 400 a second: it bounds its memory (100 bytes each) and, above all,
	// MySQL's, which has a row a key and home partition. More is answered with 429; more lines a request need fewer keys.
	MaxKeys = 1 << 18

	// longestWait is the most that a sender is asked to stay away when no key is free.
	longestWait = time.Minute
)
