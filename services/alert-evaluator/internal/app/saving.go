package app

import (
	"time"

	"github.com/logmill/logmill/shared/rule/engine"
)

const (
	// recoveryBudget is how long a replica may have to go through the log again before its partitions are where they were: with reading and restoring
	// the snapshots it should be back within two seconds. It is shared among the partitions.
	recoveryBudget = time.Second

	// snapshotWorth bounds what large snapshots cost: encoding, compressing and sending a byte takes about 20 ns (BenchmarkRecovery), and is worth it when
	// the work since the last snapshot was five times as much.
	snapshotWorth = 100 * time.Nanosecond

	snapshotEvery = time.Minute // while there is little to do
	snapshotRows  = 1_000_000   // and at most this much to read again
)

// saving knows when an engine's state is to be stored. What recovery has to do again is what was done since; how long that took is how long it will.
type saving struct {
	at   time.Time     // of the last snapshot
	work time.Duration // spent on what came since
	rows int           // of what came since
	size int           // of the last snapshot, bytes
}

func newSaving() saving { return saving{at: time.Now()} }

// due tells whether a snapshot should be stored with the next step.
func (s *saving) due(budget time.Duration) bool {
	return s.rows >= snapshotRows || time.Since(s.at) >= snapshotEvery || s.work >= max(budget, time.Duration(s.size)*snapshotWorth)
}

// worked takes note of work that began at a moment, on some rows.
func (s *saving) worked(began time.Time, rows int) {
	s.work += time.Since(began)
	s.rows += rows
}

// snapshot encodes an engine's state, for the next step.
func (s *saving) snapshot(eng *engine.Engine) []byte {
	out := eng.Snapshot()
	s.size = len(out)
	return out
}

// saved takes note of a snapshot that is stored.
func (s *saving) saved() { *s = saving{at: time.Now(), size: s.size} }
