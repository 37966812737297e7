// Package enrich fills what a record does not say of itself but its text does: level, time, host, the fields of an access log,
// of logfmt and of JSON inside the message; then team and env from the service catalogue. It never changes what is there:
// not the message, and no field that the sender set.
//
// Formats are told apart by their first bytes, in a ladder of cheap checks; no regular expressions, and no allocation for a
// record that already carries level and time.
package enrich

import (
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/logrec"
)

// Config of an Enricher.
type Config struct {
	Env       string               // env of services that the catalogue gives none
	Catalogue *catalogue.Catalogue // nil = empty
}

// Enricher enriches records. It is not safe for concurrent use: each worker has one.
type Enricher struct {
	cfg    Config
	parser logrec.Parser
	inner  logrec.Record
	pairs  []pair

	known   bool   // service and owner are of a record before
	service string // of the record before: batches are grouped by service
	owner   catalogue.Service
}

// New makes an Enricher.
func New(cfg Config) *Enricher {
	if cfg.Catalogue == nil {
		cfg.Catalogue = &catalogue.Catalogue{}
	}
	return &Enricher{cfg: cfg}
}

// Reset forgets the buffers that earlier records point into.
func (e *Enricher) Reset() {
	e.parser.Reset()
	e.known = false
}

// Use takes another catalogue.
func (e *Enricher) Use(c *catalogue.Catalogue) { e.cfg.Catalogue, e.known = c, false }

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
	if err := e.parser.ParseObject([]byte(s), &e.inner); err == nil {
		e.merge(rec)
	}
}

// merge gives rec what the text said (e.inner) and the sender did not. Message and service stay as sent: the text is the message, and
// the service decides the partition.
func (e *Enricher) merge(rec *logrec.Record) {
	in := &e.inner
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
	if rec.ResponseStatus == 0 {
		rec.ResponseStatus = in.ResponseStatus
	}
	if !rec.HasResponseTime && in.HasResponseTime {
		rec.ResponseTimeMS, rec.HasResponseTime = in.ResponseTimeMS, true
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
	e.inner = logrec.Record{Attributes: e.inner.Attributes[:0]}
	for _, p := range e.pairs {
		e.name(p)
	}
	e.merge(rec)
	return true
}

// name puts p where its name belongs, by the alias table. What cannot be read as that field is an attribute: a text may say anything.
func (e *Enricher) name(p pair) {
	v := logrec.Value{Text: p.value}
	if !p.quoted && jsonScalar(p.value) {
		v.Kind = logrec.RawValue
	}
	if err := e.inner.Set(p.key, v); err != nil {
		_ = e.inner.SetAttribute(p.key, v) // full of attributes: the rest is in the message
	}
}

// ownership fills team and env from the catalogue.
func (e *Enricher) ownership(rec *logrec.Record) {
	if rec.Service != e.service || !e.known {
		e.service, e.owner, e.known = rec.Service, e.cfg.Catalogue.Service(rec.Service), true
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

func dashless(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
