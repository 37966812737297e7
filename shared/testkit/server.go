package testkit

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// servers asks compose/local/test-servers.sh for one of the machine's test servers, which it starts when needed and which all
// test packages share; `test-servers.sh down` ends them. The answer is KEY=VALUE lines.
func servers(t testing.TB, which string) map[string]string {
	t.Helper()
	startedMu.Lock()
	defer startedMu.Unlock()
	if env, ok := started[which]; ok {
		return env
	}
	script := filepath.Join(Root(t), "compose", "local", "test-servers.sh")
	cmd := exec.Command("bash", script, "up", which)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = os.Environ()
	out, err := cmd.Output()
	if err != nil {
		missing(t, "a real %s could not be started: %v\n%s", which, err, stderr.String())
	}
	env := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if k, v, ok := strings.Cut(lines.Text(), "="); ok {
			env[k] = v
		}
	}
	started[which] = env
	return env
}

// Alertmanager is the path of Debian's Alertmanager, which is fetched when it is not there yet. The test runs it itself.
func Alertmanager(t testing.TB) string {
	t.Helper()
	return servers(t, "alertmanager")["PROGRAM"]
}

// Prometheus is the path of Debian's Prometheus, likewise.
func Prometheus(t testing.TB) string {
	t.Helper()
	return servers(t, "prometheus")["PROGRAM"]
}

var (
	startedMu sync.Mutex
	started   = map[string]map[string]string{}
)
