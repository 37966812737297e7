// Package rig runs what `make run` runs, in a home of its own, for benchmarks: started, fed with the bench corpus, measured, stopped.
package rig

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver
)

// Ports of a rig: the first, and five behind it.
type Ports struct{ Kafka, MySQL, Collector, API, Processor, Evaluator int }

// PortsFrom gives the six behind base.
func PortsFrom(base int) Ports {
	return Ports{base + 1, base + 2, base + 3, base + 4, base + 5, base + 6}
}

// Rig is a running stack.
type Rig struct {
	Home  string
	Ports Ports
	DB    *sql.DB
	cmd   *exec.Cmd
}

const (
	startTimeout  = 5 * time.Minute // MySQL is fetched the first time
	settleTime    = 2 * time.Second
	storedTimeout = 10 * time.Minute
	mergedTimeout = 10 * time.Minute
	mergedQuiet   = 15 * time.Second // no change for so long: neighbours that come slowly are waited for ten seconds, with a look each five
	mergedSmall   = 6                // small blocks of a partition that may stay: the two newest, and fewer than are worth a step
	mergedBusy    = time.Minute      // no change for so long although there is more to do: a step on a busy machine, and fifteen times as much rest
)

// Merging is the environment that makes the processor merge blocks at once.
const Merging = "COMPACTION_AFTER=1s"

// Number is a whole number of the environment.
func Number(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

// Root makes the repository's root the working directory: benchmarks are run in compose/e2e.
func Root() error { return os.Chdir("../..") }

// Empty empties a home but for what is installed in it.
func Empty(home string) error {
	for _, d := range []string{"kafka-dev", "mysql/data", "mysql/.init", "log"} {
		if err := os.RemoveAll(filepath.Join(home, d)); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(home, "mysql"), 0o755)
}

// Start starts everything but a generator, and returns when the api is ready. It runs in the repository's root.
func Start(home string, p Ports, env ...string) (*Rig, error) {
	cmd := exec.Command(".local/bin/logmill-local")
	env = append([]string{"LOGMILL_HOME=" + home, "GENERATOR_RATE=0", "LOG_LEVEL=warn"}, env...)
	for name, port := range map[string]int{"KAFKA_PORT": p.Kafka, "MYSQL_PORT": p.MySQL, "COLLECTOR_PORT": p.Collector, "API_PORT": p.API, "PROCESSOR_PORT": p.Processor, "ALERT_EVALUATOR_PORT": p.Evaluator} {
		env = append(env, fmt.Sprintf("%s=%d", name, port))
	}
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &Rig{Home: home, Ports: p, cmd: cmd}
	if err := AwaitReady(p.API, startTimeout); err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	time.Sleep(settleTime)
	var err error
	r.DB, err = sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/logmill", p.MySQL))
	return r, err
}

// Stop ends it; data stay.
func (r *Rig) Stop() error {
	var err error
	if r.DB != nil {
		err = r.DB.Close()
	}
	if err := errors.Join(err, r.cmd.Process.Signal(syscall.SIGTERM)); err != nil {
		return err
	}
	return r.cmd.Wait()
}

// AwaitReady waits until a service says that it is ready.
func AwaitReady(port int, timeout time.Duration) error {
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", port)); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("nothing was ready on port %d within %s", port, timeout)
}

// Sent is what came of Feed.
type Sent struct {
	Acked int     `json:"acked"`
	Rate  float64 `json:"lines_per_second"`
	P99   float64 `json:"latency_p99_ms"`
}

// Feed sends lines of the bench corpus as fast as they are taken.
func (r *Rig) Feed(lines int, args ...string) (sent Sent, err error) {
	args = append([]string{"--url", fmt.Sprintf("http://127.0.0.1:%d/api/logs", r.Ports.Collector), "--profile", "bench",
		"--lines", strconv.Itoa(lines), "--batch", "1000", "--concurrency", "6"}, args...)
	out, err := exec.Command(".local/bin/loggen", args...).Output()
	if err != nil {
		return sent, fmt.Errorf("sending: %w", err)
	}
	return sent, json.Unmarshal(out, &sent)
}

// AwaitStored waits until so many lines are stored.
func (r *Rig) AwaitStored(lines int) error {
	ctx, cancel := context.WithTimeout(context.Background(), storedTimeout)
	defer cancel()
	for {
		var n sql.NullInt64
		if err := r.DB.QueryRowContext(ctx, "SELECT SUM(row_count) FROM block WHERE retired_seq IS NULL").Scan(&n); err != nil {
			return err
		}
		if n.Int64 >= int64(lines) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// AwaitWindows waits until the windows have all lines that are stored.
func (r *Rig) AwaitWindows() error {
	for deadline := time.Now().Add(storedTimeout); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		var behind int
		if err := r.DB.QueryRow("SELECT COUNT(*) FROM partition_progress WHERE windows_through < next_offset").Scan(&behind); err != nil {
			return err
		}
		if behind == 0 {
			return nil
		}
	}
	return errors.New("windows are still being written")
}

// AwaitMerged waits until the processor has merged what there is to merge. It needs Merging.
func (r *Rig) AwaitMerged() error {
	last, since := int64(-1), time.Now()
	for deadline := time.Now().Add(mergedTimeout); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		var seq int64
		// Blocks are merged when the windows have their lines.
		if err := r.DB.QueryRow("SELECT COALESCE(SUM(change_seq + windows_through), 0) FROM partition_progress").Scan(&seq); err != nil {
			return err
		}
		if seq != last {
			last, since = seq, time.Now()
			continue
		}
		var most int
		err := r.DB.QueryRow(`SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) n FROM block WHERE retired_seq IS NULL AND row_count < 49152 GROUP BY stream_id, part) small`).Scan(&most)
		if err != nil {
			return err
		}
		if quiet := time.Since(since); quiet >= mergedBusy || quiet >= mergedQuiet && most <= mergedSmall {
			return nil
		}
	}
	return errors.New("blocks are still being merged")
}
