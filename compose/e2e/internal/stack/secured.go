package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/config"
)

// Password is that of every user of a secured stack.
const Password = "open-Sesame-7"

// NewSecured is a Stack as beyond one machine: a Kafka that wants SASL by the mechanism over TLS, a MySQL whose service users
// (logmill_<service>, to be made by the test) must use TLS, and listeners with TLS and tokens.
func NewSecured(t testing.TB, mechanism string) *Stack {
	t.Helper()
	s := bare(t)
	cert, key := s.certificate()
	both := filepath.Join(s.dir, "both.pem")
	require.NoError(t, os.WriteFile(both, append(read(t, key), read(t, cert)...), 0o600))
	s.mysqlArgs = fmt.Sprintf(" --ssl-ca=%s --ssl-cert=%s --ssl-key=%s", cert, cert, key)
	s.startMySQL()
	secure := freePort(t)
	s.kafkaMore = func() []string {
		return []string{"KAFKA_SCRAM=SCRAM-SHA-512=[name=logmill,password=" + Password + "]", "KAFKA_PROPS=" + strings.Join([]string{
			fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:%d,SECURE://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d", s.kafkaBase, secure, s.kafkaBase+100),
			fmt.Sprintf("advertised.listeners=PLAINTEXT://127.0.0.1:%d,SECURE://127.0.0.1:%d", s.kafkaBase, secure),
			"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
			"ssl.keystore.type=PEM", "ssl.keystore.location=" + both,
			"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
			`listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_logmill="` + Password + `";`,
			"listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		}, "\n")}
	}
	s.startKafka(1, "")
	s.Kafka.Brokers = []string{fmt.Sprintf("127.0.0.1:%d", secure)}
	s.Kafka.TLS, s.Kafka.CAFile, s.Kafka.SASL, s.Kafka.User, s.Kafka.Password = true, cert, mechanism, "logmill", config.Secret(Password)
	s.setEnv(1)
	s.run("migrate", "up")
	s.env = append(s.env, "KAFKA_TLS=true", "KAFKA_TLS_CA_FILE="+cert, "KAFKA_SASL_MECHANISM="+mechanism, "KAFKA_SASL_USER=logmill", "KAFKA_SASL_PASSWORD="+Password,
		"MYSQL_TLS=true", "MYSQL_TLS_CA_FILE="+cert, "MYSQL_PASSWORD="+Password, "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key)
	for _, service := range []string{"processor", "alert-evaluator", "api"} {
		s.own[service] = []string{"MYSQL_USER=logmill_" + strings.ReplaceAll(service, "-", "_")}
	}
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(read(t, cert)))
	s.scheme, s.client = "https", &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	return s
}

// Tokens makes the tokens' file with a token for each name, and returns their texts.
func (s *Stack) Tokens(t testing.TB, scopes map[string]auth.Scope) map[string]string {
	t.Helper()
	var f auth.File
	out := map[string]string{}
	for name, scope := range scopes {
		text, err := f.Create(name, []auth.Scope{scope}, time.Now(), time.Time{})
		require.NoError(t, err)
		out[name] = text
	}
	raw, err := f.Encode()
	require.NoError(t, err)
	path := filepath.Join(s.dir, "tokens.yaml")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	s.env = append(s.env, "LOGMILL_TOKENS_FILE="+path)
	return out
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// certificate writes a certificate for 127.0.0.1 that has signed itself, and its key.
func (s *Stack) certificate() (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "logmill test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(s.t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(s.t, err)
	cert, key = filepath.Join(s.dir, "cert.pem"), filepath.Join(s.dir, "key.pem")
	require.NoError(s.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(s.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	return cert, key
}
