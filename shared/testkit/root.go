// Package testkit gives tests real servers: a fresh, migrated MySQL database each, an embedded broker, a real Kafka.
package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Root is the repository's root: the folder with go.work above the test's own.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("finding the repository: %v", err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	t.Fatal("no go.work above the test: the scripts that start test servers are found from it")
	return ""
}

// missing ends a test that lacks something this machine could have: loudly on a laptop, as a failure in CI.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("DID NOT RUN: "+format, args...)
	}
	t.Skipf("DID NOT RUN: "+format, args...)
}

// Loghub is the folder with the real logs (github.com/logpai/loghub), which are not part of the repository. LOGMILL_TEST_DATA
// names it; it is looked for beside the repository otherwise. A test without it is skipped, in CI too: it cannot be fetched.
func Loghub(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LOGMILL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared", "data")
	}
	dir = filepath.Join(dir, "loghub")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("DID NOT RUN: the real logs are not here (LOGMILL_TEST_DATA): %v", err)
	}
	return dir
}
