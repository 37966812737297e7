package app

import (
	"errors"
	"fmt"
	"time"

	"github.com/logmill/logmill/shared/config"
)

// leastBlindAfter is what a quiet partition may well be behind: heartbeats come every two seconds.
const leastBlindAfter = 5 * time.Second

// Config is what users set.
type Config struct {
	MySQL config.MySQL
	Kafka config.Kafka
	Log   config.Log
	HTTP  config.HTTP

	MaxAge         time.Duration `env:"ALERT_MAX_AGE" envDefault:"5m" help:"decisions older than this, made after an outage, go to the history and not to alerts.fired; what fires still is sent at the end"`
	BridgesFile    string        `env:"ALERT_BRIDGES_FILE" help:"YAML file that says who is told of alerts; empty = nobody"`
	Port           int           `env:"ALERT_EVALUATOR_PORT" envDefault:"8083" help:"port of the alert-evaluator's health and metrics"`
	Retention      time.Duration `env:"ALERT_RETENTION" envDefault:"2160h" help:"how long resolved alerts are kept, and what people did to them; 0 = for ever"`
	EventRetention time.Duration `env:"ALERT_EVENT_RETENTION" envDefault:"720h" help:"how long the events of alerts are kept in MySQL after they were sent; 0 = for ever"`
	RecoverLost    bool          `env:"ALERT_RECOVER_LOST" envDefault:"false" help:"go on by itself with a partition whose stored position logs.enriched does not have (docs/blind.md)"`
	BlindAfter     time.Duration `env:"ALERT_BLIND_AFTER" envDefault:"30s" help:"how far behind the clock rules may be before they count as blind; 0 = however far"`
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	err := errors.Join(config.Port("ALERT_EVALUATOR_PORT", c.Port), config.Positive("ALERT_MAX_AGE", c.MaxAge), config.Retention("ALERT_RETENTION", c.Retention),
		config.Retention("ALERT_EVENT_RETENTION", c.EventRetention))
	if c.BlindAfter != 0 && c.BlindAfter < leastBlindAfter {
		err = errors.Join(err, fmt.Errorf("ALERT_BLIND_AFTER=%s is below %s and not 0", c.BlindAfter, leastBlindAfter))
	}
	return err
}
