// Package rdkafka is what all of the collector's Kafka clients have in common: where the brokers are, and how to be let in.
package rdkafka

import (
	"maps"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/logmill/logmill/shared/config"
)

// Config is librdkafka's configuration for cfg, with a client's own settings over it.
func Config(cfg config.Kafka, own kafka.ConfigMap) *kafka.ConfigMap {
	c := kafka.ConfigMap{
		"bootstrap.servers":        strings.Join(cfg.Brokers, ","),
		"client.id":                "logmill-collector",
		"go.logs.channel.enable":   true, // to our log, not to standard error
		"enable.metrics.push":      false,
		"reconnect.backoff.max.ms": 1000,
		"security.protocol":        protocol(cfg),
	}
	for name, value := range map[string]string{
		"ssl.ca.location": cfg.CAFile, "ssl.certificate.location": cfg.CertFile, "ssl.key.location": cfg.KeyFile,
		"sasl.mechanisms": cfg.SASL, "sasl.username": cfg.User, "sasl.password": cfg.Password.Reveal(),
	} {
		if value != "" {
			c[name] = value
		}
	}
	maps.Copy(c, own)
	return &c
}

func protocol(cfg config.Kafka) string {
	switch {
	case cfg.TLS && cfg.SASL != "":
		return "sasl_ssl"
	case cfg.TLS:
		return "ssl"
	case cfg.SASL != "":
		return "sasl_plaintext"
	}
	return "plaintext"
}
