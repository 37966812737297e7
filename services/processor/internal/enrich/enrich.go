// Package enrich fills what a record does not say of itself but its text does: level, time, host, the fields of an access log,
// of logfmt and of JSON inside the message; then team and env from the service catalogue. It never changes what is there:
// not the message, and no field that the sender set.
//
// Formats are told apart by their first bytes, in a ladder of cheap checks; no regular expressions, and no allocation for a
// record that already carries level and time.
package enrich

import (
	"slices"
	"strconv"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// Config of an Enricher.
type Config struct {
	Env       string     // env of services that the catalogue gives none
	Catalogue *Catalogue // nil = empty
}

// Enricher enriches records. It is not safe for concurrent use: each worker has one.
type Enricher struct {
	cfg    Config
	parser logrec.Parser
	inner  logrec.Record
	pairs  []pair

	service string // of the record before: batches are grouped by service
	owner   Owner
}

// New makes an Enricher.
func New(cfg Config) *Enricher {
	if cfg.Catalogue == nil {
		cfg.Catalogue = &Catalogue{}
	}
	return &Enricher{cfg: cfg}
}

// Reset forgets the buffers that earlier records point into.
func (e *Enricher) Reset() {
	e.parser.Reset()
	e.service, e.owner = "", Owner{}
}

// Record fills rec. observed is when it was received, ns. Afterwards Timestamp and Level are set. Strings may point into buffers of
// the Enricher until its next Reset.
func (e *Enricher) Record(rec *logrec.Record, observed int64) {
	e.text(rec, observed)
	if rec.Timestamp == 0 {
		rec.Timestamp = observed
	}
	if rec.Level == logrec.LevelAbsent {
		rec.Level = logrec.LevelInfo
	}
	e.ownership(rec)
	hostAttribute(rec)
}

// text reads the message in the first way that fits it.
func (e *Enricher) text(rec *logrec.Record, observed int64) {
	s := rec.Message
	if len(s) < 4 {
		return
	}
	switch {
	case s[0] == '{':
		e.json(rec)
		return
	case looksLikePairs(s):
		if e.logfmt(rec) {
			return
		}
	case s[0] != '[' && looksLikeAccess(s):
		if a, ok := parseAccess(s); ok {
			fillAccess(rec, a)
			return
		}
	}
	if rec.Timestamp == 0 || rec.Level == logrec.LevelAbsent {
		f := read(s, observed)
		fillFacts(rec, f)
	}
}

func fillFacts(rec *logrec.Record, f facts) {
	setTime(rec, f.time)
	setLevel(rec, f.level)
	setText(&rec.Host, f.host)
}

func fillAccess(rec *logrec.Record, a access) {
	setTime(rec, a.time)
	setLevel(rec, a.level())
	setText(&rec.RequestMethod, a.method)
	setText(&rec.RequestPath, a.path)
	setText(&rec.UserID, dashless(a.user))
	if rec.ResponseStatus == 0 {
		rec.ResponseStatus = a.status
	}
	addAttr(rec, logrec.Attr{Key: "client_ip", Value: a.client})
	if jsonNumber(a.bytes) {
		addAttr(rec, logrec.Attr{Key: "bytes", Value: a.bytes, Kind: logrec.JSON})
	}
	addAttr(rec, logrec.Attr{Key: "referer", Value: dashless(cut(a.referer, maxValueBytes))})
	addAttr(rec, logrec.Attr{Key: "user_agent", Value: dashless(cut(a.agent, maxValueBytes))})
}

// json reads a message that is a JSON object; anything else that begins with a brace stays text.
func (e *Enricher) json(rec *logrec.Record) {
	s := strings.TrimRight(rec.Message, " \r\n\t")
	if len(s) > maxJSONBytes || s[len(s)-1] != '}' {
		return
	}
	in := &e.inner
	if err := e.parser.ParseObject([]byte(s), in); err != nil {
		return
	}
	setTime(rec, in.Timestamp)
	setLevel(rec, in.Level)
	setText(&rec.TraceID, in.TraceID)
	setText(&rec.SpanID, in.SpanID)
	setText(&rec.UserID, in.UserID)
	setText(&rec.RequestMethod, in.RequestMethod)
	setText(&rec.RequestPath, in.RequestPath)
	setText(&rec.Host, in.Host)
	setText(&rec.Team, in.Team)
	setText(&rec.Env, in.Env)
	setStatus(rec, in.ResponseStatus)
	if in.HasResponseTime {
		setResponseTime(rec, in.ResponseTimeMS)
	}
	for i := range min(len(in.Attributes), maxPairs) {
		addAttr(rec, in.Attributes[i])
	}
}

// logfmt reads a message that is key=value throughout.
func (e *Enricher) logfmt(rec *logrec.Record) bool {
	var ok bool
	if e.pairs, ok = parsePairs(e.pairs[:0], rec.Message); !ok {
		return false
	}
	for _, p := range e.pairs {
		if !fillNamed(rec, p) {
			addAttr(rec, p.attr())
		}
	}
	return true
}

// fillNamed puts p where its name belongs; false = it is an attribute.
func fillNamed(rec *logrec.Record, p pair) bool {
	switch p.key {
	case "level", "lvl", "severity":
		if l, ok := logrec.ParseLevel(p.value); ok {
			setLevel(rec, l)
		}
	case "ts", "time", "timestamp", "t":
		setTime(rec, parseTime(p.value))
	case "msg", "message", "service": // in the text already; the service decides the partition and stays as sent
	case "trace_id", "traceID", "traceId", "trace":
		setText(&rec.TraceID, p.value)
	case "span_id", "spanID", "spanId", "span":
		setText(&rec.SpanID, p.value)
	case "user_id", "user", "userId":
		setText(&rec.UserID, p.value)
	case "host", "hostname":
		setText(&rec.Host, p.value)
	case "method", "http_method", "request_method":
		setText(&rec.RequestMethod, p.value)
	case "path", "uri", "url", "request_path":
		setText(&rec.RequestPath, p.value)
	case "status", "status_code", "response_status":
		n, err := strconv.ParseInt(p.value, 10, 32)
		if err != nil {
			return false
		}
		setStatus(rec, int32(n))
	case "duration", "response_time_ms", "duration_ms", "latency_ms", "elapsed_ms", "took":
		ms, ok := milliseconds(p.value)
		if !ok {
			return false
		}
		setResponseTime(rec, ms)
	default:
		return false
	}
	return true
}

func parseTime(s string) int64 {
	if ns, ok := logrec.ParseTime(s); ok {
		return ns
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		if ns, ok := logrec.TimeOfNumber(v); ok {
			return ns
		}
	}
	return 0
}

// ownership fills team and env from the catalogue.
func (e *Enricher) ownership(rec *logrec.Record) {
	if rec.Service != e.service || e.owner == (Owner{}) {
		e.service, e.owner = rec.Service, e.cfg.Catalogue.Owner(rec.Service)
		if e.owner.Env == "" {
			e.owner.Env = e.cfg.Env
		}
	}
	setText(&rec.Team, e.owner.Team)
	if rec.Env == "" {
		setText(&rec.Env, attribute(rec, "env", "environment", "deployment.environment", "deployment.environment.name"))
	}
	setText(&rec.Env, e.owner.Env)
}

func hostAttribute(rec *logrec.Record) {
	if rec.Host == "" && len(rec.Attributes) > 0 {
		rec.Host = attribute(rec, "host", "host.name", "hostname", "k8s.node.name")
	}
}

// attribute is the text of the first of the names that rec has.
func attribute(rec *logrec.Record, names ...string) string {
	for i := range rec.Attributes {
		if a := &rec.Attributes[i]; a.Kind == logrec.String && slices.Contains(names, a.Key) {
			return a.Value
		}
	}
	return ""
}

// addAttr adds a unless rec has the name already. The slice is clipped first: a record's attributes may lie in an array that they share
// with the next record's.
func addAttr(rec *logrec.Record, a logrec.Attr) {
	if a.Key == "" || a.Value == "" || len(rec.Attributes) >= maxPairs {
		return
	}
	for i := range rec.Attributes {
		if rec.Attributes[i].Key == a.Key {
			return
		}
	}
	rec.Attributes = append(slices.Clip(rec.Attributes), a)
}

func setTime(rec *logrec.Record, ns int64) {
	if rec.Timestamp == 0 {
		rec.Timestamp = ns
	}
}

func setLevel(rec *logrec.Record, l logrec.Level) {
	if rec.Level == logrec.LevelAbsent {
		rec.Level = l
	}
}

func setText(dst *string, s string) {
	if *dst == "" {
		*dst = s
	}
}

func setStatus(rec *logrec.Record, status int32) {
	if rec.ResponseStatus == 0 && status >= 100 && status <= 999 {
		rec.ResponseStatus = status
	}
}

func setResponseTime(rec *logrec.Record, ms float64) {
	if !rec.HasResponseTime {
		rec.ResponseTimeMS, rec.HasResponseTime = ms, true
	}
}

func dashless(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
