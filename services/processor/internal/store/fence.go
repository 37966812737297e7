//go:build !mutant_nofence

package store

// fence is what lets exactly one owner move a partition on, once for each position. A build with the tag mutant_nofence leaves it out,
// to prove that the chaos check notices.
const (
	fence      = ` AND epoch = ? AND next_offset = ?`
	claimFence = ` AND epoch = ?`
	generation = `0`
	nextEpoch  = `epoch + 1`
)
