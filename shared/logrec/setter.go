package logrec

import "slices"

// Setter fills a record from what a sender says, whatever the order: of two names for one field our own wins, and the other one stays an
// attribute; of two names that are not ours the first wins. Reuse one a goroutine.
type Setter struct {
	rec     *Record
	aliases []alias // fields that were set by other names than ours
	prefix  string  // of attributes whose name is taken, "" = the last one wins
}

type alias struct {
	field Field
	name  string
	value Value
	kept  bool // it is an attribute already, in a whole object
}

// Begin a record.
func (s *Setter) Begin(rec *Record) { s.rec, s.aliases, s.prefix = rec, s.aliases[:0], "" }

// Farther says that what comes now is said less directly (of the whole batch, in an object beside the fields): it displaces nothing of what was
// said before, and an attribute whose name is taken gets prefix before it.
func (s *Setter) Farther(prefix string) { s.aliases, s.prefix = s.aliases[:0], prefix }

// Set is Record.Set, in any order.
func (s *Setter) Set(name string, v Value) error {
	done, err := s.field(name, v, false)
	if done || err != nil {
		return err
	}
	return s.Attribute(name, v)
}

// Attribute sets an attribute, never a field.
func (s *Setter) Attribute(name string, v Value) error {
	if s.prefix != "" && s.rec.hasAttribute(name) {
		name = s.prefix + name
	}
	return s.rec.SetAttribute(name, v)
}

// field sets the field that a name stands for, if there is one and the value fits. kept: the value is in an attribute already.
func (s *Setter) field(name string, v Value, kept bool) (done bool, err error) {
	f := FieldOf(name)
	if f == NoField {
		return false, nil
	}
	if name == ownName[f] {
		if i := slices.IndexFunc(s.aliases, func(a alias) bool { return a.field == target(f) }); i >= 0 {
			return s.displace(i, f, name, v)
		}
	}
	if done, err = s.rec.setField(f, name, v); done && err == nil && name != ownName[f] && v.text() != "" {
		s.aliases = append(s.aliases, alias{target(f), name, v, kept})
	}
	return done, err
}

// displace gives a field to its own name. What had it becomes an attribute, unless the new value says nothing or does not fit.
func (s *Setter) displace(i int, f Field, name string, v Value) (done bool, err error) {
	before := *s.rec
	s.rec.clear(target(f))
	done, err = s.rec.setField(f, name, v)
	if err != nil || !done || v.text() == "" {
		*s.rec = before
		return done, err
	}
	a := s.aliases[i]
	s.aliases = slices.Delete(s.aliases, i, i+1)
	if a.kept || s.rec.hasAttribute(a.name) {
		return true, nil
	}
	return true, s.rec.SetAttribute(a.name, a.value)
}

func (r *Record) hasAttribute(name string) bool {
	return slices.ContainsFunc(r.Attributes, func(a Attr) bool { return a.Key == name })
}

// ownName is the name of each field's column.
var ownName = [...]string{
	FieldTimestamp: "timestamp", FieldObserved: "observed", FieldLevel: "level", FieldService: "service", FieldMessage: "message",
	FieldTraceID: "trace_id", FieldSpanID: "span_id", FieldUserID: "user_id", FieldMethod: "request_method", FieldPath: "request_path",
	FieldStatus: "response_status", FieldTimeMS: "response_time_ms", FieldHost: "host", FieldEnv: "env", FieldTeam: "team",
}

// target is one for all durations, which have one place.
func target(f Field) Field {
	switch f {
	case FieldTimeS, FieldTimeUS, FieldTimeNS, FieldDuration:
		return FieldTimeMS
	}
	return f
}

func (r *Record) clear(f Field) {
	switch f {
	case FieldTimestamp:
		r.Timestamp = 0
	case FieldObserved:
		r.Observed = 0
	case FieldLevel:
		r.Level = LevelAbsent
	case FieldMessage:
		r.Message = ""
	case FieldTraceID:
		r.TraceID = ""
	case FieldSpanID:
		r.SpanID = ""
	case FieldPath:
		r.RequestPath = ""
	case FieldStatus:
		r.ResponseStatus = 0
	case FieldTimeMS:
		r.ResponseTimeMS, r.HasResponseTime = 0, false
	default:
		*r.textField(f) = ""
	}
}
