package httpapi

import "time"

// Limits of requests.
const (
	defaultLimit   = 100
	maxLimit       = 1000
	maxOffset      = 10000 // further on, a cursor is the way
	maxSearchBytes = 1024
	defaultRange   = time.Hour
	maxRange       = 31 * 24 * time.Hour
)

// Limits of alerts and what is said about them.
const (
	alertsRange = 7 * 24 * time.Hour // how far back alerts are listed when nothing is said
	maxPoints   = 1000               // of statistics over time: more than any screen shows
	maxLabels   = 10                 // label filters of one request: each reads every alert's JSON
	maxWho      = 200                // bytes, of column who
	maxNote     = 4096               // bytes: a note is no report

	maxExportRules = 20_000 // in one file: ten megabytes or so, held in memory
)

// Limits of trying rules out; what a run may cost is in package backtest.
const (
	maxEstimate  = 24 * time.Hour         // that validate looks back over
	defaultTests = 24 * time.Hour         // that a backtest looks back over when nothing is said
	defaultWait  = 20 * time.Second       // for its result: below what proxies cut off at
	maxWait      = time.Minute            // of a request
	tellEvery    = 500 * time.Millisecond // progress of a stream
)

// Limits of statistics; what they may cost is in packages search and tally.
const (
	maxBy       = 5       // fields to group by: more makes groups of single lines
	maxMeasures = 20      // figures of one answer
	maxCells    = 200_000 // points of one answer: about 10 MB
	defaultTop  = 10      // values of a facet
	defaultBars = 60      // of a histogram
	maxFacets   = 20      // fields of one answer
)

// Limits of the tail; its queues are in package tail.
const (
	defaultTailLines = 10               // that were there before
	heartbeatEvery   = 10 * time.Second // below what proxies cut off at
	stuckAfter       = 15 * time.Second // a client that takes nothing for so long is gone, as far as we can tell
	connectWithin    = 5 * time.Second  // of Kafka, before the lines that are stored are shown all the same
	tailsOfOne       = 100              // that one caller may have open: half of all
	tailAgain        = 30 * time.Second // when all places are taken
	flushBytes       = 64 << 10         // written at once
)

// Limits of context and export.
const (
	maxLoggedQuery = 500              // bytes of a slow query's text
	defaultContext = 10               // lines before, and after
	maxContext     = 500              // further on, search with a cursor
	exportPage     = 10_000           // lines searched for at once
	maxExport      = 50_000_000       // lines of one answer
	exportTime     = 30 * time.Minute // of one answer: what takes longer goes on with its cursor
)
