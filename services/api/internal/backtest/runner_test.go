package backtest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/shared/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is a source that lists nothing before it is opened.
type gate struct {
	memory
	open chan struct{}
	err  error
}

func (g *gate) Through(ctx context.Context) (int64, error) {
	select {
	case <-g.open:
		return t0, g.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func TestRunnerBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		r := NewRunner(g, time.Now, func(err error) { t.Error(err) })
		c := compiled(t, rules[0])
		var jobs []*Job
		for range slots + maxWaiting {
			j, err := r.Start(spec(c, 0, t0))
			require.NoError(t, err)
			jobs = append(jobs, j)
			synctest.Wait()
		}
		require.Equal(t, map[string]int{Running: slots, Queued: maxWaiting}, r.Running())
		_, err := r.Start(spec(c, 0, t0))
		require.Equal(t, fault.Overload, fault.KindOf(err))
		res, err := r.Estimate(t.Context(), c, 0, t0)
		require.NoError(t, err)
		require.Nil(t, res, "an estimate does not wait long")

		r.Forget(jobs[0]) // its slot goes to one that waits
		<-jobs[0].Done()
		synctest.Wait()
		require.Equal(t, map[string]int{Running: slots, Queued: maxWaiting - 1}, r.Running())
		close(g.open)
		for _, j := range jobs[1:] {
			<-j.Done()
			require.Equal(t, Done, j.View().State)
			j.Release()
		}
		require.Len(t, r.jobs, len(jobs)-1)
		_, err = r.Job("x") // looking for one sweeps
		require.Equal(t, fault.Missing, fault.KindOf(err))
		require.Len(t, r.jobs, maxDone, "results are bounded")
		time.Sleep(keepDone + time.Second)
		_, err = r.Job("x")
		require.Equal(t, fault.Missing, fault.KindOf(err))
		require.Empty(t, r.jobs, "and not kept for ever")
		r.Close()
	})
}

// TestNobodyAsks: a job that nobody holds or asks for is cancelled after a minute; asking keeps it.
func TestNobodyAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewRunner(&gate{open: make(chan struct{})}, time.Now, func(err error) { t.Error(err) })
		defer r.Close()
		j, err := r.Start(spec(compiled(t, rules[0]), 0, t0))
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		require.Equal(t, Running, j.View().State, "it is held")
		j.Release()
		for range 5 {
			time.Sleep(abandoned - time.Second)
			_, err := r.Job(j.View().ID)
			require.NoError(t, err)
			require.Equal(t, Running, j.View().State)
		}
		time.Sleep(abandoned + time.Second)
		synctest.Wait()
		require.Equal(t, Cancelled, j.View().State)
	})
}

func TestFailuresAreOursOrTheCallers(t *testing.T) {
	t.Parallel()
	open := make(chan struct{})
	close(open)
	for want, err := range map[string]error{"the error is in the api's log": errors.New("secret"), "too many": fault.Invalid("too many")} {
		var logged error
		r := NewRunner(&gate{open: open, err: err}, time.Now, func(err error) { logged = err })
		j, serr := r.Start(spec(compiled(t, rules[0]), 0, t0))
		require.NoError(t, serr)
		<-j.Done()
		_, got := j.Result()
		require.ErrorIs(t, got, err)
		require.Equal(t, []string{Failed, want}, []string{j.View().State, j.View().Error})
		require.Equal(t, fault.KindOf(err) == fault.Internal, logged != nil)
		r.Close()
	}
}

func TestCloseWaits(t *testing.T) {
	t.Parallel()
	r := NewRunner(&gate{open: make(chan struct{})}, time.Now, func(err error) { t.Error(err) })
	j, err := r.Start(spec(compiled(t, rules[0]), 0, t0))
	require.NoError(t, err)
	r.Close()
	require.Equal(t, Cancelled, j.View().State)
	_, err = r.Start(spec(compiled(t, rules[0]), 0, t0))
	require.Error(t, err)
}
