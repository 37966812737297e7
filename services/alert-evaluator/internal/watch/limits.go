package watch

import "time"

// Limits.
const (
	// Repeat is how often a meta alert that goes on is told again, as of rules.
	Repeat = 4 * time.Hour

	// UpdateEvery bounds how often a change of the partitions concerned is told.
	UpdateEvery = time.Minute

	// MaxNames is how many rules an event names; it counts all.
	MaxNames = 10

	// MaxFindings bounds what an owner writes down of one kind: a producer that keys by nothing misplaces every service there is.
	MaxFindings = 64

	// detailBytes is what alert_problem.detail holds.
	detailBytes = 1000
)
