// Package e2e tests the built programs together, as processes.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/audit"
	"github.com/logmill/logmill/compose/e2e/internal/load"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/testkit"
)

// setting reads a number from the environment.
func setting(t testing.TB, name string, fallback int) int {
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// TestChaos kills processes of every kind with kill -9 under load (KILLS, SEED) and then counts: acknowledged ⊆ stored ⊆ sent, each
// line once, windows and logs.enriched equal to what is stored.
func TestChaos(t *testing.T) {
	kills, seed := setting(t, "KILLS", 6), setting(t, "SEED", 1)
	s := stack.New(t, 3)
	s.Services(2, stack.Processor)
	report := chaos(t, s, kills, uint64(seed), killers(s))
	t.Logf("seed %d, %d kills: %s", seed, kills, report)
	require.True(t, report.OK(), report.String())
	require.NotZero(t, report.Acked)
}

// TestChaosOfTheDevelopmentBroker kills the embedded broker too, which forgets its producers each time: what librdkafka then sends again lies
// on logs.raw twice, and must be stored once. The broker is one behind a slow network, so that it often dies between writing and answering.
func TestChaosOfTheDevelopmentBroker(t *testing.T) {
	kills, seed := max(12, setting(t, "KILLS", 12)), setting(t, "SEED", 1) // fewer may miss what this is about
	s := stack.NewOn(t, program(t, "./compose/e2e/cmd/slowbroker"))
	s.Services(2, stack.Processor)
	report := chaos(t, s, kills, uint64(seed), brokerKillers(s))
	t.Logf("seed %d, %d kills: %s", seed, kills, report)
	require.True(t, report.OK(), report.String())
	require.NotZero(t, report.Acked)
	require.NotZero(t, report.Repeated, "nothing was written twice: this run has shown nothing")
}

// TestRepeatedRequests: clients send each request again under the same Idempotency-Key, to either of two collectors, until it is answered, while
// collectors, processors and the broker are killed. Every line is there, once.
func TestRepeatedRequests(t *testing.T) {
	kills, seed := setting(t, "KILLS", 6), setting(t, "SEED", 1)
	s := stack.NewOn(t, program(t, "./compose/e2e/cmd/slowbroker"))
	s.Services(2, stack.Processor)
	report := repeating(t, s, kills, uint64(seed))
	t.Logf("seed %d, %d kills: %s", seed, kills, report)
	require.True(t, report.OK(), report.String())
	require.Equal(t, report.Sent, report.Acked, "a client gave up")
	require.Equal(t, report.Sent, report.Stored)
	require.NotZero(t, report.RepeatedRequests, "no request was sent twice: this run has shown nothing")
}

func repeating(t *testing.T, s *stack.Stack, kills int, seed uint64) audit.Report {
	t.Helper()
	s.Collector("collector-2")
	kinds := brokerKillers(s)
	kinds["collector-2"] = restarter(s, "collector-2")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := load.StartRepeating(ctx, []string{s.URL("collector") + "/api/logs", s.URL("collector-2") + "/api/logs"}, 6, seed)
	return chaosUnder(t, s, l, cancel, kills, seed, kinds)
}

// brokerKillers are those of all processes around the embedded broker, and its own, which is hit most often.
func brokerKillers(s *stack.Stack) map[string]killer {
	out := killers(s)
	var one sync.Mutex
	for _, name := range []string{"kafka", "kafka again", "kafka once more"} {
		out[name] = func(down time.Duration) error {
			one.Lock()
			defer one.Unlock()
			if err := s.Kill("kafka"); err != nil {
				return err
			}
			pause(down / 4)
			return s.Restart("kafka")
		}
	}
	return out
}

// chaos runs load and kills side by side, waits until all is stored, and audits.
func chaos(t *testing.T, s *stack.Stack, kills int, seed uint64, kinds map[string]killer) audit.Report {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return chaosUnder(t, s, load.Start(ctx, s.URL("collector")+"/api/logs", 3, seed), cancel, kills, seed, kinds)
}

// chaosUnder is chaos under a load that stop ends.
func chaosUnder(t *testing.T, s *stack.Stack, l *load.Load, stop func(), kills int, seed uint64, kinds map[string]killer) audit.Report {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 7))
	names := sorted(kinds)
	done := map[string]int{}
	var wg sync.WaitGroup
	busy := map[string]*sync.Mutex{}
	for _, n := range names {
		busy[n] = &sync.Mutex{}
	}
	for range kills {
		pause(time.Duration(300+rng.IntN(1700)) * time.Millisecond)
		name, down := names[rng.IntN(len(names))], time.Duration(rng.IntN(1500))*time.Millisecond
		done[name]++
		busy[name].Lock()
		wg.Go(func() {
			defer busy[name].Unlock()
			if err := kinds[name](down); err != nil {
				t.Errorf("killing %s: %v", name, err)
			}
		})
	}
	wg.Wait()
	pause(2 * time.Second)
	stop()
	sent := l.Wait()
	t.Logf("kills by kind: %v", done)
	return settle(t, s, sent)
}

// settle waits until everything is stored, and audits.
func settle(t *testing.T, s *stack.Stack, sent map[string]bool) audit.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	pause(3 * time.Second) // messages whose senders have given up may still be on their way
	require.NoError(t, audit.AwaitStored(ctx, s.MySQL, s.Kafka))
	pause(time.Second) // the last block is published after it is stored
	report, err := audit.Run(ctx, s.MySQL, s.Kafka, sent)
	require.NoError(t, err)
	return report
}

// killer kills something, leaves it down for a while, and starts it again.
type killer func(down time.Duration) error

