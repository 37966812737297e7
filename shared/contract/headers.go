package contract

import (
	"errors"
	"fmt"
	"strconv"
)

// Enriched are the headers of a logs.enriched message: which offsets of logs.raw the block holds, and how far time has come.
// A heartbeat has an empty value, Rows 0 and From = To+1: it only moves the watermark.
type Enriched struct {
	Stream           uint32 // row of table stream that the offsets belong to
	Partition        int32
	From, To, Prev   int64  // first and last offset, both included, and the To of the block before (-1: none)
	Rows             int    // records in the block
	MinTime, MaxTime int64  // of the records' timestamps, ns since the epoch
	Watermark        int64  // every later record has an eval_time above it, ns
	Checksum         uint32 // CRC-32C of the value
}

// Heartbeat tells whether the message carries no block.
func (h Enriched) Heartbeat() bool { return h.Rows == 0 }

// Headers are the Kafka headers, in a fixed order.
func (h Enriched) Headers() []Header {
	return []Header{
		{HeaderContentType, ContentTypeBlock},
		{"stream", strconv.FormatUint(uint64(h.Stream), 10)},
		{"partition", strconv.FormatInt(int64(h.Partition), 10)},
		{"from", strconv.FormatInt(h.From, 10)},
		{"to", strconv.FormatInt(h.To, 10)},
		{"prev", strconv.FormatInt(h.Prev, 10)},
		{"rows", strconv.Itoa(h.Rows)},
		{"min-time", strconv.FormatInt(h.MinTime, 10)},
		{"max-time", strconv.FormatInt(h.MaxTime, 10)},
		{"watermark", strconv.FormatInt(h.Watermark, 10)},
		{"crc32c", strconv.FormatUint(uint64(h.Checksum), 10)},
	}
}

// ParseEnriched reads the headers back. A missing or unreadable one is an error that names it.
func ParseEnriched(hs map[string]string) (Enriched, error) {
	r := headerReader{hs: hs}
	h := Enriched{
		Stream: uint32(r.int("stream", 32)), Partition: int32(r.int("partition", 31)),
		From: r.int("from", 63), To: r.int("to", 63), Prev: r.int("prev", 63),
		Rows: int(r.int("rows", 31)), MinTime: r.int("min-time", 63), MaxTime: r.int("max-time", 63),
		Watermark: r.int("watermark", 63), Checksum: uint32(r.int("crc32c", 32)),
	}
	if r.err == nil && h.Rows < 0 {
		r.err = errors.New("header rows is negative")
	}
	return h, r.err
}

// headerReader reads integers and keeps the first error.
type headerReader struct {
	hs  map[string]string
	err error
}

func (r *headerReader) int(name string, bits int) int64 {
	text, ok := r.hs[name]
	if !ok && r.err == nil {
		r.err = fmt.Errorf("header %s is missing", name)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && bits < 63 && (n >= 1<<bits || n < -(1<<bits)) {
		err = strconv.ErrRange
	}
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("reading header %s: %w", name, err)
	}
	return n
}

// Dead are the headers of a logs.dead message: why it is there, and where it lay. The key and value are the message's own.
type Dead struct {
	Error     string
	Component string // who gave up on it
	Topic     string
	Partition int32
	Offset    int64

	Kind   string // of the error, one of few words; "" from writers of before
	Stream uint32 // row of table stream that the offset belongs to, on logs.raw; 0 = none
	Time   int64  // when it was written there, ns since the epoch; 0 = not known
}

// Kinds of dead letters. Those of the processor are in docs/dead-letters.md.
const (
	DeadUndelivered = "undelivered" // an alert event that a receiver did not take
	DeadUnreadable  = "unreadable"  // a message of an input topic
)

// Headers are the Kafka headers, in a fixed order. The message's own content-type follows them; a bridge adds all under original-<name>.
func (d Dead) Headers() []Header {
	hs := []Header{
		{"error", d.Error}, {"component", d.Component}, {"topic", d.Topic},
		{"partition", strconv.FormatInt(int64(d.Partition), 10)}, {"offset", strconv.FormatInt(d.Offset, 10)}, {"kind", d.Kind},
	}
	if d.Stream != 0 {
		hs = append(hs, Header{"stream", strconv.FormatUint(uint64(d.Stream), 10)})
	}
	if d.Time != 0 {
		hs = append(hs, Header{"time", strconv.FormatInt(d.Time, 10)})
	}
	return hs
}

// ParseDead reads the headers back. Those that letters of before do not have may be absent.
func ParseDead(hs map[string]string) (Dead, error) {
	r := headerReader{hs: hs}
	d := Dead{Error: hs["error"], Component: hs["component"], Topic: hs["topic"], Partition: int32(r.int("partition", 31)), Offset: r.int("offset", 63), Kind: hs["kind"]}
	if hs["stream"] != "" {
		d.Stream = uint32(r.int("stream", 32))
	}
	if hs["time"] != "" {
		d.Time = r.int("time", 63)
	}
	return d, r.err
}
