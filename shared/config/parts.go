package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"
)

// MySQL says where the store is.
type MySQL struct {
	Host     string `env:"MYSQL_HOST" envDefault:"127.0.0.1" help:"MySQL server; when set, make run starts none of its own"`
	Port     int    `env:"MYSQL_PORT" envDefault:"13306" help:"its port"`
	User     string `env:"MYSQL_USER" envDefault:"root" help:"user"`
	Password Secret `env:"MYSQL_PASSWORD" help:"password"`
	Database string `env:"MYSQL_DATABASE" envDefault:"logmill" help:"database; migrate creates it"`
	TLS      bool   `env:"MYSQL_TLS" envDefault:"false" help:"connect with TLS and check the server's certificate"`
	CAFile   string `env:"MYSQL_TLS_CA_FILE" help:"certificates (PEM) that may have signed it; empty: the system's"`
}

// TLSConfig is how to connect with TLS; nil for without. The name that the certificate must have is MYSQL_HOST.
func (m MySQL) TLSConfig() (*tls.Config, error) {
	if !m.TLS {
		return nil, nil
	}
	c, err := clientTLS("MYSQL_TLS", m.CAFile, "", "")
	if c != nil {
		c.ServerName = m.Host
	}
	return c, err
}

// Addr is host:port.
func (m MySQL) Addr() string { return net.JoinHostPort(m.Host, strconv.Itoa(m.Port)) }

