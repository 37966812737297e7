package obs

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/logmill/logmill/shared/config"
)

// Listen binds a service's port, with TLS 1.2 and above when the settings name a certificate.
func Listen(cfg config.HTTP, port int) (net.Listener, error) {
	l, err := net.Listen("tcp", cfg.Addr(port))
	if err != nil || cfg.CertFile == "" {
		return l, err
	}
	k := &keyPair{cert: cfg.CertFile, key: cfg.KeyFile}
	if _, err := k.get(nil); err != nil {
		_ = l.Close()
		return nil, err
	}
	return tls.NewListener(l, &tls.Config{GetCertificate: k.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}), nil
}

// keyPair is a certificate that is read again when its file changes: those of today live for weeks.
type keyPair struct {
	cert, key string

	mu      sync.Mutex
	pair    *tls.Certificate
	looked  time.Time
	changed time.Time
}

const certEvery = 10 * time.Second

// get implements tls.Config.GetCertificate. A file that cannot be read now leaves the pair in use that was there before.
func (k *keyPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Since(k.looked) < certEvery {
		return k.pair, nil
	}
	k.looked = time.Now()
	fi, err := os.Stat(k.cert)
	if err == nil && k.pair != nil && fi.ModTime().Equal(k.changed) {
		return k.pair, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(k.cert, k.key); err == nil {
			k.pair, k.changed = &pair, fi.ModTime()
		}
	}
	if k.pair == nil {
		return nil, fmt.Errorf("reading TLS_CERT_FILE and TLS_KEY_FILE: %w", err)
	}
	return k.pair, nil
}
