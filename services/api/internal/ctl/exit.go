package ctl

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

// Exit codes. Scripts rely on them.
const (
	exitOK      = 0
	exitNo      = 1   // the answer is no: mistakes in rules, failed tests, differences, a change that is not ours to make
	exitUsage   = 2   // flags, arguments, files that cannot be read or written
	exitRefused = 3   // the api says that the request is wrong, that the thing is not there, or that somebody was faster
	exitAway    = 4   // the api does not answer, not in time, or has an error of its own
	exitPartial = 5   // the output is not complete, and standard error says why
	exitStopped = 130 // Ctrl-C
)

var (
	errSaid    = errors.New("said") // all has been said: only the exit code is left
	errNo      = errors.Join(errSaid, errors.New("no"))
	errPartial = errors.Join(errSaid, errors.New("partial"))
)

func exitCode(ctx context.Context, err error) int {
	var problem *client.Problem
	var away *client.Unreachable
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitStopped
	case errors.Is(err, errNo):
		return exitNo
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.As(err, &problem) && problem.Status < http.StatusInternalServerError && problem.Status != http.StatusTooManyRequests:
		return exitRefused
	case errors.As(err, &problem), errors.As(err, &away):
		return exitAway
	}
	return exitUsage
}

func exitHelp() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: `Exit codes:

  0    done
  1    the answer is no: mistakes in rules, failed tests, differences (rules diff), a rule that belongs to another team
  2    wrong flags or arguments, or a file that cannot be read or written
  3    the api refused: the request is wrong (400), the thing is not there (404), somebody was faster (409, 412), no right to (401, 403)
  4    the api does not answer, or not in time, or has trouble of its own (429, 5xx)
  5    the output is not complete; standard error says why
  130  stopped by Ctrl-C`}
}

func timesHelp() *cobra.Command {
	return &cobra.Command{Use: "times", Short: "How moments and durations are written", Long: `Moments (--start, --end, --until):

  2026-01-31T12:00:00Z        RFC 3339
  1700000000, 1700000000123   Unix time; seconds, ms, µs and ns are told apart by their size
  now, now-15m, now+2h        relative to the api's clock
  15m                         that long ago

Durations: 30s, 5m, 1h30m, 2d.`}
}
