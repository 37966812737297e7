package tail

import "time"

const (
	// maxViewers at the same time: each costs a filter a block, and a connection.
	maxViewers = 200

	// queueLines and queueBytes wait for one viewer at most; then the oldest are dropped, and the viewer is told how many.
	queueLines = 2000
	queueBytes = 2 << 20

	// MaxRate is the lines a second that one viewer is sent at most: nobody reads more, and a filter for everything must not make the api a copy of
	// Kafka. DefaultRate when nothing is said.
	MaxRate     = 5000
	DefaultRate = 500

	// linger is how long the reading goes on without a viewer: a page that is loaded again does not wait for a new connection.
	linger = 15 * time.Second

	// lineBytes is about what a line takes besides its texts.
	lineBytes = 400
)
