package contract

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// Headers of a logs.raw message by which a reader knows a batch, or a request, that was written again. Others may produce to logs.raw too and may
// use any names: ours are marked.
const (
	HeaderProducer    = "logmill-producer"
	HeaderSequence    = "logmill-sequence"
	HeaderRequest     = "logmill-request"
	HeaderFingerprint = "logmill-fingerprint"
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

// RequestKey stands for the Idempotency-Key of a request, whatever it looks like.
type RequestKey [16]byte

// KeyOf is the first half of the SHA-256 of caller, NUL, and Idempotency-Key. A caller is known by its token; without tokens all are one, "".
func KeyOf(caller, idempotencyKey string) RequestKey {
	sum := sha256.Sum256([]byte(caller + "\x00" + idempotencyKey))
	return RequestKey(sum[:16])
}

// Request says which request, of those with an Idempotency-Key, all records of a message come from. All records of the request that are at
// home in the partition are in this one message. A message with the zero Request has no such key.
type Request struct {
	Key         RequestKey
	Fingerprint uint64 // of the request's body: the same key with another is a mistake of the sender
}

// FingerprintOf a body that was sent to a route: the first 8 bytes of the SHA-256 of both.
func FingerprintOf(route string, body []byte) uint64 {
	h := sha256.New()
	h.Write(append([]byte(route), 0))
	h.Write(body)
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// Headers are the Kafka headers, in a fixed order; none without a key.
func (r Request) Headers() []Header {
	if r == (Request{}) {
		return nil
	}
	return []Header{{HeaderRequest, hex.EncodeToString(r.Key[:])}, {HeaderFingerprint, fmt.Sprintf("%016x", r.Fingerprint)}}
}

// ParseRequest reads the headers back. Absent or unreadable ones are none, as with ParseIdentity.
func ParseRequest(hs map[string]string) Request {
	var r Request
	key, keyed := hs[HeaderRequest]
	if !keyed || len(key) != hex.EncodedLen(len(r.Key)) {
		return Request{}
	}
	if _, err := hex.Decode(r.Key[:], []byte(key)); err != nil {
		return Request{}
	}
	var err error
	if r.Fingerprint, err = strconv.ParseUint(hs[HeaderFingerprint], 16, 64); err != nil || len(hs[HeaderFingerprint]) != 16 {
		return Request{}
	}
	return r
}
