// Command alert-evaluator follows logs.enriched, evaluates alert rules on it and emits alerts.fired.
package main

import (
	"context"
	"os"

	"github.com/rs/zerolog"

	evaluator "github.com/logmill/logmill/services/alert-evaluator/internal/app"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
)

func main() {
	os.Exit(app.Main("alert-evaluator", func(c evaluator.Config) config.Log { return c.Log },
		func(ctx context.Context, cfg evaluator.Config, log zerolog.Logger) (app.Runner, error) {
			return evaluator.New(ctx, cfg, log)
		}))
}
