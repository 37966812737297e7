package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// said collects what the supervisor says.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.Join(s.lines, "\n"), text)
}

func home(t *testing.T) (*Home, *said) {
	t.Helper()
	s := &said{}
	h, err := New(t.TempDir(), s.say)
	require.NoError(t, err)
	return h, s
}

func shell(name, script string) Child {
	return Child{Name: name, Path: "/bin/sh", Args: []string{"-c", script}}
}

func TestADeadChildIsStartedAgainAndSaidSo(t *testing.T) {
	t.Parallel()
	h, s := home(t)
	require.NoError(t, h.Start(context.Background(), shell("a", "exec sleep 100")))
	var first int // the shell becomes sleep a moment after its start
	require.Eventually(t, func() bool { first = h.Running("a", "sleep"); return first != 0 }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	require.Eventually(t, func() bool { p := h.Running("a", "sleep"); return p != 0 && p != first }, 10*time.Second, 20*time.Millisecond)
	require.True(t, s.has("a ended (signal: killed): started again"))
	h.Stop()
	require.Zero(t, h.Running("a", "sleep"))
}

func TestStopEndsInReverseAndKillsStragglers(t *testing.T) {
	t.Parallel()
	h, s := home(t)
	order := h.Dir + "/order"
	require.NoError(t, h.Start(context.Background(), shell("first", "trap 'echo first >>"+order+"; exit' TERM; while :; do sleep 0.05; done")))
	require.NoError(t, h.Start(context.Background(), shell("second", "trap 'echo second >>"+order+"; exit' TERM; while :; do sleep 0.05; done")))
	require.NoError(t, h.Start(context.Background(), shell("stubborn", "trap '' TERM; while :; do sleep 0.05; done")))
	require.Eventually(t, func() bool { return exec.Command("pgrep", "-P", strconv.Itoa(h.Running("second", "sh"))).Run() == nil }, 5*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool {
		return exec.Command("pgrep", "-P", strconv.Itoa(h.Running("stubborn", "sh"))).Run() == nil
	}, 5*time.Second, 10*time.Millisecond)
	h.Stop()
	got, err := os.ReadFile(order)
	require.NoError(t, err)
	require.Equal(t, "second\nfirst\n", string(got))
	require.True(t, s.has("stubborn does not end and is killed"))
}

func TestAChildThatEndsAtItsStartShowsItsLog(t *testing.T) {
	t.Parallel()
	h, _ := home(t)
	c := shell("bad", "echo port is taken >&2; exit 3")
	c.Ready = func(context.Context) error { return errors.New("not yet") }
	err := h.Start(context.Background(), c)
	require.ErrorContains(t, err, "port is taken")
	h.Stop()
}

func TestLeftoversAreEndedAndStrangersAreNot(t *testing.T) {
	t.Parallel()
	h, s := home(t)
	ours, stranger := exec.Command("sleep", "101"), exec.Command("sleep", "102")
	require.NoError(t, ours.Start())
	require.NoError(t, stranger.Start())
	t.Cleanup(func() { _ = stranger.Process.Kill() })
	for name, p := range map[string]*exec.Cmd{"ours": ours, "stranger": stranger} {
		require.NoError(t, os.WriteFile(h.PidFile(name), []byte(strconv.Itoa(p.Process.Pid)), 0o600))
	}
	go func() { _ = ours.Wait() }()
	require.NoError(t, h.Leftovers("101"))
	require.True(t, s.has("ours was left running"))
	require.NoError(t, syscall.Kill(stranger.Process.Pid, 0), "a pid that is somebody else's now must live")
}
