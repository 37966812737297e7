package logrec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ValueKind says which part of a Value counts.
type ValueKind uint8

// The kinds of values.
const (
	TextValue ValueKind = iota
	RawValue            // Text is JSON: a number, true, false, an object or an array
	IntValue
	FloatValue
)

// Value is a value that a sender gave, before it is known what it means.
type Value struct {
	Kind  ValueKind
	Text  string
	Int   int64
	Float float64
}

// FieldError is a field that a record cannot be accepted with.
type FieldError struct{ Field, Reason string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Reason }

// Set gives the record what a sender calls name: one of its fields by the alias table, else an attribute. A field that is already
// set stays, and a value that does not fit the field becomes an attribute under its own name: nothing is lost. Only an unreadable time, which would
// put the line into the wrong place, is an error (*FieldError).
func (r *Record) Set(name string, v Value) error {
	done, err := r.setField(FieldOf(name), name, v)
	if done || err != nil {
		return err
	}
	return r.SetAttribute(name, v)
}

func (r *Record) setField(f Field, name string, v Value) (done bool, err error) {
	switch f {
	case NoField:
		return false, nil
	case FieldTimestamp:
		return setTime(&r.Timestamp, name, v)
	case FieldObserved:
		return setTime(&r.Observed, name, v)
	case FieldLevel:
		return r.setLevel(v), nil
	case FieldMessage:
		return setMessage(&r.Message, v), nil
	case FieldStatus:
		return r.setStatus(v), nil
	case FieldTimeMS, FieldTimeS, FieldTimeUS, FieldTimeNS, FieldDuration:
		return r.setDuration(f, v), nil
	case FieldTraceID:
		return setID(&r.TraceID, v, 32), nil
	case FieldSpanID:
		return setID(&r.SpanID, v, 16), nil
	case FieldPath:
		return v.Kind == TextValue && strings.HasPrefix(v.Text, "/") && setText(&r.RequestPath, v), nil
	}
	return setText(r.textField(f), v), nil
}

func (r *Record) textField(f Field) *string {
	switch f {
	case FieldService:
		return &r.Service
	case FieldUserID:
		return &r.UserID
	case FieldMethod:
		return &r.RequestMethod
	case FieldHost:
		return &r.Host
	case FieldEnv:
		return &r.Env
	}
	return &r.Team
}

// setText takes texts and plain numbers ({"user_id": 42}); objects become attributes.
func setText(dst *string, v Value) bool {
	if *dst != "" || v.Kind == RawValue && strings.ContainsAny(v.Text[:1], "{[") {
		return false
	}
	*dst = v.text()
	return true // an empty text is as good as absent
}

// setMessage takes anything: an object as a message is its JSON.
func setMessage(dst *string, v Value) bool {
	if *dst != "" {
		return false
	}
	*dst = v.text()
	return true
}

func (v Value) text() string {
	switch v.Kind {
	case IntValue:
		return strconv.FormatInt(v.Int, 10)
	case FloatValue:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	}
	return v.Text
}

