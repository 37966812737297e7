// Package engine decides which alerts exist. It is a pure state machine without a clock: what it says follows from the records, the
// watermarks and the rule versions that it was given, in event time, and from nothing else. The evaluator runs it on the stream, a
// backtest over stored blocks, tests over whatever they like.
//
//	records ──Fold──▶ cells (series × group × tick) ──Advance──▶ rings of buckets (× window) ──▶ readings ──▶ alerts ──▶ events
//
// A series is what rules share: one aggregate of one predicate, grouped one way; predicates that differ only in the constant that a number is
// compared with are one series, a ladder. Its cells collect the records of a tick (250 ms of
// eval_time) that is still open. Advance(watermark) closes ticks: their cells go into the rings, one a window length. A reading is the value of a
// condition in one group; those whose value may have changed are worked out, in the order of ticks, once for all rules that ask the same. Of the
// alerts (rule × group) that depend on a reading, those are looked at that fire or wait, or whose threshold the value has come to.
//
// A partition's engine evaluates the rules that one partition can decide (pinned to a service, or grouped by service), and exports the
// closed cells of all others as Partials; the global engine merges those of all partitions and evaluates the rest.
package engine

import "time"

// Tick is the step of evaluation, ns of event time.
const Tick = int64(250 * time.Millisecond)

// Limits.
const (
	MaxGroups     = 1000 // groups a series: what a rule grouped by user_id may cost; later ones share one group
	exactDistinct = 1024 // distinct values counted exactly a bucket; above, HyperLogLog
	evidenceFirst = 2    // how it began …
	evidenceLast  = 3    // … and what is going on
	sketchError   = 0.01 // relative error of percentiles
	sketchBins    = 2048
)

// Overflow is every label of the group that takes the records of the groups above MaxGroups.
const Overflow = "__overflow__"

// tickOf is the number of the tick that sees a record: the first at or after its eval_time.
func tickOf(ns int64) int64 { return (ns + Tick - 1) / Tick }
