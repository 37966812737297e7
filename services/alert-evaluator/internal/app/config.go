package app

import "github.com/logmill/logmill/shared/config"

// Config is what users set.
type Config struct {
	MySQL config.MySQL
	Kafka config.Kafka
	Log   config.Log
	HTTP  config.HTTP

	Port int `env:"ALERT_EVALUATOR_PORT" envDefault:"8083" help:"port of the alert-evaluator's health and metrics"`
}

// Validate implements config.Validator.
func (c Config) Validate() error { return config.Port("ALERT_EVALUATOR_PORT", c.Port) }