// Validate implements Validator.
func (m MySQL) Validate() error {
	var problems []error
	if m.Host == "" {
		problems = append(problems, errors.New("MYSQL_HOST is empty"))
	}
	if m.Database == "" || strings.ContainsAny(m.Database, "`/\\. ") {
		problems = append(problems, fmt.Errorf("MYSQL_DATABASE=%q is not a plain name", m.Database))
	}
	if _, err := m.TLSConfig(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(append(problems, port("MYSQL_PORT", m.Port))...)
}

// Bounds of KAFKA_SESSION_TIMEOUT: below, a pause of the machine counts as a death; above, a death stops its partitions for minutes.
const (
	MinSessionTimeout = time.Second
	MaxSessionTimeout = 5 * time.Minute
)

// Kafka says where the broker is and how topics are made.
type Kafka struct {
	Brokers     []string `env:"KAFKA_BROKERS" envDefault:"127.0.0.1:9092" help:"Kafka brokers, host:port, comma-separated; when set, make run starts none of its own"`
	Partitions  int32    `env:"KAFKA_PARTITIONS" envDefault:"6" help:"partitions of logs.raw and logs.enriched, fixed at the first start"`
	Replication int16    `env:"KAFKA_REPLICATION" envDefault:"0" help:"replication of new topics; 0 = 3, or the number of brokers where there are fewer"`
	TopicPrefix string   `env:"KAFKA_TOPIC_PREFIX" help:"put before every topic and group name, so that two installations can share a cluster"`
	Embedded    bool     `env:"KAFKA_EMBEDDED" envDefault:"false" help:"the broker is Logmill's development broker; make run sets it"`

	TLS      bool   `env:"KAFKA_TLS" envDefault:"false" help:"connect with TLS and check the brokers' certificates"`
	CAFile   string `env:"KAFKA_TLS_CA_FILE" help:"certificates (PEM) that may have signed them; empty: the system's"`
	CertFile string `env:"KAFKA_TLS_CERT_FILE" help:"our own certificate (PEM), where brokers ask for one"`
	KeyFile  string `env:"KAFKA_TLS_KEY_FILE" help:"its key"`
	SASL     string `env:"KAFKA_SASL_MECHANISM" help:"PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; empty: none"`
	User     string `env:"KAFKA_SASL_USER" help:"user"`
	Password Secret `env:"KAFKA_SASL_PASSWORD" help:"password"`

	SessionTimeout time.Duration `env:"KAFKA_SESSION_TIMEOUT" envDefault:"10s" help:"a consumer that is silent for so long has died, and others take its partitions; brokers allow 6s and more unless told otherwise"`
}

// TLSConfig is how to connect with TLS; nil for without.
func (k Kafka) TLSConfig() (*tls.Config, error) {
	if !k.TLS {
		return nil, nil
	}
	return clientTLS("KAFKA_TLS", k.CAFile, k.CertFile, k.KeyFile)
}

// secure says what is wrong with how to connect.
func (k Kafka) secure() (problems []error) {
	if _, err := k.TLSConfig(); err != nil {
		problems = append(problems, err)
	}
	if !k.TLS && k.CAFile+k.CertFile+k.KeyFile != "" {
		problems = append(problems, errors.New("KAFKA_TLS_CA_FILE, KAFKA_TLS_CERT_FILE and KAFKA_TLS_KEY_FILE need KAFKA_TLS=true"))
	}
	if err := oneOf("KAFKA_SASL_MECHANISM", k.SASL, "", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"); err != nil {
		problems = append(problems, err)
	}
	if (k.SASL == "") != (k.User == "") {
		problems = append(problems, errors.New("KAFKA_SASL_MECHANISM and KAFKA_SASL_USER go together"))
	}
	return problems
}

// clientTLS is TLS 1.2 and above towards a server.
func clientTLS(setting, ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("reading %s_CA_FILE: %w", setting, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s_CA_FILE=%s holds no certificate in PEM", setting, ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading %s_CERT_FILE and %s_KEY_FILE: %w", setting, setting, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// Topic is the name on the broker of one of our topics.
func (k Kafka) Topic(name string) string { return k.TopicPrefix + name }

// Group is the name on the broker of one of our consumer groups.
func (k Kafka) Group(name string) string { return k.TopicPrefix + name }

// Validate implements Validator.
func (k Kafka) Validate() error {
	var problems []error
	for _, b := range k.Brokers {
		if _, p, err := net.SplitHostPort(b); err != nil || p == "" {
			problems = append(problems, fmt.Errorf("KAFKA_BROKERS: %q is not host:port", b))
		}
	}
	if len(k.Brokers) == 0 {
		problems = append(problems, errors.New("KAFKA_BROKERS is empty"))
	}
	if k.Partitions < 1 || k.Partitions > 1024 {
		problems = append(problems, fmt.Errorf("KAFKA_PARTITIONS=%d is not within 1–1024", k.Partitions))
	}
	problems = append(problems, k.secure()...)
	if k.Replication < 0 {
		problems = append(problems, fmt.Errorf("KAFKA_REPLICATION=%d is negative", k.Replication))
	}
	if k.SessionTimeout != 0 && (k.SessionTimeout < MinSessionTimeout || k.SessionTimeout > MaxSessionTimeout) {
		problems = append(problems, fmt.Errorf("KAFKA_SESSION_TIMEOUT=%s is not within %s–%s", k.SessionTimeout, MinSessionTimeout, MaxSessionTimeout))
	}
	return errors.Join(problems...)
}

// Log is how a program logs.
type Log struct {
	Level  string `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	Format string `env:"LOG_FORMAT" envDefault:"json" help:"json or console"`
}

// Validate implements Validator.
func (l Log) Validate() error {
	return errors.Join(
		oneOf("LOG_LEVEL", l.Level, "debug", "info", "warn", "error"),
		oneOf("LOG_FORMAT", l.Format, "json", "console"))
}

func oneOf(name, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return fmt.Errorf("%s=%q is not one of %s", name, value, strings.Join(allowed, ", "))
}

// HTTP is what the listeners of all services share; each service has its own port variable.
type HTTP struct {
	Bind              string   `env:"BIND_ADDRESS" envDefault:"127.0.0.1" help:"address that every listener binds to; another than loopback needs LOGMILL_TOKENS_FILE"`
	CertFile          string   `env:"TLS_CERT_FILE" help:"certificate chain (PEM) of every listener; empty: HTTP without TLS"`
	KeyFile           string   `env:"TLS_KEY_FILE" help:"its key"`
	TokensFile        string   `env:"LOGMILL_TOKENS_FILE" help:"tokens and their scopes (logmillctl token create); empty: nobody is asked for one"`
	TrustedProxies    []string `env:"TRUSTED_PROXIES" help:"networks of proxies that may name the user, as CIDR, comma-separated"`
	TrustedUserHeader string   `env:"TRUSTED_USER_HEADER" help:"header in which they name the user, such as X-Forwarded-User"`
}

// Validate implements Validator. A service that others can reach and that asks nobody for a token does not start.
func (h HTTP) Validate() error {
	var problems []error
	if ip := net.ParseIP(h.Bind); h.Bind != "localhost" && (ip == nil || !ip.IsLoopback()) && h.TokensFile == "" {
		problems = append(problems, fmt.Errorf("BIND_ADDRESS=%s is reached by others, so LOGMILL_TOKENS_FILE must name their tokens (logmillctl token create)", h.Bind))
	}
	if (h.CertFile == "") != (h.KeyFile == "") {
		problems = append(problems, errors.New("TLS_CERT_FILE and TLS_KEY_FILE go together"))
	}
	if (len(h.TrustedProxies) == 0) != (h.TrustedUserHeader == "") {
		problems = append(problems, errors.New("TRUSTED_PROXIES and TRUSTED_USER_HEADER go together"))
	}
	for _, p := range h.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			problems = append(problems, fmt.Errorf("TRUSTED_PROXIES: %q is not a network such as 10.0.0.0/8", p))
		}
	}
	return errors.Join(problems...)
}

// Addr is the listen address for a port.
func (h HTTP) Addr(port int) string { return net.JoinHostPort(h.Bind, strconv.Itoa(port)) }

// Port checks a service's own port setting.
func Port(name string, p int) error { return port(name, p) }

// LeastRetention is the shortest that history may be kept: below it a typing error would be a loss.
const LeastRetention = time.Hour

// Retention checks how long something is kept: 0, for ever, or LeastRetention at least.
func Retention(name string, d time.Duration) error {
	if d != 0 && d < LeastRetention {
		return fmt.Errorf("%s=%s is below %s and not 0 (for ever)", name, d, LeastRetention)
	}
	return nil
}

// Positive checks a duration setting.
func Positive(name string, d time.Duration) error {
	if d <= 0 {
		return fmt.Errorf("%s=%s must be above zero", name, d)
	}
	return nil
}
