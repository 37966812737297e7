// Command collector receives logs over HTTP and OTLP and answers when Kafka has them.
package main

import (
	"context"
	"os"

	"github.com/rs/zerolog"

	collector "github.com/logmill/logmill/services/collector/internal/app"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
)

func main() {
	os.Exit(app.Main("collector", func(c collector.Config) config.Log { return c.Log },
		func(ctx context.Context, cfg collector.Config, log zerolog.Logger) (app.Runner, error) {
			return collector.New(ctx, cfg, log)
		}))
}
