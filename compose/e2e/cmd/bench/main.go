// Command bench measures the whole pipeline as `make run` runs it: lines a second, CPU and memory of each process, bytes at rest.
//
//	LINES=1000000   lines to send      PROFILE_SECONDS=0   > 0: a CPU profile of each Go service under .local/bench
//
// It ends when all blocks are merged; what the processes used until the last line was stored and what merging took behind it are told
// apart. What they use when nothing comes (heartbeats), measured before the first line, is taken off the second.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/logmill/logmill/compose/e2e/internal/rig"
)

const (
	portBase = 31090
	idle     = 10 * time.Second
)

// Targets of the pipeline.
const (
	targetCPU  = 5.0  // s a million lines, merging included
	targetRest = 39.0 // bytes a line
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	lines := rig.Number("LINES", 1_000_000)
	home := filepath.Join(".local", "bench")
	if err := errors.Join(rig.Root(), rig.Empty(home)); err != nil {
		return err
	}
	r, err := rig.Start(home, rig.PortsFrom(portBase), rig.Merging)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	quiet, before, err := nothing(r)
	if err != nil {
		return err
	}
	if s := rig.Number("PROFILE_SECONDS", 0); s > 0 {
		go profiles(home, r.Ports, s)
	}
	load, began := rig.Load(), time.Now()
	sent, err := r.Feed(lines)
	if err != nil {
		return err
	}
	if err := r.AwaitStored(sent.Acked); err != nil {
		return err
	}
	took := time.Since(began)
	if err := r.AwaitWindows(); err != nil {
		return err
	}
	stored, err := r.Usage()
	if err != nil {
		return err
	}
	merged, err := merge(r, quiet)
	if err != nil {
		return err
	}
	fmt.Printf("%d lines: accepted at %.0f lines/s (p99 %.0f ms), stored at %.0f lines/s; load before %.1f, after %.1f\n\n", sent.Acked, sent.Rate, sent.P99,
		float64(sent.Acked)/took.Seconds(), load, rig.Load())
	total := table(before, stored, merged, float64(sent.Acked)/1e6)
	return rest(r, sent.Acked, total)
}

// nothing measures what each process uses while nothing comes, s a second, and what it has used by now.
func nothing(r *rig.Rig) (quiet map[string]float64, now map[string]rig.Use, err error) {
	before, err := r.Usage()
	if err != nil {
		return nil, nil, err
	}
	time.Sleep(idle)
	now, err = r.Usage()
	quiet = map[string]float64{}
	for name, use := range now {
		quiet[name] = (use.CPU - before[name].CPU) / idle.Seconds()
	}
	return quiet, now, err
}

// merge waits for the end of merging and returns what processes would have used by then, had they only ingested and merged.
func merge(r *rig.Rig, quiet map[string]float64) (map[string]rig.Use, error) {
	began := time.Now()
	if err := r.AwaitMerged(); err != nil {
		return nil, err
	}
	merged, err := r.Usage()
	for name, use := range merged {
		use.CPU -= quiet[name] * time.Since(began).Seconds()
		merged[name] = use
	}
	return merged, err
}

// table prints what each process used, and returns the sum, s a million lines.
func table(before, stored, merged map[string]rig.Use, millions float64) (total float64) {
	names := make([]string, 0, len(merged))
	for n := range merged {
		names = append(names, n)
	}
	slices.Sort(names)
	fmt.Printf("CPU-s a million lines %12s %10s %10s\n", "until stored", "merging", "peak MB")
	ingest := 0.0
	for _, n := range names {
		a, b := (stored[n].CPU-before[n].CPU)/millions, (merged[n].CPU-stored[n].CPU)/millions
		ingest, total = ingest+a, total+a+b
		fmt.Printf("  %-18s %13.2f %10.2f %10d\n", n, a, b, merged[n].Peak)
	}
	fmt.Printf("  %-18s %13.2f %10.2f\n\n", "all", ingest, total-ingest)
	return total
}

// rest prints what a line takes, in MySQL and on the topics, and whether the targets hold.
func rest(r *rig.Rig, lines int, cpu float64) error {
	if err := r.Rebuild(); err != nil {
		return err
	}
	at, err := r.AtRest(lines)
	if err != nil {
		return err
	}
	fmt.Println(at)
	fmt.Printf("the development broker's files, bytes a line: %.1f\n", float64(rig.Size(filepath.Join(r.Home, "kafka-dev")))/float64(lines))
	fmt.Printf("target %.1f CPU-s a million lines: %.2f, %s; target %.0f bytes a line: %.1f, %s\n", targetCPU, cpu, holds(cpu <= targetCPU), targetRest, at.Files, holds(at.Files <= targetRest))
	return nil
}

func holds(yes bool) string {
	if yes {
		return "holds"
	}
	return "does not hold"
}

func profiles(home string, p rig.Ports, seconds int) {
	for name, port := range map[string]int{"collector": p.Collector, "processor": p.Processor, "alert-evaluator": p.Evaluator} {
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
