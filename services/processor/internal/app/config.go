package app

import (
	"errors"
	"time"

	"github.com/logmill/logmill/services/processor/internal/retain"
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
	Retention    time.Duration `env:"RETENTION" envDefault:"720h" help:"how long log lines are kept after they were received; 0 = for ever"`
	RetentionMB  int64         `env:"RETENTION_MB" envDefault:"0" help:"MiB of stored blocks past which the oldest are removed; 0 = however many"`
	WindowsFor   time.Duration `env:"RETENTION_WINDOWS" envDefault:"2160h" help:"how long the counts behind dashboards are kept, by the lines' time; 0 = for ever"`
	HoursFor     time.Duration `env:"RETENTION_HOURS" envDefault:"17520h" help:"how long counts by the hour are kept, for long ranges, at least as long as RETENTION_WINDOWS; 0 = for ever"`
	ScrubEvery   time.Duration `env:"SCRUB_EVERY" envDefault:"168h" help:"how long it takes to read all stored blocks in the background and compare them with their checksums; 0 = never"`
	RawTrim      bool          `env:"RAW_TRIM" envDefault:"false" help:"delete from logs.raw what is stored; for the embedded broker"`
	Env          string        `env:"LOGMILL_ENV" envDefault:"dev" help:"env of lines that do not say theirs"`
	ServicesFile string        `env:"LOGMILL_SERVICES_FILE" help:"YAML file that says which team owns which service"`
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	var problems []error
	if c.CompactAfter < 0 {
		problems = append(problems, errors.New("COMPACTION_AFTER must not be negative"))
	}
	if c.RetentionMB < 0 {
		problems = append(problems, errors.New("RETENTION_MB must not be negative"))
	}
	return errors.Join(append(problems, config.Port("PROCESSOR_PORT", c.Port), config.Positive("MAX_LATE", c.MaxLate),
		config.Retention("RETENTION", c.Retention), config.Retention("RETENTION_WINDOWS", c.WindowsFor), config.Retention("RETENTION_HOURS", c.HoursFor), config.Retention("SCRUB_EVERY", c.ScrubEvery))...)
}

// hours is how long hours are kept: as long as the windows that they sum up, at least.
func (c Config) hours() time.Duration {
	if c.HoursFor == 0 || c.WindowsFor == 0 {
		return 0
	}
	return max(c.HoursFor, c.WindowsFor)
}

func (c Config) keep() keepConfig {
	return keepConfig{after: c.CompactAfter, blocks: retain.Policy{Age: c.Retention, Bytes: c.RetentionMB << 20}, windows: c.WindowsFor, hours: c.hours(), scrub: c.ScrubEvery}
}
