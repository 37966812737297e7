package logrec

// Level is a record's severity. Its numbers are part of the block format: never renumber.
type Level uint8

// The levels, mildest first. LevelAbsent is a level that nobody said.
const (
	LevelAbsent Level = iota
	LevelTrace
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)

// Levels are all levels that a stored record can have.
var Levels = []Level{LevelTrace, LevelDebug, LevelInfo, LevelWarn, LevelError, LevelFatal}

var levelNames = [...]string{"", "trace", "debug", "info", "warn", "error", "fatal"}

// LevelNames are the names of all levels that a stored record can have.
func LevelNames() []string { return append([]string(nil), levelNames[1:]...) }

// String is the lower-case name: trace debug info warn error fatal; "" when absent or out of range.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// Severity is the OTLP severity number of l (1 5 9 13 17 21), 0 when absent.
func (l Level) Severity() int32 {
	if l == LevelAbsent || l > LevelFatal {
		return 0
	}
	return int32(l)*4 - 3
}

// LevelOfSeverity maps an OTLP severity number (1–24); anything else is LevelAbsent.
func LevelOfSeverity(n int32) Level {
	if n < 1 || n > 24 {
		return LevelAbsent
	}
	return Level((n + 3) / 4)
}

// spellings are how people and programs write levels, lower case: syslog's words, single letters (glog, Android), and the numbers of bunyan and pino.
var spellings = map[string]Level{
	"trace": LevelTrace, "trc": LevelTrace, "verbose": LevelTrace, "finest": LevelTrace, "finer": LevelTrace, "t": LevelTrace, "v": LevelTrace, "10": LevelTrace,
	"debug": LevelDebug, "dbg": LevelDebug, "fine": LevelDebug, "d": LevelDebug, "20": LevelDebug, "debug2": LevelDebug, "debug3": LevelDebug,
	"info": LevelInfo, "information": LevelInfo, "informational": LevelInfo, "inf": LevelInfo, "notice": LevelInfo, "config": LevelInfo, "log": LevelInfo,
	"i": LevelInfo, "n": LevelInfo, "30": LevelInfo,
	"warn": LevelWarn, "warning": LevelWarn, "wrn": LevelWarn, "w": LevelWarn, "40": LevelWarn,
	"error": LevelError, "err": LevelError, "eror": LevelError, "severe": LevelError, "failure": LevelError, "e": LevelError, "50": LevelError,
	"fatal": LevelFatal, "ftl": LevelFatal, "critical": LevelFatal, "crit": LevelFatal, "alert": LevelFatal, "emerg": LevelFatal, "emergency": LevelFatal,
	"panic": LevelFatal, "f": LevelFatal, "c": LevelFatal, "60": LevelFatal,
}

const longestSpelling = 13

// ParseLevel reads any of the spellings, in any case and with blanks around it. It allocates nothing.
func ParseLevel(s string) (Level, bool) {
	switch s { // what nearly everybody sends
	case "info", "INFO":
		return LevelInfo, true
	case "error", "ERROR":
		return LevelError, true
	case "warn", "WARN":
		return LevelWarn, true
	case "debug", "DEBUG":
		return LevelDebug, true
	}
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	var buf [longestSpelling]byte
	if len(s) == 0 || len(s) > len(buf) {
		return LevelAbsent, false
	}
	for i := range len(s) {
		buf[i] = lower(s[i])
	}
	l, ok := spellings[string(buf[:len(s)])]
	return l, ok
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
