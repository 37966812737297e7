package worker

import "time"

// Paces and bounds of a partition's loop, with what they trade.
const (
	// Heartbeat is how long the watermark may stand still before a heartbeat moves it; alerts of a quiet partition are late by at
	// most this. After QuietAfter without records QuietHeartbeat saves MySQL the small transactions.
	Heartbeat      = 250 * time.Millisecond
	QuietHeartbeat = 2 * time.Second
	QuietAfter     = time.Minute

	// WindowsEvery is how often windows are written: 60 rows cost three times a block's own transaction.
	WindowsEvery = 2 * time.Second

	// WindowRows is how many of their rows a partition writes a second, at the most: hundreds of services with dozens of error texts each
	// cost MySQL more than the lines themselves, and most rows change again before the next write. Writes are WindowsSlowest apart then.
	WindowRows     = 200
	WindowsSlowest = 10 * time.Second

	// Linger is how long a small batch waits for company while blocks follow each other closely (within BusyWithin): under load it makes
	// fewer, larger blocks (100 ms instead of 20: 1,600 lines a block instead of 1,050 in the benchmark, a tenth less CPU a line); a lone
	// record never waits.
	Linger     = 100 * time.Millisecond
	BusyWithin = 200 * time.Millisecond

	// LingerBytes: a batch of this size does not wait.
	LingerBytes = 512 << 10

	// StuckAfter is how long the log's end may lie beyond what is stored, with nothing arriving, before the broker is asked whether
	// the offsets between hold any record.
	StuckAfter = time.Second

	// DBTimeout bounds one transaction or read; a commit that takes longer is unknown and looked up.
	DBTimeout = 15 * time.Second

	// BrokerTimeout bounds one publish or question to Kafka before it is tried again.
	BrokerTimeout = 10 * time.Second

	// BackoffMin and BackoffMax are the waits between tries while MySQL or Kafka is away.
	BackoffMin = 100 * time.Millisecond
	BackoffMax = 3 * time.Second

	// QueueBytes and QueueMessages bound what waits for a partition's worker: two blocks' worth. One message always fits.
	QueueBytes    = 4 << 20
	QueueMessages = 1024

	// ForgetEvery is how often old Idempotency-Keys and old changes of windows are deleted, and ForgetAtOnce how many with one statement: it holds its locks for a few
	// hundredths of a second. One that was full is followed by another.
	ForgetEvery  = time.Minute
	ForgetAtOnce = 5000

	// MisplacedEvery is how often misplaced lines are warned of; the counter has them all.
	MisplacedEvery = time.Minute

	// RefoldBlocks is how many blocks are folded after a crash before the windows are written, so that a long refold keeps its gains.
	RefoldBlocks = 64
)
