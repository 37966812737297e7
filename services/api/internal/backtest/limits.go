package backtest

import "time"

// Limits. Past those of a run the answer is partial and says how far it came, so that one can go on from there.
const (
	MaxTime   = 8 * time.Minute // blocks that compaction replaces meanwhile stay readable for 10 (docs/blocks.md)
	MaxRows   = 1_000_000_000
	MaxPoints = 1000    // of the values of a condition: more than any screen shows
	MaxAlerts = 2000    // with their evidence they are held in memory, and are one answer
	maxBlocks = 500_000 // listed at once: 30 MB
	maxOpen   = 2_000_000
	maxGroups = 20 // whose values are in an answer: more lines on one chart nobody tells apart

	estimateTime = 5 * time.Second // somebody waits for it at a form
	estimateRows = 2_000_000

	slots      = 2                // runs at a time: each keeps a core busy, and people search meanwhile
	maxWaiting = 16               // jobs that wait for a slot
	maxDone    = 16               // results kept, some megabytes each at most
	keepDone   = 10 * time.Minute // for whoever started it to fetch
	abandoned  = time.Minute      // nobody has asked for so long: nobody wants it
	slotWait   = 2 * time.Second  // of an estimate; without a slot there is none

	readers    = 3        // blocks read at a time, ahead of a run: of twelve connections searches need some too
	cacheBytes = 32 << 20 // of blocks just read, for the texts of evidence
	maxMessage = 1024     // characters of a line in evidence, as in alerts
)
