// Command bench measures the whole pipeline as `make run` runs it: lines a second, CPU and memory of each process, bytes at rest.
//
//	LINES=1000000   lines to send      PROFILE_SECONDS=0   > 0: a CPU profile of each Go service under .local/bench
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

// Ports of the bench's own stack.
const (
	kafkaPort, mysqlPort, collectorPort, apiPort, processorPort, evaluatorPort = 31092, 31306, 31318, 31080, 31082, 31083
	clockTicks                                                                 = 100 // a second, of /proc/PID/stat
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	lines := number("LINES", 1_000_000)
	home := filepath.Join(".local", "bench")
	if err := os.Chdir("../.."); err != nil {
		return err
	}
	if err := prepare(home); err != nil {
		return err
	}
	stop, err := start(home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	before, err := usage(home)
	if err != nil {
		return err
	}
	if s := number("PROFILE_SECONDS", 0); s > 0 {
		go profiles(home, s)
	}
	began := time.Now()
	out, err := exec.Command(".local/bin/loggen", "--url", fmt.Sprintf("http://127.0.0.1:%d/api/logs", collectorPort), "--profile", "bench",
		"--lines", strconv.Itoa(lines), "--batch", "1000", "--concurrency", "6").Output()
	if err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	var sent struct {
		Acked int     `json:"acked"`
		Rate  float64 `json:"lines_per_second"`
		P99   float64 `json:"latency_p99_ms"`
	}
	if err := json.Unmarshal(out, &sent); err != nil {
		return err
	}
	if err := awaitStored(sent.Acked); err != nil {
		return err
	}
	took := time.Since(began)
	time.Sleep(3 * time.Second) // the last windows are written
	after, err := usage(home)
	if err != nil {
		return err
	}
	fmt.Printf("%d lines: accepted at %.0f lines/s (p99 %.0f ms), stored at %.0f lines/s\n\n", sent.Acked, sent.Rate, sent.P99, float64(sent.Acked)/took.Seconds())
	table(before, after, float64(sent.Acked)/1e6)
	return rest(home, sent.Acked)
}

func number(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

// prepare empties the bench's home but for what is installed in it.
func prepare(home string) error {
	for _, d := range []string{"kafka-dev", "mysql/data", "mysql/.init", "log"} {
		if err := os.RemoveAll(filepath.Join(home, d)); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(home, "mysql"), 0o755)
}

func start(home string) (stop func() error, err error) {
	cmd := exec.Command(".local/bin/logmill-local")
	env := []string{"LOGMILL_HOME=" + home, "GENERATOR_RATE=0", "LOG_LEVEL=warn"}
	for name, port := range map[string]int{"KAFKA_PORT": kafkaPort, "MYSQL_PORT": mysqlPort, "COLLECTOR_PORT": collectorPort, "API_PORT": apiPort, "PROCESSOR_PORT": processorPort, "ALERT_EVALUATOR_PORT": evaluatorPort} {
		env = append(env, fmt.Sprintf("%s=%d", name, port))
	}
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		return cmd.Wait()
	}
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", apiPort)); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				time.Sleep(2 * time.Second) // everybody has settled
				return stop, nil
			}
		}
	}
	return nil, errors.Join(errors.New("the stack did not start"), stop())
}

// use is what one process has used.
type use struct {
	cpu  float64 // s, user and system
	peak int     // MB
}

func usage(home string) (map[string]use, error) {
	files, err := filepath.Glob(filepath.Join(home, "run", "*.pid"))
	if err != nil {
		return nil, err
	}
	out := map[string]use{}
	for _, f := range files {
		pid, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		stat, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "stat"))
		if err != nil {
			continue // ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		user, _ := strconv.ParseFloat(fields[11], 64) // utime, stime: fields 14 and 15 of proc(5)
		system, _ := strconv.ParseFloat(fields[12], 64)
		out[strings.TrimSuffix(filepath.Base(f), ".pid")] = use{(user + system) / clockTicks, peak(strings.TrimSpace(string(pid)))}
	}
	return out, nil
}

func peak(pid string) int {
	status, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int
	_, _ = fmt.Sscan(rest, &kb)
	return kb >> 10
}

func table(before, after map[string]use, millions float64) {
	names := make([]string, 0, len(after))
	for n := range after {
		names = append(names, n)
	}
	slices.Sort(names)
	total := 0.0
	fmt.Printf("%-18s %22s %10s\n", "process", "CPU-s a million lines", "peak MB")
	for _, n := range names {
		cpu := (after[n].cpu - before[n].cpu) / millions
		total += cpu
		fmt.Printf("%-18s %22.2f %10d\n", n, cpu, after[n].peak)
	}
	fmt.Printf("%-18s %22.2f\n\n", "all", total)
}

func database() (*sql.DB, error) {
	return sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/logmill", mysqlPort))
}

func awaitStored(lines int) error {
	db, err := database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for {
		var n sql.NullInt64
		if err := db.QueryRowContext(ctx, "SELECT SUM(row_count) FROM block WHERE retired_seq IS NULL").Scan(&n); err != nil {
			return err
		}
		if n.Int64 >= int64(lines) {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// rest prints what a line takes, in MySQL and on the topics.
func rest(home string, lines int) error {
	db, err := database()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	for _, q := range []struct{ what, sql string }{
		{"blocks", "SELECT SUM(byte_count) FROM block WHERE retired_seq IS NULL"},
		{"filters", "SELECT SUM(filter_bytes) FROM block WHERE retired_seq IS NULL"},
		{"rows a block", "SELECT SUM(row_count) * ? / COUNT(*) FROM block WHERE retired_seq IS NULL"},
	} {
		var n float64
		args := []any{}
		if strings.Contains(q.sql, "?") {
			args = append(args, lines)
		}
		if err := db.QueryRow(q.sql, args...).Scan(&n); err != nil {
			return err
		}
		fmt.Printf("%-32s %8.1f\n", q.what+map[bool]string{true: "", false: ", bytes a line"}[len(args) > 0], n/float64(lines))
	}
	for name, dir := range map[string]string{"MySQL's files": filepath.Join(home, "mysql", "data", "logmill"), "the development broker's files": filepath.Join(home, "kafka-dev")} {
		fmt.Printf("%-32s %8.1f\n", name+", bytes a line", float64(size(dir))/float64(lines))
	}
	return nil
}

func size(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // what vanishes while it is counted counts nothing
	})
	return total
}

func profiles(home string, seconds int) {
	for name, port := range map[string]int{"collector": collectorPort, "processor": processorPort, "alert-evaluator": evaluatorPort} {
		go func() {
			resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", port, seconds))
			if err != nil {
				return
			}
			defer func() { _ = resp.Body.Close() }()
			if f, err := os.Create(filepath.Join(home, name+".pprof")); err == nil {
				_, _ = io.Copy(f, resp.Body)
				_ = f.Close()
			}
		}()
	}
}
