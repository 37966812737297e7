package bus

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"github.com/logmill/logmill/shared/config"
)

// secure sets TLS and SASL as the settings say.
func secure(c *sarama.Config, cfg config.Kafka) error {
	tls, err := cfg.TLSConfig()
	if err != nil {
		return err
	}
	c.Net.TLS.Enable, c.Net.TLS.Config = tls != nil, tls
	if cfg.SASL == "" {
		return nil
	}
	s := &c.Net.SASL
	s.Enable, s.Handshake, s.Version = true, true, sarama.SASLHandshakeV1
	s.Mechanism, s.User, s.Password = sarama.SASLMechanism(cfg.SASL), cfg.User, cfg.Password.Reveal()
	switch s.Mechanism {
	case sarama.SASLTypeSCRAMSHA256:
		s.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: sha256.New} }
	case sarama.SASLTypeSCRAMSHA512:
		s.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &scramClient{hash: sha512.New} }
	}
	return nil
}

// scramClient is one authentication by SCRAM (RFC 5802), as sarama asks for it.
type scramClient struct {
	hash scram.HashGeneratorFcn
	conv *scram.ClientConversation
}

// Begin implements sarama.SCRAMClient.
func (s *scramClient) Begin(user, password, authzID string) error {
	client, err := s.hash.NewClient(user, password, authzID)
	if err != nil {
		return fmt.Errorf("preparing SCRAM: %w", err)
	}
	s.conv = client.NewConversation()
	return nil
}

// Step implements sarama.SCRAMClient.
func (s *scramClient) Step(challenge string) (string, error) { return s.conv.Step(challenge) }

// Done implements sarama.SCRAMClient.
func (s *scramClient) Done() bool { return s.conv.Done() }
