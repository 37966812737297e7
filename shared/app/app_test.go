package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
)

var errBroken = errors.New("broken")

func TestAStackIsTakenDownFromTheTop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Stack
		var order []string
		step := func(name string, err error) {
			s.Push(name, time.Second, func(context.Context) error { order = append(order, name); return err })
		}
		hang := make(chan struct{})
		step("database", nil)
		step("producer", errBroken)
		s.Push("listener", 3*time.Second, func(ctx context.Context) error {
			<-ctx.Done()
			<-hang // it does not listen
			return nil
		})
		step("intake", nil)
		began := time.Now()
		err := s.Close()
		require.Equal(t, []string{"intake", "producer", "database"}, order, "whoever hangs or fails keeps nobody up")
		require.Equal(t, 3*time.Second, time.Since(began))
		require.ErrorIs(t, err, errBroken)
		require.EqualError(t, err, "stopping listener: not done after 3s\nstopping producer: broken")
		require.NoError(t, s.Close(), "each step runs once ever")
		require.Len(t, order, 3)
		close(hang)
	})
}

func TestRetryUntilItWorks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var waits []time.Duration
		last := time.Now()
		err := Retry(t.Context(), zerolog.New(&log), "Kafka", nil, func(context.Context) error {
			waits = append(waits, time.Since(last))
			last = time.Now()
			if len(waits) < 25 {
				return errBroken
			}
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []time.Duration{0, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond, 5 * time.Second, 5 * time.Second}, waits[:8])
		require.Equal(t, 3, strings.Count(log.String(), "waiting for Kafka"), "the first failure and every tenth: %s", log.String())
	})
}

func TestRetryGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := Retry(t.Context(), zerolog.Nop(), "x", func(err error) bool { return errors.Is(err, errBroken) }, func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("not yet")
			}
			return fmt.Errorf("for good: %w", errBroken)
		})
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, 3, tries)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err = Retry(ctx, zerolog.Nop(), "x", nil, func(context.Context) error { return errBroken })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began), "it does not wait longer than it may")
	})
}

func TestACleanStopIsNothingButCancelled(t *testing.T) {
	t.Parallel()
	require.True(t, onlyCanceled(context.Canceled))
	require.True(t, onlyCanceled(fmt.Errorf("reading: %w", context.Canceled)))
	require.True(t, onlyCanceled(errors.Join(context.Canceled, fmt.Errorf("x: %w", context.Canceled))))
	require.False(t, onlyCanceled(errors.Join(context.Canceled, errBroken)), "a failure beside it is one")
	require.False(t, onlyCanceled(fmt.Errorf("x: %w", context.DeadlineExceeded)))
	require.False(t, onlyCanceled(errBroken))
}

type settings struct {
	Log config.Log
}

type runner func(context.Context) error

func (r runner) Run(ctx context.Context) error { return r(ctx) }

// TestMainAndItsExitCode is not parallel: it sends this process a signal.
func TestMainAndItsExitCode(t *testing.T) { //nolint:paralleltest
	main := func(build func(context.Context) (Runner, error)) int {
		return Main("test", func(s settings) config.Log { return s.Log }, func(ctx context.Context, _ settings, _ zerolog.Logger) (Runner, error) { return build(ctx) })
	}
	runs := func(r runner) int { return main(func(context.Context) (Runner, error) { return r, nil }) }
	require.Equal(t, 0, runs(func(context.Context) error { return nil }))
	require.Equal(t, 1, runs(func(context.Context) error { return errBroken }))
	require.Equal(t, 1, main(func(context.Context) (Runner, error) { return nil, errBroken }), "it does not start")
	stopped := func(err error) int {
		return runs(func(ctx context.Context) error {
			require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
			<-ctx.Done()
			return errors.Join(ctx.Err(), err)
		})
	}
	require.Equal(t, 0, stopped(nil), "a signal is a clean stop")
	require.Equal(t, 1, stopped(errBroken), "unless something else went wrong")
	t.Setenv("LOG_LEVEL", "loud")
	require.Equal(t, 2, runs(func(context.Context) error { return nil }), "bad settings")
}
