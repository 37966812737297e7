package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// print writes the table, then the same as JSON.
func (r *report) print() {
	fmt.Printf("\n%d lines; ms; load %.1f before the questions, %.1f after\n\n", r.Corpus.Lines, r.Load[0], r.Load[1])
	fmt.Printf("%-4s%-44s%8s%10s%10s%10s%10s\n", "", "query", "target", "warm p50", "warm p95", "api CPU", "cold p50")
	for _, a := range r.Answers {
		if a.Missing != "" {
			fmt.Printf("%-4s%-44s%8.0f   not measured: %s\n", a.Name, a.What, a.Target, a.Missing)
			continue
		}
		fmt.Printf("%-4s%-44s%8.0f%10.1f%10.1f%10.1f%10.1f  %s\n", a.Name, a.What, a.Target, a.P50, a.P95, a.CPU, a.ColdP50, holds(a.Holds))
	}
	cpu := 0.0
	for _, s := range r.Corpus.Feed.CPU {
		cpu += s
	}
	fmt.Printf("\napi: %d MB resident, %d at the most; targets are for five million lines\n", r.API.RSS, r.API.Peak)
	fmt.Printf("ingest: stored at %.0f lines/s, %.2f CPU-s a million lines with windows of six hours and merging (load %.1f before; `make bench` measures it alone)\n", r.Corpus.Feed.Rate, cpu, r.Corpus.Feed.Load)
	fmt.Println(r.Corpus.Rest)
}

func holds(yes bool) string {
	if yes {
		return "holds"
	}
	return "does not hold"
}

// save writes the report to a file and to standard output.
func (r *report) save(name string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	fmt.Printf("\n%s\n", text)
	return os.WriteFile(name, append(text, '\n'), 0o644)
}
