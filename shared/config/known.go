package config

import (
	"fmt"
	"sort"
	"strings"
)

// Known are all variables that any Logmill program reads: what is not here and looks like ours is a mistake.
// A test keeps it equal to .env.example; each program's test keeps it a superset of its struct.
var Known = []string{
	"ALERT_BLIND_AFTER", "ALERT_BRIDGES_FILE", "ALERT_EVALUATOR_PORT", "ALERT_EVENT_RETENTION", "ALERT_MAX_AGE", "ALERT_RECOVER_LOST", "ALERT_RETENTION",
	"API_CALLER_BUDGET", "API_CALLER_QUERIES", "API_PORT", "API_QUERY_MAX_BYTES", "API_QUERY_MAX_ROWS", "API_QUERY_TIMEOUT", "API_MEMORY_MB", "API_SLOW_QUERY",
	"AUDIT_RETENTION",
	"BIND_ADDRESS",
	"COLLECTOR_DELIVERY_TIMEOUT", "COLLECTOR_LINGER", "COLLECTOR_MAX_BODY_MB", "COLLECTOR_MEMORY_MB", "COLLECTOR_PORT",
	"COMPACTION_AFTER",
	"GENERATOR_RATE",
	"KAFKA_BROKERS", "KAFKA_EMBEDDED", "KAFKA_INPUT_BROKERS", "KAFKA_INPUT_TOPICS", "KAFKA_PARTITIONS", "KAFKA_PORT", "KAFKA_REPLICATION", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_USER", "KAFKA_SESSION_TIMEOUT",
	"KAFKA_TLS", "KAFKA_TLS_CA_FILE", "KAFKA_TLS_CERT_FILE", "KAFKA_TLS_KEY_FILE", "KAFKA_TOPIC_PREFIX",
	"LOGMILL_ENV", "LOGMILL_HOME", "LOGMILL_SERVICES_FILE", "LOGMILL_TOKENS_FILE",
	"LOG_FORMAT", "LOG_LEVEL",
	"MAX_LATE",
	"MYSQL_DATABASE", "MYSQL_HOST", "MYSQL_PASSWORD", "MYSQL_PORT", "MYSQL_TLS", "MYSQL_TLS_CA_FILE", "MYSQL_USER",
	"PIPELINE_TARGETS", "PIPELINE_TOKEN",
	"PROCESSORS", "PROCESSOR_PORT",
	"RAW_CAP_MB", "RAW_TRIM", "RETENTION", "RETENTION_HOURS", "RETENTION_MB", "RETENTION_WINDOWS", "RULE_VERSION_RETENTION",
	"SCRUB_EVERY",
	"TLS_CERT_FILE", "TLS_KEY_FILE", "TRUSTED_PROXIES", "TRUSTED_USER_HEADER",
}

// elsewhere are the variables of test tooling, client those of logmillctl and loggen.
const elsewhere = "LOGMILL_TEST_"

var client = map[string]bool{"LOGMILL_URL": true, "LOGMILL_USER": true, "LOGMILL_TOKEN": true}

// ours are the prefixes that nobody else uses; under the others (KAFKA_HEAP_OPTS, MYSQL_ROOT_PASSWORD, API_PORT_8080_TCP of
// Kubernetes) only near misses of a known name count.
var ours = []string{"LOGMILL_", "COLLECTOR_", "PROCESSOR_", "ALERT_EVALUATOR_", "GENERATOR_"}

// injected are the endings of variables that container platforms add for each service they know.
var injected = []string{"_TCP", "_UDP", "_PROTO", "_ADDR", "_SERVICE_HOST", "_SERVICE_PORT", "_SERVICE_PORT_HTTP"}

func unknown(environment map[string]string) []error {
	known := map[string]bool{}
	for _, k := range Known {
		known[k] = true
	}
	var out []error
	for name := range environment {
		if known[name] || client[name] || strings.HasPrefix(name, elsewhere) || isInjected(name) {
			continue
		}
		meant := closest(name)
		if hasPrefix(name, ours) && meant == "" {
			out = append(out, fmt.Errorf("%s is not a setting of Logmill", name))
		} else if meant != "" {
			out = append(out, fmt.Errorf("%s is not a setting of Logmill: did you mean %s?", name, meant))
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Error() < out[j].Error() })
	return out
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

func isInjected(name string) bool {
	for _, e := range injected {
		if strings.HasSuffix(name, e) {
			return true
		}
	}
	return false
}

// closest is the known name that name is one slip of the finger away from (a letter more, less or other, or two swapped), or "".
func closest(name string) string {
	for _, k := range Known {
		if oneSlip(name, k) {
			return k
		}
	}
	return ""
}

func oneSlip(a, b string) bool {
	if len(a) < 6 || a == b { // short names are near to too much
		return false
	}
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	x, y := a[i:], b[i:]
	switch len(x) - len(y) {
	case 0:
		return x[1:] == y[1:] || len(x) > 1 && x[0] == y[1] && x[1] == y[0] && x[2:] == y[2:]
	case 1:
		return x[1:] == y
	case -1:
		return x == y[1:]
	}
	return false
}
