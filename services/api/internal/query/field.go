package query

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// Kind is how a field's values are compared.
type Kind uint8

// The kinds. Attributes are KindText.
const (
	KindText    Kind = iota // exactly, letters' case counts
	KindMessage             // by words, in any case
	KindLevel               // by severity
	KindNumber
	KindTime
	KindID      // a record's id: the one record
	KindAddress // the field ip: addresses wherever they stand
)

// columns are the fields that are no attributes: those of rules, and time, id and ip.
var columns = map[string]Kind{
	"service": KindText, "level": KindLevel, "message": KindMessage, "trace_id": KindText, "span_id": KindText, "user_id": KindText,
	"request_method": KindText, "request_path": KindText, "team": KindText, "env": KindText, "host": KindText,
	"response_status": KindNumber, "response_time_ms": KindNumber, "pattern_id": KindNumber,
	"timestamp": KindTime, "observed": KindTime, "id": KindID, "ip": KindAddress,
}

const (
	existsName      = "_exists_"
	attributePrefix = "attr."
)

// Message is the field that words without a field are looked for in.
var Message = Field{Name: "message"}

// Columns are the names of all fields that are no attributes, sorted.
func Columns() []string { return slices.Sorted(maps.Keys(columns)) }

// Kind is how values of f are compared.
func (f Field) Kind() Kind {
	if f.Attribute {
		return KindText
	}
	return columns[f.Name]
}

// String is the field as it is written in a query, without quotes.
func (f Field) String() string {
	if !f.Attribute {
		return f.Name
	}
	if _, taken := columns[strings.ToLower(f.Name)]; taken || aliasOf(f.Name) != "" || f.Name == existsName || strings.HasPrefix(f.Name, attributePrefix) {
		return attributePrefix + f.Name
	}
	return f.Name
}

// ParseField reads a field's name as it is written in a query: a column in any case, attr.<name>, or an attribute's name. A name
// that senders use for a column, such as status, is an *Error that says which.
func ParseField(name string) (Field, error) {
	f, err := fieldOf(name, 0, len(name))
	if err != nil {
		return f, err
	}
	return f, nil
}

func fieldOf(name string, pos, length int) (Field, *Error) {
	if _, ok := columns[strings.ToLower(name)]; ok {
		return Field{Name: strings.ToLower(name)}, nil
	}
	if rest, ok := strings.CutPrefix(name, attributePrefix); ok && rest != "" {
		return Field{Name: rest, Attribute: true}, nil
	}
	if column := aliasOf(name); column != "" {
		return Field{}, errorAt(pos, length, "%s is stored as %s (did you mean %s? an attribute of that name is written attr.%s)", clip(name), column, column, clip(name))
	}
	if len(name) > logrec.MaxAttributeKey {
		return Field{}, errorAt(pos, length, "a field's name has at most %d bytes", logrec.MaxAttributeKey)
	}
	return Field{Name: name, Attribute: true}, nil
}

var columnOfField = map[logrec.Field]string{
	logrec.FieldTimestamp: "timestamp", logrec.FieldObserved: "observed", logrec.FieldLevel: "level", logrec.FieldService: "service", logrec.FieldMessage: "message",
	logrec.FieldTraceID: "trace_id", logrec.FieldSpanID: "span_id", logrec.FieldUserID: "user_id", logrec.FieldMethod: "request_method", logrec.FieldPath: "request_path",
	logrec.FieldStatus: "response_status", logrec.FieldTimeMS: "response_time_ms", logrec.FieldTimeS: "response_time_ms", logrec.FieldTimeUS: "response_time_ms",
	logrec.FieldTimeNS: "response_time_ms", logrec.FieldDuration: "response_time_ms", logrec.FieldHost: "host", logrec.FieldEnv: "env", logrec.FieldTeam: "team",
}

// aliasOf is the column that senders' name goes into, or "".
func aliasOf(name string) string { return columnOfField[logrec.FieldOf(name)] }
