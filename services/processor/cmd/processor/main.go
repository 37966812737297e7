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

func main() {
	os.Exit(app.Main("processor", func(c processor.Config) config.Log { return c.Log },
		func(ctx context.Context, cfg processor.Config, log zerolog.Logger) (app.Runner, error) {
			return processor.New(ctx, cfg, log)
		}))
}
