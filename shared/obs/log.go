// Package obs is how a program shows itself: logs, metrics, health.
package obs

import (
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/config"
)

// NewLogger makes the one logger of a program, writing to standard error. An unknown level counts as info (config checks it).
func NewLogger(cfg config.Log, service string) zerolog.Logger {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.ErrorFieldName = "err"
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil || level == zerolog.NoLevel {
		level = zerolog.InfoLevel
	}
	log := zerolog.New(os.Stderr)
	if cfg.Format == "console" {
		log = log.Output(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly})
	}
	return log.Level(level).With().Timestamp().Str("service", service).Logger()
}
