package query

// Limits of a query text. They bound the work of reading it and of asking it of each block.
const (
	// MaxTextBytes is room for thousands of pasted ids; more is a program's mistake.
	MaxTextBytes = 128 << 10

	// MaxClauses bounds the terms: each is asked of each block's metadata.
	MaxClauses = 2000

	// MaxDepth of brackets and NOTs: parser and engine recurse.
	MaxDepth = 64

	// MaxRegexps of one query: a regular expression costs a hundred times what a word does.
	MaxRegexps = 32

	// maxRegexpBytes and maxRegexpSteps bound one regular expression: its text, and the steps it becomes when repeats are written
	// out. RE2 takes linear time, but the factor is the number of steps.
	maxRegexpBytes = 2048
	maxRegexpSteps = 5000

	// maxHints of one answer: whoever needs more has pasted something else.
	maxHints = 5
)
