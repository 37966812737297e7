// Command processor turns logs.raw into blocks in MySQL and on logs.enriched, exactly once.
package main

import (
	"context"
	"os"

	"github.com/rs/zerolog"

	processor "github.com/logmill/logmill/services/processor/internal/app"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
)

// memory is where the Go runtime begins to collect more often: queues, caches and the merging of 100,000 lines take some 200 MiB at the most, and
// app.Ballast counts, though it takes none.
const memory = 300 << 20

func main() {
	os.Exit(app.Main("processor", func(c processor.Config) config.Log { return c.Log },
		func(ctx context.Context, cfg processor.Config, log zerolog.Logger) (app.Runner, error) {
			app.LimitMemory(memory)
			return processor.New(ctx, cfg, log)
		}))
}
