package handle

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
)

// Raw is the Watermill handler of logs.raw: it queues the message with its partition's worker and acknowledges it. That is safe because
// positions live in MySQL: what is not stored is read again.
//
// It never fails. When the worker is gone, its claim is ending, and the message is acknowledged unstored: a refusal would make Watermill
// send it for ever, and the claim would never end.
func (ps *Partitions) Raw(msg *message.Message) error {
	info := bus.InfoOf(msg)
	w := ps.worker(info.Partition)
	if w == nil {
		return nil
	}
	if err := w.Put(msg.Context(), rawMessage(msg, info)); err != nil {
		ps.deps.Logger.Debug().Err(err).Int32("partition", info.Partition).Int64("offset", info.Offset).Msg("message left to the next owner")
	}
	return nil
}

func rawMessage(msg *message.Message, info bus.Info) pipeline.Message {
	m := pipeline.Message{Offset: info.Offset, ContentType: msg.Metadata.Get(contract.HeaderContentType), Import: msg.Metadata.Get(contract.HeaderImport) == "true",
		Key: info.Key, Value: msg.Payload, Identity: contract.ParseIdentity(msg.Metadata), Request: contract.ParseRequest(msg.Metadata), Replay: contract.ParseReplay(msg.Metadata)}
	if !info.Time.IsZero() && info.Time.Unix() > 0 {
		m.Time = info.Time.UnixNano()
	}
	return m
}
