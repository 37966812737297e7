// Command api serves search, metrics and health over REST.
package main

import (
	"context"
	"os"

	"github.com/rs/zerolog"

	api "github.com/logmill/logmill/services/api/internal/app"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
)

func main() {
	os.Exit(app.Main("api", func(c api.Config) config.Log { return c.Log },
		func(ctx context.Context, cfg api.Config, log zerolog.Logger) (app.Runner, error) {
			app.LimitMemory(cfg.MemoryLimit())
			return api.New(ctx, cfg, log)
		}))
}
