package obs

import (
	"context"
	"errors"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// checkTimeout bounds one health check: whoever probes has a time-out of seconds, and a hung dependency is as bad as one away.
const checkTimeout = 2 * time.Second

// Check says whether a dependency is well. It must honour its context.
type Check func(ctx context.Context) error

// Health knows whether a program is ready and how its dependencies are. The zero value is not ready and has no checks.
type Health struct {
	ready  atomic.Bool
	mu     sync.Mutex
	checks map[string]Check
}

// Add names a check; a name added twice is replaced.
func (h *Health) Add(name string, c Check) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.checks == nil {
		h.checks = map[string]Check{}
	}
	h.checks[name] = c
}

// SetReady says whether the program wants traffic at all; false from the start and during shutdown.
func (h *Health) SetReady(ready bool) { h.ready.Store(ready) }

// Result is one check's outcome.
type Result struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Err     string `json:"error,omitempty"`
	Warning string `json:"warning,omitempty"` // it serves, and something is not well
}

// Warning is a check's error that people should see and that keeps nobody from serving.
type Warning struct{ Err error }

func (w *Warning) Error() string { return w.Err.Error() }
func (w *Warning) Unwrap() error { return w.Err }

// Run makes all checks side by side. ok is false when the program is not ready or a check failed.
func (h *Health) Run(ctx context.Context) (results []Result, ok bool) {
	h.mu.Lock()
	names := make([]string, 0, len(h.checks))
	for n := range h.checks {
		names = append(names, n)
	}
	checks := make([]Check, len(names))
	sort.Strings(names)
	for i, n := range names {
		checks[i] = h.checks[n]
	}
	h.mu.Unlock()
	results = runChecks(ctx, names, checks)
	ok = h.ready.Load()
	for _, r := range results {
		ok = ok && r.OK
	}
	return results, ok
}

func runChecks(ctx context.Context, names []string, checks []Check) []Result {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	results := make([]Result, len(names))
	var wg sync.WaitGroup
	for i := range names {
		wg.Go(func() {
			results[i] = Result{Name: names[i], OK: true}
			var w *Warning
			if err := checks[i](ctx); errors.As(err, &w) {
				results[i].Warning = w.Error()
			} else if err != nil {
				results[i].OK, results[i].Err = false, err.Error()
			}
		})
	}
	wg.Wait()
	return results
}
