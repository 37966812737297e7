package quota

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/fault"
)

func refusal(t *testing.T, err error) *fault.Error {
	t.Helper()
	var f *fault.Error
	require.True(t, errors.As(err, &f))
	require.Equal(t, fault.Overload, f.Kind)
	return f
}

func TestOneCallersQueriesAtOnce(t *testing.T) {
	t.Parallel()
	q := New(Config{AtOnce: 2}, time.Now)
	first, _, err := q.Enter("a")
	require.NoError(t, err)
	_, _, err = q.Enter("a")
	require.NoError(t, err)
	_, why, err := q.Enter("a")
	require.Equal(t, time.Second, refusal(t, err).RetryAfter)
	require.Equal(t, AtOnce, why)
	_, _, err = q.Enter("b")
	require.NoError(t, err, "others are not harmed")
	first(0)
	_, _, err = q.Enter("a")
	require.NoError(t, err)
}

func TestOneCallersMinute(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	q := New(Config{PerMinute: 6}, func() time.Time { return now })
	leave, _, err := q.Enter("a")
	require.NoError(t, err)
	leave(9) // three too many: half a minute's
	_, why, err := q.Enter("a")
	require.Equal(t, 31*time.Second, refusal(t, err).RetryAfter)
	require.Equal(t, Budget, why)
	now = now.Add(31 * time.Second)
	leave, _, err = q.Enter("a")
	require.NoError(t, err)
	leave(0.2)
	_, _, err = q.Enter("a")
	require.Error(t, err)
	now = now.Add(time.Hour)
	for range 6 { // a quiet hour is worth a minute
		leave, _, err = q.Enter("a")
		require.NoError(t, err)
		leave(1)
	}
	_, _, err = q.Enter("a")
	require.Error(t, err)
}

func TestCallersAreForgotten(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	q := New(Config{AtOnce: 1, PerMinute: 1}, func() time.Time { return now })
	_, _, err := q.Enter("busy")
	require.NoError(t, err)
	for i := range 3 * maxCallers {
		leave, _, err := q.Enter(strconv.Itoa(i))
		require.NoError(t, err)
		leave(0)
	}
	require.LessOrEqual(t, len(q.callers), maxCallers)
	_, _, err = q.Enter("busy")
	require.Error(t, err)
}
