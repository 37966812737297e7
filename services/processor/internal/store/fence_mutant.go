//go:build mutant_nofence

package store

// No fence: any owner moves the partition, the epoch stays, and a block that is there already is stored once more beside it.
const (
	fence      = ` AND ? IS NOT NULL AND ? IS NOT NULL`
	claimFence = ` AND ? IS NOT NULL`
	generation = `FLOOR(RAND() * 250)`
	nextEpoch  = `epoch`
)
