// Command collector receives logs over HTTP and OTLP and answers when Kafka has them. `collector tail` follows files, `collector stdin`
// sends what is piped into it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	collector "github.com/logmill/logmill/services/collector/internal/app"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	switch {
	case len(args) == 0:
		return app.Main("collector", func(c collector.Config) config.Log { return c.Log },
			func(ctx context.Context, cfg collector.Config, log zerolog.Logger) (app.Runner, error) {
				return collector.New(ctx, cfg, log)
			})
	case args[0] == "tail" || args[0] == "stdin":
		return source(args[0], args[1:])
	}
	fmt.Fprintf(os.Stderr, "collector: %q is not one of: tail, stdin, or nothing (the HTTP server)\n", args[0])
	return 2
}

func source(command string, args []string) int {
	opt, err := collector.ParseOptions(command, args, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(os.Stderr, "collector %s: %v\n", command, err)
		return 2
	}
	return app.Main("collector-"+command, func(c collector.SourceConfig) config.Log { return c.Log },
		func(ctx context.Context, cfg collector.SourceConfig, log zerolog.Logger) (app.Runner, error) {
			return collector.NewSource(ctx, cfg, opt, os.Stdin, log)
		})
}
