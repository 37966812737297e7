package contract

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"github.com/logmill/logmill/shared/logrec"
)

// Batch is the records of a message. Strings point into the message's bytes or the batch's buffers: all of it is good until Reset.
type Batch struct {
	Records  []logrec.Record
	Rejected []Rejected // what could not be read while the rest of the message could

	buf    []byte // hex ids, unescaped texts
	parser logrec.Parser
}

// Rejected is one record that could not be accepted.
type Rejected struct {
	Row    int  // its place in the message, from 0
	Line   int  // JSON bodies: the line (NDJSON) or element (array), from 1
	Rest   bool // it is all from Row on: the body is damaged there
	Field  string
	Reason string
}

// Reset forgets the records and keeps the buffers.
func (b *Batch) Reset() {
	b.Records, b.Rejected, b.buf = b.Records[:0], b.Rejected[:0], b.buf[:0]
	b.parser.Reset()
}

// DecodeRaw appends the records of a logs.raw message to b, with SrcOffset and SrcRow (0, 1, … in the message, rejected ones
// counted). contentType "" is sniffed: a brace or a bracket begins JSON. An error means that the message as a whole is poison,
// and leaves b as it was.
func (b *Batch) DecodeRaw(contentType string, value []byte, offset int64) (err error) {
	first := len(b.Records)
	contentType = strings.ToLower(contentType)
	switch {
	case strings.HasPrefix(contentType, ContentTypeOTLP):
		err = b.DecodeOTLP(value)
	case strings.HasPrefix(contentType, ContentTypeJSON) || contentType == "application/x-ndjson" || contentType == "" && looksLikeJSON(value):
		err = b.DecodeJSON(value)
	case contentType == "":
		err = b.DecodeOTLP(value)
	default:
		err = fmt.Errorf("content-type %q is not understood (%s, %s)", contentType, ContentTypeOTLP, ContentTypeJSON)
	}
	if err != nil {
		return err
	}
	for i := first; i < len(b.Records); i++ {
		b.Records[i].SrcOffset = offset
	}
	return nil
}

func looksLikeJSON(value []byte) bool {
	for _, c := range value {
		switch c {
		case ' ', '\t', '\r': // not \n: it is the first byte of every OTLP message
		default:
			return c == '{' || c == '['
		}
	}
	return false
}

// DecodeJSON appends the records of a JSON body. A damaged body is an error only when nothing of it could be read.
func (b *Batch) DecodeJSON(body []byte) error {
	first, rejected, row := len(b.Records), len(b.Rejected), int32(0)
	err := b.parser.ParseBody(body, func(line int, rec *logrec.Record, err error) bool {
		if err != nil {
			b.reject(int(row), line, err)
		} else {
			r := b.grow()
			attrs := append(r.Attributes[:0], rec.Attributes...)
			*r = *rec
			r.Attributes, r.SrcRow = attrs, row
		}
		row++
		return true
	})
	if err != nil && len(b.Records) == first {
		b.Rejected = b.Rejected[:rejected]
		return err
	}
	if err != nil {
		b.reject(int(row), 0, err)
		b.Rejected[len(b.Rejected)-1].Rest = true
	}
	return nil
}

func (b *Batch) reject(row, line int, err error) {
	rj := Rejected{Row: row, Line: line, Reason: err.Error()}
	var fe *logrec.FieldError
	if errors.As(err, &fe) {
		rj.Field, rj.Reason = fe.Field, fe.Reason
	}
	b.Rejected = append(b.Rejected, rj)
}

// grow appends a record, with the attributes' memory of the one that lay there before.
func (b *Batch) grow() *logrec.Record {
	if n := len(b.Records); n < cap(b.Records) {
		b.Records = b.Records[:n+1]
		r := &b.Records[n]
		*r = logrec.Record{Attributes: r.Attributes[:0]}
		return r
	}
	b.Records = append(b.Records, logrec.Record{})
	return &b.Records[len(b.Records)-1]
}

// DecodeOTLP appends the records of an ExportLogsServiceRequest in protobuf. Unknown fields are passed over, records that break
// our limits are rejected alone; a damaged message is an error and leaves b as it was.
func (b *Batch) DecodeOTLP(value []byte) error {
	d := otlpDecoder{b: b}
	records, rejected := len(b.Records), len(b.Rejected)
	err := each(value, func(f field) error {
		if f.tag == 1 && f.wire == wireBytes {
			return d.resourceLogs(f.data)
		}
		return nil
	})
	if err != nil {
		b.Records, b.Rejected = b.Records[:records], b.Rejected[:rejected]
	}
	return err
}

func each(b []byte, f func(field) error) error {
	for len(b) > 0 {
		var fd field
		var err error
		if b, err = fd.read(b); err != nil {
			return err
		}
		if err := f(fd); err != nil {
			return err
		}
	}
	return nil
}

