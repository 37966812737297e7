package logrec

// TODO(helper A): the signatures below are the agreed API; move each into its own file with its body.

// String is the lower-case name: trace debug info warn error fatal; "" when absent.
func (l Level) String() string { panic("todo") }

// ParseLevel reads any spelling people use ("WARN", "warning", "err", "crit", "E", "I", syslog and bunyan/pino numbers as text).
func ParseLevel(s string) (Level, bool) { panic("todo") }

// LevelOfSeverity maps an OTLP severity number (1–24); anything else is LevelAbsent.
func LevelOfSeverity(n int32) Level { panic("todo") }

// Severity is the OTLP severity number of l (1 5 9 13 17 21), 0 when absent.
func (l Level) Severity() int32 { panic("todo") }

// ParseTime reads RFC 3339 (any fraction, space for T, comma fraction, offset with or without colon), and the forms that logs
// carry; ns since the epoch. It allocates nothing for RFC 3339.
func ParseTime(s string) (ns int64, ok bool) { panic("todo") }

// TimeOfNumber tells s, ms, µs and ns apart by size and returns ns; ok is false outside 1970..2262.
func TimeOfNumber(v float64) (ns int64, ok bool) { panic("todo") }

// Parser parses JSON into records: one object, an array of objects, or NDJSON. It is not safe for concurrent use;
// reuse one a goroutine. Strings of a record point into the body or into the parser's buffer and live until the next Reset.
type Parser struct{}

// Reset forgets the buffers of earlier bodies.
func (p *Parser) Reset() { panic("todo") }

// ParseObject parses one JSON object into rec (which it overwrites, re-using rec.Attributes).
func (p *Parser) ParseObject(line []byte, rec *Record) error { panic("todo") }

// ParseBody parses a whole body and calls emit once for each record, in order, with its line (NDJSON: 1-based line; array:
// 1-based element) and either a valid record or the reason why it is rejected. emit returning false ends the parse.
// rec is only valid during the call. The returned error is about the body itself (for example: truncated array).
func (p *Parser) ParseBody(body []byte, emit func(line int, rec *Record, err error) bool) error {
	panic("todo")
}

// Validate checks rec against the limits of limits.go and cleans what can be cleaned (invalid UTF-8 becomes U+FFFD,
// an over-long message is cut at a rune border and marked with attribute "truncated"). A *FieldError says field and reason.
func Validate(rec *Record) error { panic("todo") }

// FieldError is a rejected field.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// ID is a record's public, stable identity: where its message lies on logs.raw, and its row in it.
type ID struct {
	Stream    uint32 // row of table stream; 1 is written without prefix
	Partition int32
	Offset    int64
	Row       int32
}

// String is "partition-offset-row", with "stream." before it when Stream is not 1.
func (id ID) String() string { panic("todo") }

// ParseID is the inverse of String.
func ParseID(s string) (ID, error) { panic("todo") }
