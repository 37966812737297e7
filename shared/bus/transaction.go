package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// Message is one message of a transaction, placed by its key.
type Message struct {
	Topic      string
	Key, Value []byte
	Headers    []contract.Header
}

// Transactional sends messages in Kafka transactions. A newer one under the same id fences an older one. Not safe for concurrent use.
// Watermill's publisher knows no transactions, so this is sarama's own.
type Transactional struct {
	cfg      config.Kafka
	producer sarama.SyncProducer
	sending  sync.WaitGroup // a Send whose caller has given up goes on
}

// NewTransactional connects and fences whoever had the id before. id is without the installation's prefix.
func NewTransactional(ctx context.Context, cfg config.Kafka, clientID, id string) (*Transactional, error) {
	conf, err := producerConfig(cfg, clientID, sarama.CompressionLZ4)
	if err != nil {
		return nil, err
	}
	conf.Producer.Transaction.ID = cfg.Group(id)
	p, err := within(ctx, func() (sarama.SyncProducer, error) { return sarama.NewSyncProducer(cfg.Brokers, conf) })
	if err != nil {
		return nil, fmt.Errorf("beginning transactional producer %s: %w", id, err)
	}
	return &Transactional{cfg: cfg, producer: p}, nil
}

// Send writes all messages or, as readers of committed records see it, none. After an error make a new Transactional.
func (t *Transactional) Send(ctx context.Context, messages []Message) error {
	t.sending.Add(1)
	_, err := within(ctx, func() (struct{}, error) {
		defer t.sending.Done()
		return struct{}{}, t.send(messages)
	})
	if err != nil {
		return fmt.Errorf("sending a transaction of %d messages: %w", len(messages), err)
	}
	return nil
}

func (t *Transactional) send(messages []Message) error {
	if err := t.producer.BeginTxn(); err != nil {
		return err
	}
	out := make([]*sarama.ProducerMessage, len(messages))
	for i, m := range messages {
		out[i] = &sarama.ProducerMessage{Topic: t.cfg.Topic(m.Topic), Partition: ByKey, Key: sarama.ByteEncoder(m.Key), Value: sarama.ByteEncoder(m.Value)}
		for _, h := range m.Headers {
			out[i].Headers = append(out[i].Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: []byte(h.Value)})
		}
	}
	if err := t.producer.SendMessages(out); err != nil {
		return errors.Join(err, t.producer.AbortTxn())
	}
	return t.producer.CommitTxn()
}

// Close ends the connection, in the background while a Send still goes on whose caller has given up: sarama closes the channel that it
// writes to, and a write to it then would end the process.
func (t *Transactional) Close() error {
	idle := make(chan struct{})
	go func() { t.sending.Wait(); close(idle) }()
	select {
	case <-idle:
		return t.producer.Close()
	case <-time.After(closeWait):
		go func() { <-idle; _ = t.producer.Close() }() // its own time-outs bound it
		return nil
	}
}

// closeWait is how long Close waits for a Send to end, so that an orderly stop closes what it opened.
const closeWait = time.Second
