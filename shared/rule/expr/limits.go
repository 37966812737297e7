package expr

// Limits of a condition or filter text. They bound the work of parsing and of evaluating a rule that a user typed in.
const (
	MaxTextBytes = 4096 // longer conditions are programs, not rules
	MaxDepth     = 64   // nesting of expressions: the parser and the evaluator recurse
	MaxListItems = 1000 // IN (…) lists
	maxArgs      = 16   // of a function
)
