package deadletter

import "time"

const (
	// MaxLetters that are known at a time, the newest: some 20 MB. What is older stays on logs.dead; the answer says so.
	MaxLetters = 10_000

	// maxRows are the rows of dead_letter that are looked at: more than letters, because a letter may be known by its row alone.
	maxRows = 2 * MaxLetters

	// chunk is how many letters are read at a time, newest first: up to 1 MiB each.
	chunk = 256

	// readTime is how long one request goes on reading letters that are not known yet. The next one goes on from there.
	readTime = 3 * time.Second

	// callTime bounds one reading from Kafka.
	callTime = 10 * time.Second

	// MaxReplay is how many letters one request sends back, and replayTime how long it may take.
	MaxReplay  = 1000
	replayTime = time.Minute

	// maxReason and excerptBytes are what is kept of a letter's error and payload, payloadBytes what is shown of the payload of one.
	maxReason    = 1000
	excerptBytes = 300
	payloadBytes = 64 << 10
)
