// Command bench-search measures how fast searches are answered: it feeds the bench corpus through the collector, as its users would, lets
// the processor merge the blocks, and asks an api over HTTP, just started (cold) and again and again (warm).
//
//	LINES=1000000   lines of the corpus, in the order of time over six hours
//	RUNS=41         warm answers a query, the first ten not counted      COLD=3   starts of an api a query
//	REUSE=          not empty: ask the corpus that an earlier run has left, when it is of as many lines
//	API_MEMORY_MB, …  settings of the api that is asked
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/logmill/logmill/compose/e2e/internal/rig"
)

const (
	portBase = 31190
	apiPort  = portBase + 9 // of the api that is asked; the rig has its own
	span     = 6 * time.Hour
)

// corpus is what was fed, kept beside the data.
type corpus struct {
	Lines int       `json:"lines"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Feed  feed      `json:"ingest"`
	Rest  rig.Rest  `json:"at_rest_bytes_a_line"`
}

// feed is what ingest and merging used.
type feed struct {
	Rate    float64            `json:"stored_lines_per_second"`
	CPU     map[string]float64 `json:"cpu_s_a_million"` // by process, windows of six hours and merging included
	Seconds float64            `json:"seconds_until_merged"`
	Load    float64            `json:"load"`
}

// report is everything, as JSON.
type report struct {
	Corpus  corpus     `json:"corpus"`
	Answers []answer   `json:"answers"`
	API     rig.Use    `json:"api"`
	Load    [2]float64 `json:"load"` // before and after the questions
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-search:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	if err := rig.Root(); err != nil {
		return err
	}
	home := filepath.Join(".local", "bench-search")
	lines := rig.Number("LINES", 1_000_000)
	c, again := left(home, lines)
	if !again {
		if err := rig.Empty(home); err != nil {
			return err
		}
	}
	r, err := rig.Start(home, rig.PortsFrom(portBase), rig.Merging)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Stop()) }()
	if !again {
		if c, err = load(r, lines); err != nil {
			return err
		}
	}
	out := report{Corpus: c}
	if err := ask(r, &out); err != nil {
		return err
	}
	out.print()
	return out.save(filepath.Join(home, "result.json"))
}

func corpusFile(home string) string { return filepath.Join(home, "corpus.json") }

// left is the corpus of an earlier run, when it may and can be asked again.
func left(home string, lines int) (c corpus, ok bool) {
	text, err := os.ReadFile(corpusFile(home))
	if os.Getenv("REUSE") == "" || err != nil || json.Unmarshal(text, &c) != nil {
		return corpus{}, false
	}
	return c, c.Lines == lines
}

// load feeds the corpus and waits until it lies as it will lie for years.
func load(r *rig.Rig, lines int) (c corpus, err error) {
	_ = os.Remove(corpusFile(r.Home)) // none, mostly
	before, err := r.Usage()
	if err != nil {
		return c, err
	}
	began := time.Now()
	c = corpus{Lines: lines, Start: began.Add(-span - time.Minute), Feed: feed{CPU: map[string]float64{}, Load: rig.Load()}}
	sent, err := r.Feed(lines, "--span", span.String())
	if err != nil {
		return c, err
	}
	c.End = time.Now().Add(time.Minute)
	if sent.Acked != lines {
		return c, fmt.Errorf("%d of %d lines were accepted", sent.Acked, lines)
	}
	if err := r.AwaitStored(lines); err != nil {
		return c, err
	}
	c.Feed.Rate = float64(lines) / time.Since(began).Seconds()
	if err := r.AwaitMerged(); err != nil {
		return c, err
	}
	c.Feed.Seconds = time.Since(began).Seconds()
	after, err := r.Usage()
	if err != nil {
		return c, err
	}
	for name, use := range after {
		c.Feed.CPU[name] = (use.CPU - before[name].CPU) / (float64(lines) / 1e6)
	}
	if err := r.Rebuild(); err != nil {
		return c, err
	}
	if c.Rest, err = r.AtRest(lines); err != nil {
		return c, err
	}
	text, err := json.Marshal(c)
	if err != nil {
		return c, err
	}
	return c, os.WriteFile(corpusFile(r.Home), text, 0o644)
}
