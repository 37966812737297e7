package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Running is the pid in a pid file when that process lives and its command line contains word, else 0: pids are used again.
func (h *Home) Running(name, word string) int {
	b, err := os.ReadFile(h.PidFile(name))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || syscall.Kill(pid, 0) != nil {
		return 0
	}
	if cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && !strings.Contains(string(cmdline), word) {
		return 0
	}
	return pid
}

// Leftovers ends what an earlier supervisor left behind when it was killed: every process that a pid file names and that runs
// one of our binaries (their paths contain word).
func (h *Home) Leftovers(word string) error {
	files, err := filepath.Glob(h.PidFile("*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".pid")
		if pid := h.Running(name, word); pid != 0 && pid != os.Getpid() {
			h.Say("%s was left running (pid %d) and is stopped", name, pid)
			end(pid)
		}
		if err := os.Remove(f); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return nil
}

// end stops a process that is not our child.
func end(pid int) {
	_ = syscall.Kill(pid, syscall.SIGTERM)
	for deadline := time.Now().Add(stopTimeout); time.Now().Before(deadline); time.Sleep(readyEvery) {
		if syscall.Kill(pid, 0) != nil {
			return
		}
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}
