package obs

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/config"
)

// certificate writes a key and a certificate of its own for 127.0.0.1.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	roots = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots.AddCert(parsed)
	return cert, key, roots
}

// TestServerWithTLSAndTokens: health and metrics over TLS, to those who may.
func TestServerWithTLSAndTokens(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	var f auth.File
	token, err := f.Create("prometheus", []auth.Scope{auth.Read}, time.Now(), time.Time{})
	require.NoError(t, err)
	raw, err := f.Encode()
	require.NoError(t, err)
	tokens := filepath.Join(t.TempDir(), "tokens.yaml")
	require.NoError(t, os.WriteFile(tokens, raw, 0o600))

	h := &Health{}
	h.SetReady(true)
	s, err := NewServer(config.HTTP{Bind: "127.0.0.1", CertFile: cert, KeyFile: key, TokensFile: tokens}, 0, h, NewRegistry(), zerolog.Nop())
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}}
	get := func(path, token string) int {
		req, err := http.NewRequest(http.MethodGet, "https://"+s.Listener().Addr().String()+path, http.NoBody)
		require.NoError(t, err)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, 200, get("/readyz", ""))
	for _, path := range []string{"/metrics", "/debug/pprof/heap", "/debug/pprof/profile", "/nowhere", "/"} {
		require.Equal(t, 401, get(path, ""), path)
	}
	require.Equal(t, 200, get("/metrics", token))
	require.Equal(t, 403, get("/debug/pprof/heap", token))
	_, err = NewServer(config.HTTP{Bind: "127.0.0.1", CertFile: cert, KeyFile: cert}, 0, h, NewRegistry(), zerolog.Nop())
	require.ErrorContains(t, err, "TLS_CERT_FILE")
}
