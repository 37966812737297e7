package logrec

// Level is a record's severity. Its numbers are part of the block format: never renumber.
type Level uint8

const (
	LevelAbsent Level = iota // not said and not found in the text; stored as info by the processor
	LevelTrace
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)
