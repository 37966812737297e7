package dedup

import "time"

// Limits of a partition's memory.
const (
	// KeepProducer is how much newer than a producer's newest message the partition must become before the producer is forgotten, by the
	// messages' own times. A batch is written again only while its producer still tries to send it: two minutes in our collector, five by
	// librdkafka's default. So its copy lies in the log before any message that is younger by that and by what the clocks of two
	// collectors differ. By our own clock it would not be safe: after an outage hours lie between two messages that are neighbours.
	KeepProducer = time.Hour

	// MaxProducers bounds the memory, 32 bytes each, which is written with every block. A collector needs one each time it starts; beyond
	// this many within KeepProducer the ones that have been silent for longest are forgotten, and counted.
	MaxProducers = 1024

	// HonourKey is how long an Idempotency-Key names one request, by the messages' times: what the collector's documentation promises.
	HonourKey = 10 * time.Minute

	// KeepKey is how much newer than a key's message a partition must become before the key is deleted. Beyond HonourKey it covers a message
	// that waited in a collector for Kafka (two minutes) and clocks that differ.
	KeepKey = HonourKey + 5*time.Minute
)
