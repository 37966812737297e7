// Package fault gives errors a kind: what a caller can do about them. HTTP answers and the choice between retry and dead letter
// are both made from it, each in one place.
package fault

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what went wrong, as far as a caller cares.
type Kind uint8

const (
	Internal        Kind = iota // ours: log it, show nothing
	InvalidInput                // the caller's: fix it and send again
	Missing                     // no such thing
	Conflicting                 // the thing's state does not allow it
	Outdated                    // If-Match failed: somebody else was faster
	Unauthenticated             // who are you
	NotAllowed                  // we know who you are, and you may not
	TooBig                      // over a limit
	UnsupportedType             // content type or encoding
	Overload                    // later, see RetryAfter
	Away                        // a dependency does not answer
	Unprocessable               // understood, and contradicts what was said before
)

// Field is one thing that is wrong with an input.
type Field struct {
	Name   string `json:"field"`
	Reason string `json:"reason"`
	Line   int    `json:"line,omitempty"` // of the body, from 1; 0 = not about a line
	Pos    int    `json:"pos,omitempty"`  // byte of the field's text, from 1; 0 = not about a place
	Len    int    `json:"len,omitempty"`  // bytes from there; 0 at the end of the text
}

// Error is an error of a kind.
type Error struct {
	Kind       Kind
	Message    string
	Fields     []Field
	RetryAfter time.Duration
	Cause      error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

func newError(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Invalid is an input that names its wrong fields.
func Invalid(message string, fields ...Field) *Error {
	return &Error{Kind: InvalidInput, Message: message, Fields: fields}
}

// NotFound is a thing that is not there.
func NotFound(format string, args ...any) *Error { return newError(Missing, format, args...) }

// Conflict is a change that the thing's state, or another thing, does not allow.
func Conflict(format string, args ...any) *Error { return newError(Conflicting, format, args...) }

// Stale is a change of something that is no longer as the caller has seen it.
func Stale(format string, args ...any) *Error { return newError(Outdated, format, args...) }

// Forbidden is a caller who is known and may not.
func Forbidden(format string, args ...any) *Error { return newError(NotAllowed, format, args...) }

// Unauthorized is a caller who does not say who they are.
func Unauthorized(format string, args ...any) *Error {
	return newError(Unauthenticated, format, args...)
}

// TooLarge is an input over a limit.
func TooLarge(format string, args ...any) *Error { return newError(TooBig, format, args...) }

// Unsupported is a content type or encoding that is not understood.
func Unsupported(format string, args ...any) *Error {
	return newError(UnsupportedType, format, args...)
}

// Contradiction is an input that is well-formed and contradicts an earlier one.
func Contradiction(format string, args ...any) *Error {
	return newError(Unprocessable, format, args...)
}

// Overloaded asks the caller to come again after a while.
func Overloaded(after time.Duration, format string, args ...any) *Error {
	e := newError(Overload, format, args...)
	e.RetryAfter = after
	return e
}

// Unavailable is a dependency that does not answer.
func Unavailable(cause error, format string, args ...any) *Error {
	e := newError(Away, format, args...)
	e.Cause = cause
	return e
}

// KindOf is the kind of the first Error in err's chain, Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent marks an error that no retry can mend: the message goes to the dead letters.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanent{err}
}

// IsPermanent tells whether err was marked so.
func IsPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}