func killers(s *stack.Stack) map[string]killer {
	out := map[string]killer{
		"mysqld": func(down time.Duration) error {
			if err := s.KillMySQL(); err != nil {
				return err
			}
			pause(down)
			return s.StartMySQL()
		},
	}
	for _, name := range []string{"collector", "processor-1", "processor-2", "alert-evaluator"} {
		out[name] = restarter(s, name)
	}
	var one sync.Mutex // two of three nodes down is an outage, not a failover
	for n := range s.Nodes() {
		out[fmt.Sprintf("kafka-%d", n+1)] = func(down time.Duration) error {
			one.Lock()
			defer one.Unlock()
			if err := s.KillNode(n + 1); err != nil {
				return err
			}
			pause(down)
			return s.StartNode(n + 1)
		}
	}
	return out
}

func restarter(s *stack.Stack, name string) killer {
	return func(down time.Duration) error {
		if err := s.Kill(name); err != nil {
			return err
		}
		pause(down)
		return s.Restart(name)
	}
}

func sorted(m map[string]killer) []string {
	var out []string
	for n := range m {
		out = append(out, n)
	}
	for i := range out {
		for j := i + 1; j < len(out); j++ {
			if out[j] < out[i] {
				out[i], out[j] = out[j], out[i]
			}
		}
	}
	return out
}

func pause(d time.Duration) { <-time.After(d) }

// TestMutants shows that the audit can fail: a processor without its fence, and one that publishes before it commits, must be
// found out. It takes minutes: MUTANTS=1 asks for it (make test-chaos-mutants).
func TestMutants(t *testing.T) {
	if os.Getenv("MUTANTS") == "" {
		t.Skip("MUTANTS=1 asks for it: make test-chaos-mutants")
	}
	t.Run("no fence", func(t *testing.T) {
		s := stack.New(t, 0)
		s.Services(2, mutant(t, "mutant_nofence"))
		var one sync.Mutex // one at a time: the other must be there to take over
		zombie := func(name string) killer {
			return func(time.Duration) error { // longer than the group's session: the other takes over, then this one goes on
				one.Lock()
				defer one.Unlock()
				if err := s.Signal(name, syscall.SIGSTOP); err != nil {
					return err
				}
				pause(14 * time.Second)
				err := s.Signal(name, syscall.SIGCONT)
				pause(4 * time.Second)
				return err
			}
		}
		report := chaos(t, s, 10, 3, map[string]killer{"processor-1": zombie("processor-1"), "processor-2": zombie("processor-2")})
		t.Log(report)
		require.False(t, report.OK(), "a processor without a fence was not found out")
	})
	t.Run("no memory of producers", func(t *testing.T) {
		s := stack.NewOn(t, program(t, "./compose/e2e/cmd/slowbroker"))
		s.Services(2, mutant(t, "mutant_repeats"))
		report := chaos(t, s, 20, 5, map[string]killer{"kafka": brokerKillers(s)["kafka"]})
		t.Log(report)
		require.NotEmpty(t, report.Double, "a processor that stores what comes twice was not found out")
	})
	t.Run("no memory of requests", func(t *testing.T) {
		s := stack.NewOn(t, program(t, "./compose/e2e/cmd/slowbroker"))
		s.Services(2, mutant(t, "mutant_repeats"))
		report := repeating(t, s, 6, 6)
		t.Log(report)
		require.NotEmpty(t, report.Double, "a processor that stores what is sent twice was not found out")
	})
	t.Run("publishes first", func(t *testing.T) {
		s := stack.New(t, 0)
		s.Set("COMPACTION_AFTER", "0") // the blocks as they were made are compared
		s.Services(2, mutant(t, "mutant_publishfirst"))
		report := chaos(t, s, 4, 4, dieInCommit(s))
		t.Log(report)
		require.NotEmpty(t, report.Problems, "a processor that publishes before it commits was not found out")
	})
	t.Run("no memory of windows", func(t *testing.T) {
		s := stack.New(t, 0)
		s.Services(2, mutant(t, "mutant_forgetful"))
		report := chaos(t, s, 4, 4, dieInCommit(s))
		t.Log(report)
		require.NotEmpty(t, report.Problems, "a processor that writes a window without what was counted before was not found out")
	})
	t.Run("none", func(t *testing.T) { // the same kills show nothing when there is nothing to be shown
		s := stack.New(t, 0)
		s.Set("COMPACTION_AFTER", "0")
		s.Services(2, stack.Processor)
		report := chaos(t, s, 4, 4, dieInCommit(s))
		t.Log(report)
		require.True(t, report.OK(), report.String())
	})
}

// dieInCommit kills processors while they wait for MySQL's answer: mysqld stands still meanwhile.
func dieInCommit(s *stack.Stack) map[string]killer {
	var one sync.Mutex
	out := map[string]killer{}
	for _, name := range []string{"processor-1", "processor-2"} {
		out[name] = func(time.Duration) error {
			one.Lock()
			defer one.Unlock()
			pid, err := s.MySQLPid()
			if err != nil {
				return err
			}
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				return err
			}
			pause(time.Second) // a round, and what a processor does before it commits
			err = errors.Join(s.Kill(name), syscall.Kill(pid, syscall.SIGCONT), s.Restart(name))
			pause(14 * time.Second) // until the group has missed the dead one: before, the new one has no partition
			return err
		}
	}
	return out
}

// mutant builds a processor with a fault in it.
func mutant(t *testing.T, tag string) string {
	t.Helper()
	return program(t, "./services/processor/cmd/processor", "-tags", tag)
}

// program builds a program that is not among the products.
func program(t *testing.T, pkg string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(pkg))
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, pkg)...)
	cmd.Dir = testkit.Root(t)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}
