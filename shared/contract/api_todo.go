// Package contract is what Logmill's services promise each other on Kafka: topics, keys, headers, encodings, limits.
package contract

import "github.com/logmill/logmill/shared/logrec"

// TODO(helper A): agreed API; give each thing its own file (topics.go home.go raw.go enriched.go dead.go limits.go).

const (
	TopicRaw         = "logs.raw"
	TopicEnriched    = "logs.enriched"
	TopicDead        = "logs.dead"
	TopicAlerts      = "alerts.fired"
	TopicAlertsState = "alerts.state"

	ContentTypeOTLP  = "application/x-protobuf"
	ContentTypeJSON  = "application/json"
	ContentTypeBlock = "application/vnd.apache.parquet"

	HeaderContentType = "content-type"
)

// Consumer groups: the processor's committed offsets are its stored progress (lag guard and lag displays read them).
const (
	GroupProcessor = "logmill-processor"
	GroupEvaluator = "logmill-alert-evaluator"
)

// Header is a Kafka record header.
type Header struct{ Key, Value string }

// TopicSpec is how a topic must be.
type TopicSpec struct {
	Name       string
	Partitions int32
	Config     map[string]string
}

// Topics are the topics of an installation. embedded = the development broker: logs.raw then has neither time nor byte
// retention (the processor trims it), the others retention.bytes; retention.ms=-1 everywhere.
func Topics(partitions int32, embedded bool) []TopicSpec { panic("todo") }

// Home is the partition a service's records live in: murmur2(service) & 0x7fffffff mod partitions, as Kafka's Java client does.
func Home(service string, partitions int32) int32 { panic("todo") }

// Encoder makes ExportLogsServiceRequest bytes of records, grouped by service. Reuse one a goroutine.
// Our fields that OTLP has no place for ride as attributes named like our columns (user_id, request_method, …).
type Encoder struct{}

func (e *Encoder) Add(rec *logrec.Record)        {}                // copies what it needs: rec may be reused at once
func (e *Encoder) Len() int                      { panic("todo") } // records
func (e *Encoder) Size() int                     { panic("todo") } // bytes that AppendTo will add, within a few per cent above
func (e *Encoder) AppendTo(dst []byte) []byte    { panic("todo") } // the whole message
func (e *Encoder) Reset()                        {}
func (e *Encoder) SingleService() (string, bool) { panic("todo") }

// Batch is a decoded message. Strings point into the message's bytes or the batch's buffer: valid until Reset.
type Batch struct {
	Records  []logrec.Record
	Rejected []Rejected // records of a JSON message that could not be read; the message's other records stand
}

// Rejected is one record that could not be read.
type Rejected struct {
	Row    int
	Reason string
}

func (b *Batch) Reset() {}

// DecodeRaw appends the records of a logs.raw message to b, sets SrcRow (0, 1, … in the message) and SrcOffset = offset.
// contentType "" is sniffed ('{' or '[' = JSON). Foreign OTLP attribute names (http.request.method, url.path,
// http.response.status_code, enduser.id …) fill our fields by the alias table of logrec.
// An error means the message as a whole is poison.
func (b *Batch) DecodeRaw(contentType string, value []byte, offset int64) error { panic("todo") }

// Enriched are the headers of a logs.enriched message. A heartbeat has an empty value, From = To+1 and Rows = 0.
type Enriched struct {
	Stream           uint32 // row of table stream that the offsets belong to
	Partition        int32
	From, To, Prev   int64 // logs.raw offsets: first and last in the block, and the To of the block before (-1: none)
	Rows             int
	MinTime, MaxTime int64  // ns
	Watermark        int64  // ns
	Checksum         uint32 // CRC-32C of the value
}

func (h Enriched) Headers() []Header                       { panic("todo") }
func ParseEnriched(hs map[string]string) (Enriched, error) { panic("todo") }

// Dead are the headers of a logs.dead message: why, and where it lay.
type Dead struct {
	Error, Topic string
	Partition    int32
	Offset       int64
	Component    string
}

func (d Dead) Headers() []Header                   { panic("todo") }
func ParseDead(hs map[string]string) (Dead, error) { panic("todo") }
