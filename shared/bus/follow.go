package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/config"
)

// followAgain is the pause before a lost connection is made again.
const followAgain = time.Second

// Follow gives f the committed records of all partitions of a topic that come from now on, one at a time, in order by partition, until ctx
// ends. It is in no consumer group: each caller gets all. A connection that is lost is made again, and goes on where it was, as far as the topic
// still has it. state is told of each connection: nil when it reads, an error when it does not.
func Follow(ctx context.Context, cfg config.Kafka, clientID, topic string, state func(error), f func(p int32, r Record)) {
	fw := &follower{cfg: cfg, clientID: clientID, name: cfg.Topic(topic), next: map[int32]int64{}, f: f}
	for ctx.Err() == nil {
		err := fw.once(ctx, func() { state(nil) })
		if ctx.Err() != nil {
			return
		}
		state(err)
		select {
		case <-ctx.Done():
		case <-time.After(followAgain):
		}
	}
}

type follower struct {
	cfg            config.Kafka
	clientID, name string
	next           map[int32]int64 // offset to read on from, once known
	f              func(p int32, r Record)
}

// once reads until something fails.
func (fw *follower) once(ctx context.Context, reading func()) error {
	conf, err := consumerConfig(fw.cfg, fw.clientID)
	if err != nil {
		return err
	}
	client, err := within(ctx, func() (sarama.Client, error) { return sarama.NewClient(fw.cfg.Brokers, conf) })
	if err != nil {
		return fmt.Errorf("connecting to follow %s: %w", fw.name, err)
	}
	defer func() { _ = client.Close() }() // reading only: nothing can be lost here
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return fmt.Errorf("connecting to follow %s: %w", fw.name, err)
	}
	defer func() { _ = consumer.Close() }()
	parts, err := client.Partitions(fw.name)
	if err != nil {
		return fmt.Errorf("following %s: %w", fw.name, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := make(chan *sarama.ConsumerMessage)
	failed := make(chan error, len(parts))
	for _, p := range parts {
		pc, err := fw.open(client, consumer, p)
		if err != nil {
			return err
		}
		go func() {
			failed <- forward(ctx, pc, out)
			_ = pc.Close()
		}()
	}
	reading()
	for {
		select {
		case m := <-out:
			fw.next[m.Partition] = m.Offset + 1
			fw.f(m.Partition, recordOf(m))
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// open begins at the end the first time, and where it was after.
func (fw *follower) open(client sarama.Client, consumer sarama.Consumer, p int32) (sarama.PartitionConsumer, error) {
	if _, known := fw.next[p]; !known {
		end, err := client.GetOffset(fw.name, p, sarama.OffsetNewest)
		if err != nil {
			return nil, fmt.Errorf("asking for the end of %s/%d: %w", fw.name, p, err)
		}
		fw.next[p] = end
	}
	pc, err := consumer.ConsumePartition(fw.name, p, fw.next[p])
	if errors.Is(err, sarama.ErrOffsetOutOfRange) {
		delete(fw.next, p) // the topic was made anew, or we were away for too long: the end it is
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s/%d from %d: %w", fw.name, p, fw.next[p], err)
	}
	return pc, nil
}

func forward(ctx context.Context, pc sarama.PartitionConsumer, out chan<- *sarama.ConsumerMessage) error {
	for {
		select {
		case m, ok := <-pc.Messages():
			if !ok {
				return errors.New("the broker ended the reading")
			}
			select {
			case out <- m:
			case <-ctx.Done():
				return ctx.Err()
			}
		case err := <-pc.Errors():
			if err != nil {
				return fmt.Errorf("reading %s/%d: %w", err.Topic, err.Partition, err.Err)
			}
			return errors.New("the broker ended the reading")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
