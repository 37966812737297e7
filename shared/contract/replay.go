package contract

import (
	"fmt"
	"strings"
)

// Headers of a dead letter that is sent to logs.raw once more.
const (
	HeaderReplay     = "logmill-replay"
	HeaderReplayedBy = "logmill-replayed-by"
)

// maxReplayedBy is in bytes, of dead_letter.replayed_by.
const maxReplayedBy = 200

// Replay says that a logs.raw message is a dead letter of its partition, sent once more. The processor, which remembers what went to logs.dead, stores
// of it what it could not read then, the first time that it sees one. Stream 0 = the message is no replay.
type Replay struct {
	Stream    uint32 // row of table stream
	Partition int32
	Offset    int64  // of the message that became a dead letter
	By        string // who asked for it, for people
}

// Headers are the Kafka headers, in a fixed order; none without a stream.
func (r Replay) Headers() []Header {
	if r.Stream == 0 {
		return nil
	}
	return []Header{{HeaderReplay, fmt.Sprintf("%d-%d-%d", r.Stream, r.Partition, r.Offset)}, {HeaderReplayedBy, r.By}}
}

// ParseReplay reads the headers back. Absent or unreadable ones are none, as with ParseIdentity.
func ParseReplay(hs map[string]string) Replay {
	var r Replay
	text := hs[HeaderReplay]
	if _, err := fmt.Sscanf(text, "%d-%d-%d", &r.Stream, &r.Partition, &r.Offset); err != nil || r.Stream == 0 || text != r.Headers()[0].Value {
		return Replay{}
	}
	by := hs[HeaderReplayedBy]
	r.By = strings.ToValidUTF8(by[:min(len(by), maxReplayedBy)], "")
	return r
}
