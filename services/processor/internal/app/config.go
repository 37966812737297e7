package app

import (
	"errors"
	"time"

	"github.com/logmill/logmill/shared/config"
)

// Config is what users set.
type Config struct {
	MySQL config.MySQL
	Kafka config.Kafka
	Log   config.Log
	HTTP  config.HTTP

	Port         int           `env:"PROCESSOR_PORT" envDefault:"8082" help:"port of the processor's health and metrics"`
	MaxLate      time.Duration `env:"MAX_LATE" envDefault:"5m" help:"how late a line may be and still be seen by alert rules"`
	CompactAfter time.Duration `env:"COMPACTION_AFTER" envDefault:"1m" help:"how old small blocks are when they are merged into large ones; 0 = never"`
	RawTrim      bool          `env:"RAW_TRIM" envDefault:"false" help:"delete from logs.raw what is stored; for the embedded broker"`
	Env          string        `env:"LOGMILL_ENV" envDefault:"dev" help:"env of lines that do not say theirs"`
	ServicesFile string        `env:"LOGMILL_SERVICES_FILE" help:"YAML file that says which team owns which service"`
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var negative error
	if c.CompactAfter < 0 {
		negative = errors.New("COMPACTION_AFTER must not be negative")
	}
	return errors.Join(config.Port("PROCESSOR_PORT", c.Port), config.Positive("MAX_LATE", c.MaxLate), negative)
}
