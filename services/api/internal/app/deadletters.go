package app

import (
	"context"

	"github.com/logmill/logmill/services/api/internal/deadletter"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

// deadLetters makes the book of dead letters. It connects to Kafka when somebody asks.
func (a *App) deadLetters(st *store.Store) *deadletter.Book {
	out := bus.NewPublisher(a.cfg.Kafka, "api-replay", false, a.log)
	a.stack.Push("replays", closeTimeout, func(context.Context) error { return out.Close() })
	return deadletter.New(deadletter.Deps{
		Log: deadLog{&a.kafka}, Store: st,
		Stream: func(ctx context.Context) (uint32, error) {
			cluster, id, err := a.kafka.raw(ctx)
			if err != nil {
				return 0, fault.Unavailable(err, "Kafka does not say which logs.raw it has")
			}
			return st.StreamID(ctx, cluster, a.cfg.Kafka.Topic(contract.TopicRaw), id)
		},
		Send: func(ctx context.Context, partition int32, key, value []byte, headers []contract.Header) error {
			return out.Publish(ctx, contract.TopicRaw, partition, key, value, headers)
		},
	})
}

// raw is the identity of logs.raw.
func (k *kafka) raw(ctx context.Context) (cluster, id string, err error) {
	c, err := k.connect()
	if err != nil {
		return "", "", err
	}
	cluster, id, _, err = c.Identity(ctx, contract.TopicRaw)
	return cluster, id, err
}

// deadLog is logs.dead, which has one partition.
type deadLog struct{ kafka *kafka }

func (l deadLog) Bounds(ctx context.Context) (start, end int64, err error) {
	c, err := l.kafka.connect()
	if err != nil {
		return 0, 0, err
	}
	if start, err = c.StartOffset(ctx, contract.TopicDead, 0); err != nil {
		return 0, 0, err
	}
	end, err = c.EndOffset(ctx, contract.TopicDead, 0)
	return start, end, err
}

func (l deadLog) Read(ctx context.Context, from, to int64, f func(deadletter.Message) error) error {
	c, err := l.kafka.connect()
	if err != nil {
		return err
	}
	return c.Read(ctx, contract.TopicDead, 0, from, to, func(r bus.Record) error {
		return f(deadletter.Message{Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value, Headers: r.Headers})
	})
}
