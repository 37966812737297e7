package ruletest

import "time"

// Limits of a test. A test is read by people; what is larger belongs into a backtest.
const (
	maxLines     = 500_000            // of input: a few hundred bytes of memory each
	maxFileBytes = 64 << 20           // of an NDJSON file
	maxAfter     = 7 * 24 * time.Hour // between the start and a line or an expectation
	blockRows    = 8192               // lines folded at once
	tolerance    = 1e-9               // of values, relative: both sides are float64
	sketchError  = 0.01               // of values that come from a sketch, relative
)
