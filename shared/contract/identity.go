package contract

import (
	"encoding/hex"
	"strconv"
)

// Headers of a logs.raw message by which a reader knows a batch that was written again. Others may produce to logs.raw too and may
// use any names: ours are marked.
const (
	HeaderProducer = "logmill-producer"
	HeaderSequence = "logmill-sequence"
)

// ProducerID names one life of one producer: whoever makes a new Kafka producer makes a new id.
type ProducerID [16]byte

// Identity says which batch a logs.raw message is, so that a batch which was written twice is stored once. Sequence grows, from 1 on,
// with each message that the producer sends to the partition, in the order in which it sends them; the numbers need not be without gaps.
// Sequence 0 = the message has no identity and is taken as it is.
type Identity struct {
	Producer ProducerID
	Sequence int64
}

// Headers are the Kafka headers, in a fixed order; none without an identity.
func (i Identity) Headers() []Header {
	if i.Sequence == 0 {
		return nil
	}
	return []Header{{HeaderProducer, hex.EncodeToString(i.Producer[:])}, {HeaderSequence, strconv.FormatInt(i.Sequence, 10)}}
}

// ParseIdentity reads the headers back. Absent or unreadable ones are no identity: whoever writes them wrongly gets what whoever does not
// write them gets, and loses nothing.
func ParseIdentity(hs map[string]string) Identity {
	var i Identity
	id, named := hs[HeaderProducer]
	if !named || len(id) != hex.EncodedLen(len(i.Producer)) {
		return Identity{}
	}
	if _, err := hex.Decode(i.Producer[:], []byte(id)); err != nil {
		return Identity{}
	}
	n, err := strconv.ParseInt(hs[HeaderSequence], 10, 64)
	if err != nil || n < 1 {
		return Identity{}
	}
	i.Sequence = n
	return i
}
