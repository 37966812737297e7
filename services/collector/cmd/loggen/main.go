// Command loggen makes realistic log lines and sends them to a collector, or writes them to a file.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"maps"

	"github.com/logmill/logmill/services/collector/internal/loggen"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "loggen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o loggen.Options
	names := strings.Join(slices.Sorted(maps.Keys(loggen.Profiles)), ", ")
	profile := flag.String("profile", "demo", "what the lines look like: "+names)
	seed := flag.Uint64("seed", 1, "the same seed gives the same lines")
	out := flag.String("out", "", "write NDJSON to this file instead of sending; - is standard output")
	flag.StringVar(&o.URL, "url", "http://127.0.0.1:4318/api/logs", "where to send")
	flag.IntVar(&o.Rate, "rate", 0, "lines a second; 0 = as fast as they are taken")
	flag.IntVar(&o.Lines, "lines", 0, "stop after so many lines; 0 = no end")
	flag.DurationVar(&o.For, "for", 0, "stop after so long; 0 = no end")
	flag.IntVar(&o.Batch, "batch", 500, "lines a request, at most")
	flag.IntVar(&o.Concurrency, "concurrency", 4, "requests under way")
	flag.BoolVar(&o.Gzip, "gzip", false, "compress bodies")
	flag.DurationVar(&o.Span, "span", 0, "spread the lines' times over so long, ending now; needs --lines")
	incident := flag.String("incident", "", "an incident of the demo for the whole run, instead of the script:\n"+loggen.Incidents())
	steeredBy := flag.String("steered-by", "", "begin the incidents that --steer writes into this `file`, too")
	steer := flag.String("steer", "", "send nothing: make the generator that is steered by this `file` begin --incident")
	flag.Parse()
	o.Token = os.Getenv("LOGMILL_TOKEN")
	if *steer != "" {
		return loggen.Steer(*steer, *incident)
	}
	newProfile, ok := loggen.Profiles[*profile]
	if !ok {
		return fmt.Errorf("there is no profile %q (%s)", *profile, names)
	}
	if o.Batch < 1 || o.Concurrency < 1 || o.Rate < 0 || o.Lines < 0 {
		return errors.New("--batch and --concurrency are at least 1, --rate and --lines not negative")
	}
	p := newProfile(*seed)
	if *incident != "" || *steeredBy != "" {
		d, ok := p.(loggen.Director)
		if !ok {
			return fmt.Errorf("profile %q has no incidents", *profile)
		}
		if err := direct(ctx, d, *incident, *steeredBy); err != nil {
			return err
		}
	}
	if *out != "" {
		return write(*out, p, o)
	}
	return json.NewEncoder(os.Stdout).Encode(loggen.Run(ctx, p, o))
}

// direct says what goes wrong in a run.
func direct(ctx context.Context, d loggen.Director, incident, steeredBy string) error {
	if steeredBy != "" {
		go loggen.Obey(ctx, steeredBy, d, os.Stderr)
	}
	if incident == "" {
		return nil
	}
	return d.Play(incident)
}

func write(name string, p loggen.Profile, o loggen.Options) (err error) {
	if o.Lines == 0 {
		return errors.New("--out needs --lines")
	}
	var dst io.WriteCloser = os.Stdout
	if name != "-" {
		if dst, err = os.Create(name); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(dst, 1<<20)
	begun := time.Now()
	var buf []byte
	for i := range o.Lines {
		buf = p.Append(buf[:0], o.At(i, begun))
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), dst.Close())
}
