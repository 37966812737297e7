//go:build mutant_nofence

package store

// No fence: whoever believes that it owns something moves it, to wherever it was itself.
const (
	fence       = ` AND ? IS NOT NULL AND ? IS NOT NULL`
	globalFence = fence
)
