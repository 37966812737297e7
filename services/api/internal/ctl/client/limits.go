package client

// Limits of answers.
const (
	maxAnswer  = 256 << 20 // bytes of one answer that is read as a whole: a page of logs at their largest
	maxProblem = 1 << 20   // of an error
	maxShown   = 200       // characters of an error that is not ours (a proxy's page)
)
