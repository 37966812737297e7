package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
)

// reconnectSleep is how long after a failed join the next one is tried.
const reconnectSleep = time.Second

// Subscriber is a Watermill subscriber to one of our topics. Subscribe waits for a broker that is away instead of failing.
type Subscriber struct {
	cfg    config.Kafka
	log    zerolog.Logger
	inner  *kafka.Subscriber
	rejoin *rejoin
}

// NewSubscriber makes a member of a consumer group. Topics are named without prefix.
func NewSubscriber(cfg config.Kafka, group string, hook Hook, log zerolog.Logger) (*Subscriber, error) {
	conf, err := consumerConfig(cfg, group)
	if err != nil {
		return nil, err
	}
	again := newRejoin(log)
	inner, err := kafka.NewSubscriber(kafka.SubscriberConfig{
		Brokers:               cfg.Brokers,
		Unmarshaler:           unmarshaler{},
		OverwriteSaramaConfig: conf,
		ConsumerGroup:         cfg.Group(group),
		ReconnectRetrySleep:   reconnectSleep,
		Tracer:                &tracer{hook: hook, short: func(t string) string { return strings.TrimPrefix(t, cfg.TopicPrefix) }, rejoin: again},
	}, Logger(log))
	if err != nil {
		return nil, err
	}
	return &Subscriber{cfg: cfg, log: log, inner: inner, rejoin: again}, nil
}

// Subscribe implements message.Subscriber.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	var out <-chan *message.Message
	err := app.Retry(ctx, s.log, "Kafka", nil, func(ctx context.Context) (err error) {
		out, err = s.inner.Subscribe(ctx, s.cfg.Topic(topic))
		return err
	})
	return out, err
}

// Close implements message.Subscriber.
func (s *Subscriber) Close() error {
	s.rejoin.close()
	return s.inner.Close()
}

// Info is where a message came from.
type Info struct {
	Partition int32
	Offset    int64
	Time      time.Time // Kafka's
	Key       []byte
}

// InfoOf reads what the subscriber put into a message's context. Its headers are msg.Metadata.
func InfoOf(msg *message.Message) Info {
	var i Info
	ctx := msg.Context()
	i.Partition, _ = kafka.MessagePartitionFromCtx(ctx)
	i.Offset, _ = kafka.MessagePartitionOffsetFromCtx(ctx)
	i.Time, _ = kafka.MessageTimestampFromCtx(ctx)
	i.Key, _ = kafka.MessageKeyFromCtx(ctx)
	return i
}

// unmarshaler never fails: an error here would make the whole group join again and again. Handlers decode.
type unmarshaler struct{}

func (unmarshaler) Unmarshal(m *sarama.ConsumerMessage) (*message.Message, error) {
	msg := message.NewMessage("", m.Value)
	for _, h := range m.Headers {
		msg.Metadata[string(h.Key)] = string(h.Value)
	}
	return msg, nil
}

// Logger is Watermill's logger on zerolog. Watermill's information is our debug.
func Logger(log zerolog.Logger) watermill.LoggerAdapter {
	return adapter{log.With().Str("component", "watermill").Logger()}
}

type adapter struct{ log zerolog.Logger }

func (a adapter) Error(msg string, err error, f watermill.LogFields) {
	if errors.Is(err, sarama.ErrInvalidSessionTimeout) {
		a.log.Error().Err(err).Fields(map[string]any(f)).Msg("the broker refuses the session time-out: set KAFKA_SESSION_TIMEOUT to what its group.min.session.timeout.ms and group.max.session.timeout.ms allow")
		return
	}
	a.log.Warn().Err(err).Fields(map[string]any(f)).Msg(strings.ToLower(msg)) // it goes on by itself: nobody must act
}
func (a adapter) Info(msg string, f watermill.LogFields) {
	a.log.Debug().Fields(map[string]any(f)).Msg(strings.ToLower(msg))
}
func (a adapter) Debug(string, watermill.LogFields) {} // a line per message
func (a adapter) Trace(string, watermill.LogFields) {}
func (a adapter) With(f watermill.LogFields) watermill.LoggerAdapter {
	return adapter{a.log.With().Fields(map[string]any(f)).Logger()}
}
