package enrich

import (
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// levelIn looks for a level in the head of a line, within the given number of words. A word is believed when it is in capitals
// (INFO, - WARN), in brackets ([notice], <error>), between bars, or followed by a colon (error: …).
func levelIn(s string, words int) logrec.Level {
	if len(s) > levelSearchBytes {
		s = s[:levelSearchBytes]
	}
	for i := 0; i < len(s) && words > 0; {
		if !letter(s[i]) {
			i++
			continue
		}
		start := i
		for i < len(s) && wordByte(s[i]) {
			i++
		}
		words--
		if l := levelWord(s, start, i); l != logrec.LevelAbsent {
			return l
		}
	}
	return logrec.LevelAbsent
}

// levelWord is the level that s[start:end] names, when what stands around it says that it is meant as one.
func levelWord(s string, start, end int) logrec.Level {
	if n := end - start; n < 3 || n > 9 {
		return logrec.LevelAbsent
	}
	l := levelNamed(s[start:end])
	if l == logrec.LevelAbsent || start > 0 && !opens(s[start-1]) || end < len(s) && !closes(s[end]) {
		return logrec.LevelAbsent
	}
	if end < len(s) && (s[end] == ':' || s[end] == ']' || s[end] == '>' || s[end] == '|') || capitals(s[start:end]) {
		return l
	}
	return logrec.LevelAbsent
}

// levelNamed knows the words that loggers print. It is narrower than logrec.ParseLevel, which reads a field that is known to be a
// level: here a letter or a number would be found in any prose.
func levelNamed(w string) logrec.Level {
	switch w[0] | 0x20 {
	case 't':
		return named(w, "trace", logrec.LevelTrace)
	case 'd':
		return named(w, "debug", logrec.LevelDebug)
	case 'i':
		return either(w, "info", "information", logrec.LevelInfo)
	case 'n':
		return named(w, "notice", logrec.LevelInfo)
	case 'w':
		return either(w, "warn", "warning", logrec.LevelWarn)
	case 'e':
		if l := either(w, "error", "err", logrec.LevelError); l != logrec.LevelAbsent {
			return l
		}
		return either(w, "emerg", "emergency", logrec.LevelFatal)
	case 's':
		return named(w, "severe", logrec.LevelError)
	case 'f':
		if l := named(w, "failure", logrec.LevelError); l != logrec.LevelAbsent {
			return l
		}
		return named(w, "fatal", logrec.LevelFatal)
	case 'c':
		return either(w, "crit", "critical", logrec.LevelFatal)
	case 'a':
		return named(w, "alert", logrec.LevelFatal)
	case 'p':
		return named(w, "panic", logrec.LevelFatal)
	}
	return logrec.LevelAbsent
}

func named(w, name string, l logrec.Level) logrec.Level {
	if len(w) == len(name) && strings.EqualFold(w, name) {
		return l
	}
	return logrec.LevelAbsent
}

func either(w, a, b string, l logrec.Level) logrec.Level {
	if named(w, a, l) == l {
		return l
	}
	return named(w, b, l)
}

// levelOfSyslog maps a syslog severity, 0 (emergency) to 7 (debug).
func levelOfSyslog(severity int) logrec.Level {
	switch {
	case severity <= 2:
		return logrec.LevelFatal
	case severity == 3:
		return logrec.LevelError
	case severity == 4:
		return logrec.LevelWarn
	case severity <= 6:
		return logrec.LevelInfo
	}
	return logrec.LevelDebug
}

// levelOfKlog maps the letter in front of a klog line.
func levelOfKlog(c byte) logrec.Level {
	switch c {
	case 'I':
		return logrec.LevelInfo
	case 'W':
		return logrec.LevelWarn
	case 'E':
		return logrec.LevelError
	case 'F':
		return logrec.LevelFatal
	}
	return logrec.LevelAbsent
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func wordByte(c byte) bool {
	return letter(c) || c-'0' <= 9 || c == '_' || c == '.' || c == '-' || c == '$'
}
func opens(c byte) bool { return c == ' ' || c == '[' || c == '<' || c == '|' || c == '(' || c == '\t' }
func closes(c byte) bool {
	return c == ' ' || c == ']' || c == '>' || c == '|' || c == ')' || c == ':' || c == '\t' || c == ','
}

func capitals(s string) bool {
	for i := range len(s) {
		if s[i]-'A' > 25 {
			return false
		}
	}
	return true
}
