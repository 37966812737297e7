package contract

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"strconv"

	"github.com/logmill/logmill/shared/logrec"
)

// Attribute names under which our own fields ride in OTLP: those that OTLP has no place for. They are our column names.
const (
	attrService = "service.name" // of the resource
	attrUser    = "user_id"
	attrMethod  = "request_method"
	attrPath    = "request_path"
	attrStatus  = "response_status"
	attrTime    = "response_time_ms"
	attrTraceID = "trace_id" // ids that are not hex
	attrSpanID  = "span_id"
	attrHost    = "host"
	attrEnv     = "env"
	attrTeam    = "team"
)

// Encoder makes ExportLogsServiceRequest bytes (opentelemetry-proto v1) of records, one ResourceLogs a service. Reuse one a goroutine.
type Encoder struct {
	groups  map[string]*group
	order   []*group // of this message, by first record
	records int
	size    int
}

// group is the encoded LogRecords of one service.
type group struct {
	service string
	logs    []byte
}

// maxGroups bounds the buffers that an encoder keeps between messages.
const maxGroups = 4096

// Add appends a record. It copies what it needs.
func (e *Encoder) Add(rec *logrec.Record) {
	g := e.group(rec.Service)
	before := len(g.logs)
	g.logs = appendKey(g.logs, 2, wireBytes) // ScopeLogs.log_records
	at := len(g.logs)
	g.logs = insertLength(appendRecord(append(g.logs, 0, 0), rec), at)
	e.size += len(g.logs) - before
	e.records++
}

// insertLength writes the length of what begins two bytes behind at in front of it. Most records' lengths take those two bytes.
func insertLength(b []byte, at int) []byte {
	const room = 2
	n := len(b) - at - room
	size := varintLen(uint64(n))
	if size != room {
		b = append(b, make([]byte, max(0, size-room))...)
		copy(b[at+size:], b[at+room:at+room+n])
		b = b[:at+size+n]
	}
	binary.PutUvarint(b[at:at+size], uint64(n))
	return b
}

func (e *Encoder) group(service string) *group {
	if n := len(e.order); n > 0 && e.order[n-1].service == service {
		return e.order[n-1]
	}
	g, ok := e.groups[service]
	if !ok {
		if e.groups == nil {
			e.groups = map[string]*group{}
		}
		g = &group{service: string(append([]byte(nil), service...))} // the caller's buffer does not last
		e.groups[g.service] = g
	}
	if len(g.logs) == 0 {
		e.order = append(e.order, g)
		e.size += len(service) + 64
	}
	return g
}

// Len is the number of records added.
func (e *Encoder) Len() int { return e.records }

// Size is about the number of bytes that AppendTo will add, never less.
func (e *Encoder) Size() int { return e.size }

// SingleService is the service when all records are of one.
func (e *Encoder) SingleService() (string, bool) {
	if len(e.order) != 1 {
		return "", false
	}
	return e.order[0].service, true
}

// Reset forgets the records and keeps the buffers.
func (e *Encoder) Reset() {
	for _, g := range e.order {
		g.logs = g.logs[:0]
	}
	if len(e.groups) > maxGroups {
		clear(e.groups)
	}
	e.order, e.records, e.size = e.order[:0], 0, 0
}

// AppendTo appends the whole message to dst.
func (e *Encoder) AppendTo(dst []byte) []byte {
	dst = slices.Grow(dst, e.size)
	for _, g := range e.order {
		kv := keyValueLen(attrService, len(g.service))
		resource := bytesLen(kv)
		dst = appendBytesKey(dst, 1, bytesLen(resource)+bytesLen(len(g.logs))) // resource_logs
		dst = appendBytesKey(dst, 1, resource)                                 // resource
		dst = appendText(dst, 1, attrService, g.service)                       // attributes
		dst = appendBytesKey(dst, 2, len(g.logs))                              // scope_logs
		dst = append(dst, g.logs...)
	}
	return dst
}

// appendRecord appends the fields of a LogRecord.
func appendRecord(b []byte, r *logrec.Record) []byte {
	b = appendFixed64(b, 1, uint64(r.Timestamp))
	if n := r.Level.Severity(); n != 0 {
		b = append(appendKey(b, 2, wireVarint), byte(n))
	}
	if r.Message != "" {
		b = appendBytesKey(b, 5, bytesLen(len(r.Message))) // body, an AnyValue
		b = appendString(b, 1, r.Message)
	}
	var buf [16 + 8]byte
	trace, span := unhex(buf[:16], r.TraceID), unhex(buf[16:], r.SpanID)
	b = appendFields(b, r, trace, span)
	for i := range r.Attributes {
		b = appendAttribute(b, &r.Attributes[i])
	}
	if trace {
		b = append(appendBytesKey(b, 9, 16), buf[:16]...)
	}
	if span {
		b = append(appendBytesKey(b, 10, 8), buf[16:]...)
	}
	return appendFixed64(b, 11, uint64(r.Observed))
}

