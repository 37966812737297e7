package bus

import (
	"context"

	"github.com/IBM/sarama"
)

// Hook tells a service of its partitions. Positions come from Load (MySQL), not from the group; the group's offsets are only
// what Claim.MarkStored marks, so that anyone can read from them what is stored.
type Hook struct {
	// Load is asked, before anything is read, where to read on: the next offset of each partition. An error makes the group join again later.
	// A claim that is taken away while it loads is never Assigned.
	Load func(ctx context.Context, topic string, parts []int32) (next map[int32]int64, err error)
	// Assigned is called when reading begins; it must not block for long.
	Assigned func(*Claim)
	// Revoked is called when the partition is given up. In-flight handlers of it are done; work beyond them must be fenced.
	Revoked func(*Claim)
	// Lost is called instead of Assigned when the broker does not have the offset that Load said. The partition is not read until the next assignment.
	Lost func(topic string, partition int32, want int64)
}

// Claim is one partition while it is ours.
type Claim struct {
	Topic     string // without prefix
	Partition int32
	Start     int64 // the first offset that will be read
	session   sarama.ConsumerGroupSession
	full      string // topic with prefix
}

// MarkStored says that all below next is stored. It is committed to the group within half a second.
func (c *Claim) MarkStored(next int64) { c.session.MarkOffset(c.full, c.Partition, next, "") }

// Done is closed when the claim is being taken away.
func (c *Claim) Done() <-chan struct{} { return c.session.Context().Done() }

// Context ends when the claim is being taken away.
func (c *Claim) Context() context.Context { return c.session.Context() }

// tracer is Watermill's hook into sarama, used to be told of partitions.
type tracer struct {
	hook   Hook
	short  func(topic string) string // takes the prefix off
	rejoin *rejoin
}

func (*tracer) WrapConsumer(c sarama.Consumer) sarama.Consumer { return c }

func (*tracer) WrapPartitionConsumer(c sarama.PartitionConsumer) sarama.PartitionConsumer { return c }

func (*tracer) WrapSyncProducer(_ *sarama.Config, p sarama.SyncProducer) sarama.SyncProducer {
	return p
}

// WrapConsumerGroupHandler is called before each try to join.
func (t *tracer) WrapConsumerGroupHandler(h sarama.ConsumerGroupHandler) sarama.ConsumerGroupHandler {
	t.rejoin.pause()
	return &groupHandler{ConsumerGroupHandler: h, tracer: t}
}

type groupHandler struct {
	sarama.ConsumerGroupHandler
	tracer *tracer
	want   map[string]map[int32]int64 // written in Setup, read in ConsumeClaim of the same session
}

func (h *groupHandler) Setup(s sarama.ConsumerGroupSession) error {
	h.want = map[string]map[int32]int64{}
	for topic, parts := range s.Claims() {
		next, err := h.tracer.hook.Load(s.Context(), h.tracer.short(topic), parts)
		if s.Context().Err() != nil {
			// Partitions move again already. As an error it would make this member leave, wait and come back as another one, which moves them
			// once more, under whoever loads then: two members could keep each other from ever loading. Nothing is read in a session that ended.
			h.tracer.rejoin.joined.Store(true)
			return nil //nolint:nilerr
		}
		if err != nil {
			return err
		}
		h.want[topic] = next
		for p, off := range next {
			s.MarkOffset(topic, p, off, "")  // moves forward only
			s.ResetOffset(topic, p, off, "") // moves backward only
		}
	}
	h.tracer.rejoin.joined.Store(true)
	return h.ConsumerGroupHandler.Setup(s)
}

func (h *groupHandler) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	topic, p := c.Topic(), c.Partition()
	if want, ok := h.want[topic][p]; ok && c.InitialOffset() < 0 { // sarama fell back to Offsets.Initial: out of range
		h.tracer.hook.Lost(h.tracer.short(topic), p, want)
		<-s.Context().Done()
		return nil
	}
	claim := &Claim{Topic: h.tracer.short(topic), Partition: p, Start: c.InitialOffset(), session: s, full: topic}
	h.tracer.hook.Assigned(claim)
	defer h.tracer.hook.Revoked(claim)
	return h.ConsumerGroupHandler.ConsumeClaim(unmarked{s}, c)
}

// unmarked keeps Watermill's acknowledgements away from the group: they say that a message is taken, not that it is stored.
type unmarked struct{ sarama.ConsumerGroupSession }

func (unmarked) MarkMessage(*sarama.ConsumerMessage, string) {}

func (unmarked) Commit() {}