// number reads a number out of any kind.
func (v Value) number() (float64, bool) {
	switch v.Kind {
	case IntValue:
		return float64(v.Int), true
	case FloatValue:
		return v.Float, !math.IsNaN(v.Float) && !math.IsInf(v.Float, 0)
	}
	if v.Text == "" || !isDigit(v.Text[0]) && v.Text[0] != '-' {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func setTime(dst *int64, name string, v Value) (bool, error) {
	if *dst != 0 {
		return false, nil
	}
	ns, ok := v.time()
	if !ok && !saysTime(name) {
		return false, nil // "date": "next friday" is somebody's attribute
	}
	if !ok {
		return false, &FieldError{name, fmt.Sprintf("%q is not a time between 1970 and 2262 (RFC 3339, or Unix s, ms, µs or ns)", clip(v.text(), 64))}
	}
	*dst = ns
	return true, nil
}

// saysTime tells whether a name can only mean the record's own time: an unreadable value is then a mistake, not an attribute.
func saysTime(name string) bool {
	switch name {
	case "timestamp", "@timestamp", "time", "ts", "observed":
		return true
	}
	return false
}

func (v Value) time() (int64, bool) {
	switch v.Kind {
	case TextValue:
		return ParseTime(v.Text)
	case IntValue:
		return TimeOfInt(v.Int)
	case FloatValue:
		return TimeOfNumber(v.Float)
	}
	if i, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
		return TimeOfInt(i) // exact: ns do not fit into a float64
	}
	f, ok := v.number()
	if !ok {
		return 0, false
	}
	return TimeOfNumber(f)
}

func (r *Record) setLevel(v Value) bool {
	if r.Level != LevelAbsent {
		return false
	}
	l, ok := ParseLevel(v.text())
	r.Level = l
	return ok
}

func (r *Record) setStatus(v Value) bool {
	if r.ResponseStatus != 0 {
		return false
	}
	if v.Kind == IntValue {
		return r.statusIs(v.Int)
	}
	i, err := strconv.ParseInt(v.text(), 10, 32)
	return err == nil && r.statusIs(i)
}

func (r *Record) statusIs(n int64) bool {
	if n < 100 || n > 999 {
		return false
	}
	r.ResponseStatus = int32(n)
	return true
}

func (r *Record) setDuration(f Field, v Value) bool {
	if r.HasResponseTime {
		return false
	}
	ms, ok := milliseconds(f, v)
	if !ok || ms < 0 || math.IsNaN(ms) || math.IsInf(ms, 0) {
		return false
	}
	r.ResponseTimeMS, r.HasResponseTime = ms, true
	return true
}

func milliseconds(f Field, v Value) (float64, bool) {
	if v.Kind == TextValue {
		if d, err := time.ParseDuration(v.Text); err == nil {
			return float64(d) / 1e6, true
		}
	}
	n, ok := v.number()
	switch f {
	case FieldTimeMS:
		return n, ok
	case FieldTimeS:
		return n * 1e3, ok
	case FieldTimeUS:
		return n / 1e3, ok
	case FieldTimeNS:
		return n / 1e6, ok
	}
	return 0, false
}

// setID takes a trace or span id of the given number of hex digits; UUIDs lose their dashes, other texts stay as they are.
// An id of zeros is none (W3C Trace Context).
func setID(dst *string, v Value, digits int) bool {
	if *dst != "" || v.Kind == RawValue && strings.ContainsAny(v.Text[:1], "{[") {
		return false
	}
	*dst = NormalID(v.text(), digits)
	return true
}

// NormalID is an id as it is stored: lower-case hex where it is hex of that many digits (or a UUID of them), "" for zeros, else as it is.
func NormalID(s string, digits int) string {
	if digits == 32 && len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		if u := strings.ReplaceAll(s, "-", ""); isHex(u) {
			s = u
		}
	}
	if len(s) != digits {
		return s
	}
	kind, some := hexKind(s)
	switch {
	case kind&hexAny == 0:
		return s
	case !some:
		return ""
	case kind&hexLower == 0:
		return strings.ToLower(s)
	}
	return s
}

func isHex(s string) bool {
	kind, _ := hexKind(s)
	return kind&hexAny != 0
}

// What all bytes of a text are.
const (
	hexAny   = 1 << iota // hex digits
	hexLower             // of lower case
)

var hexKinds = func() (t [256]uint8) {
	for _, c := range "0123456789abcdef" {
		t[c] = hexAny | hexLower
	}
	for _, c := range "ABCDEF" {
		t[c] = hexAny
	}
	return t
}()

// hexKind is what all bytes of s are; some tells whether one is not '0'.
func hexKind(s string) (kind uint8, some bool) {
	kind = hexAny | hexLower
	other := uint8(0)
	for i := range len(s) {
		kind &= hexKinds[s[i]]
		other |= s[i] ^ '0'
	}
	return kind, other != 0
}

// SetAttribute adds an attribute; of a name that is there the last value wins. More than MaxAttributes is a *FieldError.
func (r *Record) SetAttribute(name string, v Value) error {
	a := Attr{Key: name, Value: v.text(), Kind: String}
	if v.Kind != TextValue {
		a.Kind = JSON
	}
	if v.Kind == FloatValue && (math.IsNaN(v.Float) || math.IsInf(v.Float, 0)) {
		a.Kind = String // JSON has no word for it
	}
	for i := range r.Attributes {
		if r.Attributes[i].Key == name {
			r.Attributes[i] = a
			return nil
		}
	}
	if len(r.Attributes) >= MaxAttributes {
		return &FieldError{"attributes", fmt.Sprintf("more than %d attributes", MaxAttributes)}
	}
	r.Attributes = append(r.Attributes, a)
	return nil
}

// clip is s, cut to about n bytes for an error message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:runeStart(s, n)] + "…"
}

// runeStart is the largest i ≤ n at which a rune of s begins.
func runeStart(s string, n int) int {
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return n
}