type otlpDecoder struct {
	b         *Batch
	row       int32
	service   string   // service.name of the resource
	inherited []field  // the resource's other attributes, encoded
	own       [][]byte // attributes of the record being read, encoded
	scope     scope
	setter    logrec.Setter
}

// resourceLogs reads its resource first, wherever it stands.
func (d *otlpDecoder) resourceLogs(data []byte) error {
	d.service, d.inherited = "", d.inherited[:0]
	err := each(data, func(f field) error {
		if f.tag == 1 && f.wire == wireBytes {
			return d.resource(f.data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(data, func(f field) error {
		if f.tag == 2 && f.wire == wireBytes {
			return d.scopeLogs(f.data)
		}
		return nil
	})
}

func (d *otlpDecoder) resource(data []byte) error {
	return each(data, func(f field) error {
		if f.tag != 1 || f.wire != wireBytes {
			return nil
		}
		key, value, err := keyValue(f.data)
		if err != nil {
			return err
		}
		v, ok, err := anyValue(value)
		if ok && d.service == "" && key == attrService && v.Kind == logrec.TextValue && v.Text != "" {
			d.service = v.Text
			return err
		}
		d.inherited = append(d.inherited, f)
		return err
	})
}

// scope is what instrumentation says of itself.
type scope struct {
	name, version string
	attributes    []field // encoded
}

// instrumentation reads an InstrumentationScope.
func (d *otlpDecoder) instrumentation(data []byte) error {
	return each(data, func(f field) error {
		switch {
		case f.wire != wireBytes:
		case f.tag == 1:
			d.scope.name = text(f.data)
		case f.tag == 2:
			d.scope.version = text(f.data)
		case f.tag == 3:
			d.scope.attributes = append(d.scope.attributes, f)
		}
		return nil
	})
}

// scopeLogs reads its scope first, wherever it stands.
func (d *otlpDecoder) scopeLogs(data []byte) error {
	d.scope = scope{attributes: d.scope.attributes[:0]}
	err := each(data, func(f field) error {
		if f.tag == 1 && f.wire == wireBytes {
			return d.instrumentation(f.data)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var f field
	for len(data) > 0 {
		if data, err = f.read(data); err != nil {
			return err
		}
		if f.tag == 2 && f.wire == wireBytes {
			if err := d.record(f.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// record reads one LogRecord. The service is the resource's whatever attributes say ("app", "service"): the collector places a
// record by it, so a second reading must not find another. Of other fields the record's own attributes come before the resource's,
// so that the nearer one wins.
func (d *otlpDecoder) record(data []byte) error {
	r := d.b.grow()
	r.SrcRow, r.Service = d.row, d.service
	d.row++
	d.setter.Begin(r)
	rejected, err := d.fields(data, r)
	if err != nil {
		return err
	}
	refused, err := d.around()
	if err != nil {
		return err
	}
	if refused != nil {
		rejected = refused
	}
	if rejected == nil {
		rejected = logrec.Validate(r)
	}
	if rejected != nil {
		d.b.reject(int(r.SrcRow), 0, rejected)
		d.b.Records = d.b.Records[:len(d.b.Records)-1]
	}
	return nil
}

// Names of what OTLP says of a scope, as Loki stores them; its attributes keep their own.
const (
	scopeName    = "scope_name"
	scopeVersion = "scope_version"
)

// around sets what is said of the record's scope, and then of its resource. The record's own word stands: of the same name, theirs gets a prefix.
func (d *otlpDecoder) around() (refused, err error) {
	d.setter.Farther("scope.")
	if d.scope.name != "" {
		refused = d.setter.Set(scopeName, logrec.Value{Text: d.scope.name})
	}
	if d.scope.version != "" && refused == nil {
		refused = d.setter.Set(scopeVersion, logrec.Value{Text: d.scope.version})
	}
	no, err := d.attributes(d.scope.attributes)
	if err != nil {
		return nil, err
	}
	d.setter.Farther("resource.")
	last, err := d.attributes(d.inherited)
	return cmp.Or(last, no, refused), err
}

func (d *otlpDecoder) attributes(fields []field) (refused, err error) {
	for _, f := range fields {
		no, err := d.attribute(f.data)
		if err != nil {
			return nil, err
		}
		if no != nil {
			refused = no
		}
	}
	return refused, nil
}

// fields tells a record that is refused apart from a message that is damaged. The fields that OTLP has a place for come before the
// body's and the attributes, wherever they stand, so that an attribute of the same meaning stays an attribute.
func (d *otlpDecoder) fields(data []byte, r *logrec.Record) (refused, err error) {
	var body []byte
	d.own = d.own[:0]
	var f field
	for len(data) > 0 {
		if data, err = f.read(data); err != nil {
			return nil, err
		}
		var no error
		switch {
		case f.tag == 1 && f.wire == wireFixed64:
			no = setTime(&r.Timestamp, "time_unix_nano", f.num)
		case f.tag == 11 && f.wire == wireFixed64:
			no = setTime(&r.Observed, "observed_time_unix_nano", f.num)
		case f.tag == 2 && f.wire == wireVarint && f.num <= 24:
			r.Level = levelOr(logrec.LevelOfSeverity(int32(f.num)), r.Level)
		case f.tag == 3 && f.wire == wireBytes && r.Level == logrec.LevelAbsent:
			r.Level, _ = logrec.ParseLevel(text(f.data)) // unreadable: absent, as if it had not been said
		case f.tag == 5 && f.wire == wireBytes:
			body = f.data
		case f.tag == 6 && f.wire == wireBytes:
			d.own = append(d.own, f.data)
		case f.tag == 9 && f.wire == wireBytes:
			r.TraceID = d.id(f.data, 32)
		case f.tag == 10 && f.wire == wireBytes:
			r.SpanID = d.id(f.data, 16)
		}
		if no != nil {
			refused = no
		}
	}
	no, err := d.bodyAndAttributes(body, r)
	if no != nil {
		refused = no
	}
	return refused, err
}

func (d *otlpDecoder) bodyAndAttributes(body []byte, r *logrec.Record) (refused, err error) {
	if refused, err = d.body(body, r); err != nil {
		return nil, err
	}
	d.setter.Farther("") // a field of the body is not displaced by an attribute
	for _, data := range d.own {
		no, err := d.attribute(data)
		if err != nil {
			return nil, err
		}
		if no != nil {
			refused = no
		}
	}
	return refused, nil
}

func levelOr(l, otherwise logrec.Level) logrec.Level {
	if l == logrec.LevelAbsent {
		return otherwise
	}
	return l
}

func setTime(dst *int64, name string, ns uint64) error {
	if ns > math.MaxInt64 {
		return &logrec.FieldError{Field: name, Reason: "is after the year 2262"}
	}
	*dst = int64(ns)
	return nil
}

// text is b as a string without copying it.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// id is a trace or span id as hex; ids of zeros are none (W3C Trace Context).
func (d *otlpDecoder) id(data []byte, digits int) string {
	start := len(d.b.buf)
	d.b.buf = appendHex(d.b.buf, data)
	hex := text(d.b.buf[start:len(d.b.buf):len(d.b.buf)])
	if len(hex) == digits && !allZero(data) {
		return hex
	}
	return logrec.NormalID(hex, digits)
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func (d *otlpDecoder) attribute(data []byte) (refused, err error) {
	key, value, err := keyValue(data)
	if err != nil {
		return nil, err
	}
	v, ok, err := anyValue(value)
	if err != nil || !ok || key == "" {
		return nil, err
	}
	if name, isJSON := strings.CutSuffix(key, jsonSuffix); isJSON && name != "" && v.Kind == logrec.TextValue && isValidJSON(v.Text) {
		return d.setter.Attribute(name, logrec.Value{Kind: logrec.RawValue, Text: v.Text}), nil
	}
	return d.setter.Set(key, v), nil
}

// isValidJSON keeps other producers from passing off any text as JSON by our mark: it is stored and answered as it stands.
func isValidJSON(s string) bool { return json.Valid(unsafe.Slice(unsafe.StringData(s), len(s))) }

// keyValue reads a KeyValue; value is an encoded AnyValue.
func keyValue(data []byte) (key string, value []byte, err error) {
	var f field
	for len(data) > 0 {
		if data, err = f.read(data); err != nil {
			return "", nil, err
		}
		switch {
		case f.tag == 1 && f.wire == wireBytes:
			key = text(f.data)
		case f.tag == 2 && f.wire == wireBytes:
			value = f.data
		}
	}
	return key, value, nil
}

// body is the message; a map is the record's own fields, as structured loggers send it.
func (d *otlpDecoder) body(data []byte, r *logrec.Record) (refused, err error) {
	f, ok, err := single(data)
	if err != nil || !ok {
		return nil, err
	}
	switch {
	case f.tag == 1 && f.wire == wireBytes:
		r.Message = text(f.data)
		return nil, nil
	case f.tag == 6: // kvlist_value
		return d.bodyMap(f.data)
	}
	v, _, err := valueOf(f)
	if err != nil {
		return nil, err
	}
	return r.Set("message", v), nil
}

func (d *otlpDecoder) bodyMap(data []byte) (refused, err error) {
	err = each(data, func(f field) error {
		if f.tag != 1 || f.wire != wireBytes {
			return nil
		}
		no, err := d.attribute(f.data)
		if no != nil {
			refused = no
		}
		return err
	})
	return refused, err
}
