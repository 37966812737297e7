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

	MaxAge      time.Duration `env:"ALERT_MAX_AGE" envDefault:"5m" help:"decisions older than this, made after an outage, go to the history and not to alerts.fired; what fires still is sent at the end"`
	BridgesFile string        `env:"ALERT_BRIDGES_FILE" help:"YAML file that says who is told of alerts; empty = nobody"`
	Port        int           `env:"ALERT_EVALUATOR_PORT" envDefault:"8083" help:"port of the alert-evaluator's health and metrics"`
	BlindAfter  time.Duration `env:"ALERT_BLIND_AFTER" envDefault:"30s" help:"how far behind the clock rules may be before they count as blind; 0 = however far"`
}

// Validate implements config.Validator.
func (c Config) Validate() error {
	err := errors.Join(config.Port("ALERT_EVALUATOR_PORT", c.Port), config.Positive("ALERT_MAX_AGE", c.MaxAge))
	if c.BlindAfter != 0 && c.BlindAfter < leastBlindAfter {
		err = errors.Join(err, fmt.Errorf("ALERT_BLIND_AFTER=%s is below %s and not 0", c.BlindAfter, leastBlindAfter))
	}
	return err
}
