// Package app is the life of a program: start, run until a signal, stop in order.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/obs"
)

// Runner is a wired program. Run blocks until ctx ends and everything is drained, or until a fatal error.
type Runner interface {
	Run(ctx context.Context) error
}

// Main is the body of a program's main function: it loads cfg, builds the program, runs it until SIGINT or SIGTERM, and
// returns the exit code: 0 after a clean stop, 1 after a failure, 2 for bad settings. A second signal ends the process at once.
func Main[C any](service string, logOf func(C) config.Log, build func(ctx context.Context, cfg C, log zerolog.Logger) (Runner, error)) int {
	var cfg C
	if err := config.Load(&cfg); err != nil {
		fmt.Fprintf(os.Stderr, "%s: settings:\n%v\n", service, err)
		return 2
	}
	Ballast()
	log := obs.NewLogger(logOf(cfg), service)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // from the first signal on, the next one has its default effect
	if err := run(ctx, cfg, log, build); err != nil && (ctx.Err() == nil || !onlyCanceled(err)) {
		log.Error().Err(err).Msg("stopped by an error")
		return 1
	}
	log.Info().Msg("stopped")
	return 0
}

// onlyCanceled tells whether nothing but the cancellation is in err: a real failure joined to it must not pass for a clean stop.
func onlyCanceled(err error) bool {
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() []error }:
		for _, part := range e.Unwrap() {
			if !onlyCanceled(part) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		return onlyCanceled(e.Unwrap())
	}
	return err == context.Canceled //nolint:errorlint // a leaf
}

func run[C any](ctx context.Context, cfg C, log zerolog.Logger, build func(context.Context, C, zerolog.Logger) (Runner, error)) error {
	r, err := build(ctx, cfg, log)
	if err != nil {
		return fmt.Errorf("starting: %w", err)
	}
	return r.Run(ctx)
}

// Stack is a list of named clean-ups, run last in, first out. The zero value is ready.
type Stack struct {
	mu    sync.Mutex
	steps []step
}

type step struct {
	name    string
	timeout time.Duration
	fn      func(context.Context) error
}

// Push adds a clean-up that may take up to timeout.
func (s *Stack) Push(name string, timeout time.Duration, fn func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step{name, timeout, fn})
}

// Close runs all clean-ups, each once ever, and joins their errors. One that outstays its time is left behind and named.
func (s *Stack) Close() error {
	s.mu.Lock()
	steps := s.steps
	s.steps = nil
	s.mu.Unlock()
	var problems []error
	for i := len(steps) - 1; i >= 0; i-- {
		if err := steps[i].run(); err != nil {
			problems = append(problems, fmt.Errorf("stopping %s: %w", steps[i].name, err))
		}
	}
	return errors.Join(problems...)
}

func (s step) run() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.fn(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("not done after %s", s.timeout)
	}
}

// Retry calls f until it succeeds, ctx ends, or final says that its error will not go away; it waits from 200 ms to 5 s between.
// It logs the first failure and then every tenth.
func Retry(ctx context.Context, log zerolog.Logger, what string, final func(error) bool, f func(context.Context) error) error {
	wait := 200 * time.Millisecond
	for n := 0; ; n++ {
		err := f(ctx)
		if err == nil || final != nil && final(err) {
			return err
		}
		if ctx.Err() != nil { // whatever f says now, it was told to stop
			return ctx.Err()
		}
		if n%10 == 0 {
			log.Warn().Err(err).Int("attempt", n+1).Msg("waiting for " + what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(wait*2, 5*time.Second)
	}
}
