package httpapi

import "time"

// Limits of the listener, each with its reason.
const (
	headerTimeout = 5 * time.Second  // a client that trickles its headers holds a connection for nothing
	readTimeout   = 60 * time.Second // a whole body, over a slow line
	idleTimeout   = 2 * time.Minute
	maxErrors     = 100 // rejected records named in an answer; all are counted
)
