package query

import "fmt"

// Error is a mistake in a query's text, with the place it is at.
type Error struct {
	Pos     int    // byte offset in the text, 0-based
	Len     int    // bytes the mistake covers, at least 1 except at the end of the text
	Message string // what is wrong and, where one is near, what was probably meant
}

func (e *Error) Error() string { return fmt.Sprintf("at %d: %s", e.Pos+1, e.Message) }

func errorAt(pos, length int, format string, args ...any) *Error {
	return &Error{Pos: pos, Len: length, Message: fmt.Sprintf(format, args...)}
}

// Hint is something in a valid query that probably means something else than was meant.
type Hint struct {
	Pos     int    `json:"pos"` // byte offset, 0-based
	Message string `json:"message"`
}

// clip keeps messages readable: texts may be long.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