func appendFixed64(b []byte, tag int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendKey(b, tag, wireFixed64), v)
}

// appendFields appends what OTLP has no place for; trace and span tell which of the ids are in their own places.
func appendFields(b []byte, r *logrec.Record, trace, span bool) []byte {
	b = appendPresent(b, attrUser, r.UserID)
	b = appendPresent(b, attrMethod, r.RequestMethod)
	b = appendPresent(b, attrPath, r.RequestPath)
	if r.ResponseStatus != 0 {
		v := uint64(r.ResponseStatus)
		b = appendValue(b, attrStatus, 1+varintLen(v))
		b = binary.AppendUvarint(appendKey(b, 3, wireVarint), v)
	}
	if r.HasResponseTime {
		b = appendValue(b, attrTime, 9)
		b = binary.LittleEndian.AppendUint64(appendKey(b, 4, wireFixed64), math.Float64bits(r.ResponseTimeMS))
	}
	if !trace {
		b = appendPresent(b, attrTraceID, r.TraceID)
	}
	if !span {
		b = appendPresent(b, attrSpanID, r.SpanID)
	}
	b = appendPresent(b, attrHost, r.Host)
	b = appendPresent(b, attrEnv, r.Env)
	return appendPresent(b, attrTeam, r.Team)
}

func appendPresent(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(b, 6, name, value)
}

// keyValueLen is the size of a KeyValue with a text of n bytes.
func keyValueLen(name string, n int) int { return bytesLen(len(name)) + bytesLen(bytesLen(n)) }

// appendText appends a KeyValue with a text as field tag.
func appendText(b []byte, tag int, name, value string) []byte {
	b = appendBytesKey(b, tag, keyValueLen(name, len(value)))
	b = appendString(b, 1, name)
	b = appendBytesKey(b, 2, bytesLen(len(value)))
	return appendString(b, 1, value)
}

// appendValue begins an attribute whose AnyValue has n bytes; the caller appends them.
func appendValue(b []byte, name string, n int) []byte {
	b = appendBytesKey(b, 6, bytesLen(len(name))+bytesLen(n))
	b = appendString(b, 1, name)
	return appendBytesKey(b, 2, n)
}

// appendAttribute appends a free attribute. Whole numbers, other numbers and truth values get OTLP's own kinds; objects and arrays
// ride as JSON text under a marked name, so that they come back as they were, digit for digit.
func appendAttribute(b []byte, a *logrec.Attr) []byte {
	if a.Kind == logrec.String {
		return appendText(b, 6, a.Key, a.Value)
	}
	if a.Value == "true" || a.Value == "false" {
		b = appendValue(b, a.Key, 2)
		bit := byte(0)
		if a.Value == "true" {
			bit = 1
		}
		return append(appendKey(b, 2, wireVarint), bit)
	}
	if i, err := strconv.ParseInt(a.Value, 10, 64); err == nil && strconv.FormatInt(i, 10) == a.Value {
		b = appendValue(b, a.Key, 1+varintLen(uint64(i)))
		return binary.AppendUvarint(appendKey(b, 3, wireVarint), uint64(i))
	}
	if f, err := strconv.ParseFloat(a.Value, 64); err == nil && strconv.FormatFloat(f, 'g', -1, 64) == a.Value {
		b = appendValue(b, a.Key, 9)
		return binary.LittleEndian.AppendUint64(appendKey(b, 4, wireFixed64), math.Float64bits(f))
	}
	return appendText(b, 6, a.Key+jsonSuffix, a.Value)
}

// jsonSuffix marks a text attribute that holds JSON. The NUL keeps it apart from any name that people use.
const jsonSuffix = "\x00json"

// notHex marks what is no digit of lower-case hex.
const notHex = 0xff

var nibbles = func() (t [256]uint8) {
	for c := range t {
		t[c] = notHex
	}
	for i, c := range "0123456789abcdef" {
		t[c] = uint8(i)
	}
	return t
}()

// unhex fills dst with the id that s spells; false when s is no lower-case hex of that length.
func unhex(dst []byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	bad := uint8(0)
	for i := range dst {
		hi, lo := nibbles[s[2*i]], nibbles[s[2*i+1]]
		dst[i] = hi<<4 | lo
		bad |= hi | lo // digits are below 16
	}
	return bad < 16
}

// appendHex appends b as lower-case hex.
func appendHex(dst, b []byte) []byte { return hex.AppendEncode(dst, b) }
