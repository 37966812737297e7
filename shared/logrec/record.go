// Package logrec is the log record that every part of Logmill speaks of: its fields, its levels, the names that
// people send for them, and the parsers of records, times and levels. It imports the standard library only.
package logrec

// Record is one log line. Zero values mean absent, unless said otherwise.
//
// Strings may point into the buffer that a record was parsed from (each parser says so); whoever keeps a record
// longer than that buffer clones it.
type Record struct {
	Timestamp int64 // when it happened, ns since the Unix epoch, UTC; 0 = absent
	Observed  int64 // when the collector received it, ns, UTC; 0 = absent

	Level   Level
	Service string
	Message string

	TraceID string // 32 lower-case hex digits where it is a W3C/OTel id, else the text as sent
	SpanID  string // 16 lower-case hex digits, or the text as sent
	UserID  string

	RequestMethod   string
	RequestPath     string
	ResponseStatus  int32   // HTTP status; 0 = absent
	ResponseTimeMS  float64 // ms; meaningful only when HasResponseTime; never NaN or infinite
	HasResponseTime bool

	Attributes []Attr // everything else, in the order sent, keys unique (the last one wins)

	// Set by the processor's enrichment.
	Team, Env, Host string
	PatternID       int64 // 0 = none yet

	EvalTime  int64 // when alert rules see it, ns; 0 = NULL, never evaluated
	SrcOffset int64 // offset of its message on logs.raw
	SrcRow    int32 // its place in that message, from 0
}

// Attr is one free attribute.
type Attr struct {
	Key   string
	Value string // the text when Kind is String, else the JSON text of the value
	Kind  AttrKind
}

// AttrKind tells text from other JSON values, so that 12 and "12" stay different.
type AttrKind uint8

const (
	String AttrKind = iota // Value is the text itself
	JSON                   // Value is JSON: a number, true, false, an object or an array
)
