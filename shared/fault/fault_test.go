package fault

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKindSurvivesWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	for kind, err := range map[Kind]error{
		InvalidInput:    Invalid("bad body", Field{Name: "level", Reason: "unknown", Line: 3}),
		Missing:         NotFound("rule %d", 7),
		Conflicting:     Conflict("it is resolved"),
		Outdated:        Stale("version %d", 2),
		NotAllowed:      Forbidden("no"),
		Unauthenticated: Unauthorized("who"),
		TooBig:          TooLarge("over %d bytes", 10),
		UnsupportedType: Unsupported("xml"),
		Unprocessable:   Contradiction("another body"),
		Overload:        Overloaded(3*time.Second, "busy"),
		Away:            Unavailable(cause, "MySQL"),
		Internal:        cause,
	} {
		require.Equal(t, kind, KindOf(err))
		require.Equal(t, kind, KindOf(fmt.Errorf("searching: %w", err)), "%v", err)
		require.Equal(t, kind, KindOf(Permanent(errors.Join(errors.New("beside"), err))), "%v", err)
	}
	require.Equal(t, Internal, KindOf(nil))
}

func TestAnErrorSaysItsCauseAndWhenToComeBack(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	err := fmt.Errorf("storing: %w", Unavailable(cause, "MySQL at %s", "db"))
	require.EqualError(t, err, "storing: MySQL at db: connection refused")
	require.ErrorIs(t, err, cause)
	var e *Error
	require.ErrorAs(t, fmt.Errorf("taking lines: %w", Overloaded(3*time.Second, "busy")), &e)
	require.Equal(t, 3*time.Second, e.RetryAfter)
	require.EqualError(t, e, "busy")
	require.ErrorAs(t, error(Invalid("bad", Field{Name: "a"}, Field{Name: "b"})), &e)
	require.Len(t, e.Fields, 2)
}

func TestPermanentIsAMarkThatStays(t *testing.T) {
	t.Parallel()
	require.NoError(t, Permanent(nil))
	cause := errors.New("no protobuf")
	err := fmt.Errorf("decoding: %w", Permanent(cause))
	require.True(t, IsPermanent(err))
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "decoding: no protobuf", "the mark is not shown")
	require.False(t, IsPermanent(cause))
	require.False(t, IsPermanent(nil))
}
