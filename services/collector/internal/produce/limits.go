package produce

import "time"

// Limits of the producer, each with its reason.
const (
	// messageTimeout is how long librdkafka goes on trying. It is far longer than the sender's own deadline: a message given up in
	// flight would cost the idempotent producer its sequence, and with it the promise that retries write once.
	messageTimeout = 2 * time.Minute

	// eventsBuffer bounds delivery reports on their way to us; librdkafka's default of a million is memory for nothing.
	eventsBuffer = 10000

	// queueSlack is what librdkafka may queue beyond our own memory budget, KiB: framing and messages waiting for a broker.
	queueSlack = 16 << 10

	// socketTimeout ends a request that a broker never answers.
	socketTimeout = 20 * time.Second

	// errorLogEvery keeps one line a while of the many that librdkafka has to say about a broker that is away.
	errorLogEvery = 10 * time.Second

	closeTimeout = 5 * time.Second
)
