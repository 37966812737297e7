//go:build !mutant_nofence

package store

// fence and globalFence are what lets exactly one owner move a partition, or the shard of global rules, on, once for each position. A build
// with the tag mutant_nofence leaves them out, to prove that the comparison of outboxes notices.
const (
	fence       = ` AND epoch = ? AND next_offset = ?`
	globalFence = ` AND epoch = ? AND tick = ?`
)
