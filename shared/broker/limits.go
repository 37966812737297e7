package broker

import "time"

// Limits of the development broker, each with its reason.
const (
	maxMessageBytes  = 8 << 20             // as contract.MaxMessageBytes
	maxFrame         = 64 << 20            // bytes of a request: kfake allocates the length that a client names before it has seen a byte of it
	retentionEvery   = 10 * time.Second    // kfake's own ticker is hourly, and is not started after a reload
	offsetsRetention = 100 * 365 * 24 * 60 // minutes: for ever, as far as nanoseconds go

	// Of groups.
	minSession = time.Second     // tests that kill consumers need not wait for Kafka's six seconds
	maxSession = 5 * time.Minute // Kafka's default is thirty minutes; nobody waits that long on a development machine
	maxMembers = 1000            // each costs a kilobyte

	// Of what is done before anybody is served.
	recoveryTimeout = time.Minute // 1.3 s for 200 MB of logs, measured
	scanBytes       = 16 << 20    // of one look at the log: above the largest message

	// A partition of a compacted topic is rewritten when it has so many records, and so many for each that is the newest of its key: a start
	// must not rewrite what hardly shrinks.
	compactFrom  = 10_000
	compactAbove = 4
)
