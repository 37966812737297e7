// Package exact sends lines to logs.raw together with the position that they end at, in one Kafka transaction: a source that begins again
// at its stored position (a file, a partition of another topic) sends each line once, whenever it is killed.
//
// Positions lie on the compacted topic logs.positions, a key a source. A writer has a transactional id; opening the id again ends the
// transaction of whoever had it before and fences him (Kafka's KIP-98). After any error the outcome of the last transaction is whatever
// the positions say: the caller closes the Writer, opens a new one, and goes on from what it loads.
package exact

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/rdkafka"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// ErrFenced means that another writer has taken the transactional id: this one must not go on.
var ErrFenced = errors.New("another process writes under the same name")

// Part is records that go into messages of their own. Import: they are history, which rules never see.
type Part struct {
	Records []logrec.Record
	Import  bool
}

// Position is where a source stands after a transaction. A nil Value forgets the source.
type Position struct {
	Key   string
	Value []byte
}

// Message is a dead letter: what could not be read, as it was, with contract.Dead's headers.
type Message struct {
	Key, Value []byte
	Headers    []contract.Header
}

// Transaction is what is written together.
type Transaction struct {
	Parts     []Part
	Dead      []Message
	Positions []Position
}

// Writer writes transactions. Not safe for concurrent use.
type Writer struct {
	cfg     config.Kafka
	log     zerolog.Logger
	client  *kafka.Producer
	encoder []contract.Encoder // by home partition

	id       contract.ProducerID // by which a reader knows messages that a broker wrote twice
	sequence []int64             // of the newest message, by home partition
	drains   sync.WaitGroup
}

// Open connects, ends what the last owner of id left open, and fences him. id is without the installation's prefix.
func Open(ctx context.Context, cfg config.Kafka, id string, log zerolog.Logger) (*Writer, error) {
	client, err := kafka.NewProducer(rdkafka.Config(cfg, kafka.ConfigMap{
		"transactional.id":           cfg.Group(id),
		"transaction.timeout.ms":     int(transactionTimeout.Milliseconds()),
		"acks":                       "all",
		"compression.type":           "lz4",
		"linger.ms":                  0, // batches are made here
		"message.max.bytes":          contract.MaxMessageBytes,
		"queue.buffering.max.kbytes": queueKB,
		"go.delivery.reports":        false, // the transaction's outcome says it for all
	}))
	if err != nil {
		return nil, fmt.Errorf("making the Kafka producer: %w", err)
	}
	w := &Writer{cfg: cfg, log: log, client: client, encoder: make([]contract.Encoder, cfg.Partitions), sequence: make([]int64, cfg.Partitions)}
	_, _ = rand.Read(w.id[:]) // never fails
	w.drains.Add(2)
	go w.drain()
	go w.drainLogs()
	if err := retriable(ctx, client.InitTransactions); err != nil {
		w.Close()
		return nil, fmt.Errorf("taking the transactional id %s: %w", id, err)
	}
	return w, nil
}

// drain keeps librdkafka's channels empty: an unread one blocks the whole client.
func (w *Writer) drain() {
	defer w.drains.Done()
	for e := range w.client.Events() {
		if err, ok := e.(kafka.Error); ok {
			w.log.Debug().Err(err).Msg("Kafka does not answer as it should")
		}
	}
}

func (w *Writer) drainLogs() {
	defer w.drains.Done()
	for l := range w.client.Logs() {
		w.log.Debug().Int("rdkafka_level", l.Level).Msg(l.Message)
	}
}

// Close lets go. A transaction that is open is not committed.
func (w *Writer) Close() {
	_ = w.client.Purge(kafka.PurgeQueue | kafka.PurgeInFlight | kafka.PurgeNonBlocking)
	w.client.Close()
	w.drains.Wait()
}

// Commit writes all of t, or nothing. After an error the Writer is of no more use; ErrFenced says that another one was opened under its id.
func (w *Writer) Commit(ctx context.Context, t Transaction) error {
	if err := w.client.BeginTransaction(); err != nil {
		return fenced(fmt.Errorf("beginning a transaction: %w", err))
	}
	if err := w.queue(t); err != nil {
		return fenced(err)
	}
	if err := retriable(ctx, w.client.CommitTransaction); err != nil {
		return fenced(fmt.Errorf("committing a transaction: %w", err))
	}
	return nil
}

// queue hands everything to librdkafka.
func (w *Writer) queue(t Transaction) error {
	for _, p := range t.Parts {
		if err := w.produce(p); err != nil {
			return err
		}
	}
	for _, m := range t.Dead {
		if err := w.put(contract.TopicDead, kafka.Message{Key: m.Key, Value: m.Value, Headers: kafkaHeaders(m.Headers)}); err != nil {
			return err
		}
	}
	for _, p := range t.Positions {
		if err := w.put(contract.TopicPositions, kafka.Message{Key: []byte(p.Key), Value: p.Value}); err != nil {
			return err
		}
	}
	return nil
}

// put queues a message for its partition; dead letters and positions have only one.
func (w *Writer) put(topic string, m kafka.Message) error {
	full := w.cfg.Topic(topic)
	m.TopicPartition.Topic = &full
	if err := w.client.Produce(&m, nil); err != nil {
		return fmt.Errorf("queueing a message for %s: %w", topic, err)
	}
	return nil
}

func kafkaHeaders(hs []contract.Header) (out []kafka.Header) {
	for _, h := range hs {
		out = append(out, kafka.Header{Key: h.Key, Value: []byte(h.Value)})
	}
	return out
}

// produce queues a part's records as messages of their home partitions.
func (w *Writer) produce(p Part) error {
	last, home := "", int32(-1)
	for i := range p.Records {
		r := &p.Records[i]
		if home < 0 || r.Service != last {
			last, home = r.Service, contract.Home(r.Service, w.cfg.Partitions)
		}
		e := &w.encoder[home]
		e.Add(r)
		if e.Size() >= contract.BatchBytes {
			if err := w.flush(home, p.Import); err != nil {
				return err
			}
		}
	}
	for home := range w.encoder {
		if err := w.flush(int32(home), p.Import); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) flush(home int32, imported bool) error {
	e := &w.encoder[home]
	if e.Len() == 0 {
		return nil
	}
	w.sequence[home]++
	headers := append([]contract.Header{{Key: contract.HeaderContentType, Value: contract.ContentTypeOTLP}}, contract.Identity{Producer: w.id, Sequence: w.sequence[home]}.Headers()...)
	if imported {
		headers = append(headers, contract.Header{Key: contract.HeaderImport, Value: "true"})
	}
	m := kafka.Message{TopicPartition: kafka.TopicPartition{Partition: home}, Value: e.AppendTo(nil), Headers: kafkaHeaders(headers)}
	if service, ok := e.SingleService(); ok {
		m.Key = []byte(service)
	}
	e.Reset()
	return w.put(contract.TopicRaw, m)
}

// retriable calls f again while Kafka says that the same call may succeed later, until ctx ends.
func retriable(ctx context.Context, f func(context.Context) error) error {
	for {
		once, cancel := context.WithTimeout(ctx, callTimeout)
		err := f(once)
		cancel()
		var ke kafka.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &ke) || !ke.IsRetriable() {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(retryPause):
		}
	}
}

// fenced adds ErrFenced to an error that says so.
func fenced(err error) error {
	var ke kafka.Error
	if errors.As(err, &ke) && (ke.Code() == kafka.ErrFenced || ke.Code() == kafka.ErrInvalidProducerEpoch || ke.Code() == kafka.ErrProducerFenced) {
		return errors.Join(ErrFenced, err)
	}
	return err
}
