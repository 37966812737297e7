package backtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// Runner runs backtests, a few at a time. Safe for concurrent use.
type Runner struct {
	src   Source
	now   func() time.Time
	log   func(error) // of failures that are ours
	slots chan struct{}
	base  context.Context
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu   sync.Mutex
	jobs map[string]*Job
}

// NewRunner makes a runner; Close it.
func NewRunner(src Source, now func() time.Time, log func(error)) *Runner {
	base, stop := context.WithCancel(context.Background())
	return &Runner{src: src, now: now, log: log, slots: make(chan struct{}, slots), base: base, stop: stop, jobs: map[string]*Job{}}
}

// Close cancels what runs, and waits for it.
func (r *Runner) Close() {
	r.stop()
	r.wg.Wait()
}

// States of a job.
const (
	Queued    = "queued"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// View is how a job stands.
type View struct {
	ID       string     `json:"id"`
	State    string     `json:"state"`
	RuleID   string     `json:"rule_id"` // "0": of a rule that is not stored
	RuleName string     `json:"rule_name"`
	Start    time.Time  `json:"start"`
	End      time.Time  `json:"end"`
	By       string     `json:"by"`
	Created  time.Time  `json:"created_at"`
	Finished *time.Time `json:"finished_at"`
	Progress Progress   `json:"progress"`
	Error    string     `json:"error,omitempty"`
	Result   *Result    `json:"result,omitempty"`
}

// Job is a backtest that runs by itself. It is cancelled when nobody holds it and nobody has asked for it for a minute.
type Job struct {
	r      *Runner
	spec   Spec
	cancel context.CancelFunc
	done   chan struct{}
	leave  *time.Timer // cancels it

	mu   sync.Mutex
	view View
	err  error
	held int
}

// Start begins a job that the caller holds: Release it. Overload when too many wait already.
func (r *Runner) Start(spec Spec) (*Job, error) {
	spec.Rows, spec.Time = MaxRows, MaxTime
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep()
	waiting := 0
	for _, j := range r.jobs {
		if j.View().State == Queued {
			waiting++
		}
	}
	if waiting >= maxWaiting || r.base.Err() != nil {
		return nil, fault.Overloaded(10*time.Second, "%d backtests are waiting: come again later", waiting)
	}
	ctx, cancel := context.WithCancel(r.base)
	j := &Job{r: r, spec: spec, cancel: cancel, done: make(chan struct{}), held: 1, view: View{ID: newID(), State: Queued, RuleID: spec.Rule.ID, RuleName: spec.Rule.Name,
		Start: at(spec.Start), End: at(spec.End), By: spec.By, Created: r.now().UTC()}}
	j.leave = time.AfterFunc(abandoned, cancel)
	j.leave.Stop()
	r.jobs[j.view.ID] = j
	r.wg.Go(func() { j.run(ctx) })
	return j, nil
}

// newID is not to be guessed: results hold log lines.
func newID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Job finds one; asking keeps it alive. NotFound: it never was, or its result is no longer kept.
func (r *Runner) Job(id string) (*Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep()
	j := r.jobs[id]
	if j == nil {
		return nil, fault.NotFound("there is no backtest %.40q; results are kept for %s, by the api that ran it", id, keepDone)
	}
	j.Hold()
	j.Release()
	return j, nil
}

// Forget cancels a job and lets go of its result.
func (r *Runner) Forget(j *Job) {
	j.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.jobs, j.view.ID)
}

// sweep forgets results that are old, or too many. The caller holds r.mu.
func (r *Runner) sweep() {
	var over []View
	for _, j := range r.jobs {
		if v := j.View(); v.Finished != nil {
			over = append(over, v)
		}
	}
	slices.SortFunc(over, func(a, b View) int { return b.Finished.Compare(*a.Finished) })
	for i, v := range over {
		if i >= maxDone || r.now().Sub(*v.Finished) > keepDone {
			delete(r.jobs, v.ID)
		}
	}
}

// Running counts the jobs by state, for metrics.
func (r *Runner) Running() map[string]int {
	out := map[string]int{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for j := range maps.Values(r.jobs) {
		out[j.View().State]++
	}
	return out
}

// Hold keeps a job alive until Release.
func (j *Job) Hold() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.held++
	j.leave.Stop()
}

// Release lets go; the last to do so leaves the job a minute to be asked for.
func (j *Job) Release() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held--; j.held == 0 && j.view.Finished == nil {
		j.leave.Reset(abandoned)
	}
}

// Done is closed when the job is over.
func (j *Job) Done() <-chan struct{} { return j.done }

// View is how it stands.
func (j *Job) View() View {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.view
}

// Result is what came out; it waits for nothing.
func (j *Job) Result() (*Result, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.view.Result, j.err
}

func (j *Job) run(ctx context.Context) {
	defer close(j.done)
	defer j.cancel()
	select {
	case j.r.slots <- struct{}{}:
		defer func() { <-j.r.slots }()
	case <-ctx.Done():
		j.finish(nil, ctx.Err())
		return
	}
	j.set(func(v *View) { v.State = Running })
	res, err := Run(ctx, j.r.src, j.spec, j.r.now, func(p Progress) { j.set(func(v *View) { v.Progress = p }) })
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	j.finish(res, err)
}

func (j *Job) set(f func(*View)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.view)
}

func (j *Job) finish(res *Result, err error) {
	j.set(func(v *View) {
		now := j.r.now().UTC()
		v.Finished, j.err = &now, err
		j.leave.Stop()
		switch {
		case err == nil:
			v.State, v.Result, v.Progress.Fraction, v.Progress.Alerts, v.Progress.CoveredUntil = Done, res, 1, len(res.Alerts), res.CoveredUntil
		case errors.Is(err, context.Canceled):
			v.State = Cancelled
		case fault.KindOf(err) == fault.Internal:
			v.State, v.Error = Failed, "the error is in the api's log"
			j.r.log(err)
		default:
			v.State, v.Error = Failed, err.Error()
		}
	})
}

// Estimate runs a rule over the newest lines since start, a few seconds at most; nil when all slots are taken.
func (r *Runner) Estimate(ctx context.Context, c *rule.Compiled, start, end int64) (*Result, error) {
	wait, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-wait.Done():
		return nil, ctx.Err()
	}
	return Run(ctx, r.src, Spec{Rule: c, Start: start, End: end, By: ByEvalTime, Rows: estimateRows, Time: estimateTime, Newest: true}, r.now, func(Progress) {})
}
