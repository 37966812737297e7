package expr

import (
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/logrec"
)

// Type of an expression. SQL's booleans are numbers, 1 and 0, as in MySQL.
type Type uint8

// The types.
const (
	Free   Type = iota // NULL, or an attribute: text, and in a place for a number the number it spells, else NULL
	Number             // a 64-bit floating-point number
	Text
)

func (t Type) String() string { return [...]string{"any value", "a number", "a text"}[t] }

// columns of a record that conditions and filters may name: the names that search uses.
var columns = map[string]Type{
	"service": Text, "level": Text, "message": Text, "trace_id": Text, "span_id": Text, "user_id": Text,
	"request_method": Text, "request_path": Text, "team": Text, "env": Text, "host": Text,
	"response_status": Number, "response_time_ms": Number, "pattern_id": Number,
}

// Columns are the names of all columns, sorted; attributes come besides, as attributes['name'].
func Columns() []string { return slices.Sorted(maps.Keys(columns)) }

func unknownColumn(t token) *Error {
	switch t.value {
	case "timestamp", "time", "observed", "eval_time", "ts":
		return errorAt(t, "%s cannot be used: a rule sees time through its window", t.text)
	}
	if meant := aliasOf(t.value); meant != "" {
		return errorAt(t, "unknown column %s (did you mean %s?)", t.text, meant)
	}
	if t.kind == tokIdent && slices.Contains(logrec.LevelNames(), t.value) {
		return errorAt(t, "unknown column %s (a text stands in quotes: level = '%s')", t.text, t.value)
	}
	return errorAt(t, "unknown column %s%s; free attributes are written attributes['%s']", t.text, DidYouMean(t.value, Columns()), t.value)
}

// aliasOf is the column that senders may call name, such as status or duration_ms.
func aliasOf(name string) string {
	f := logrec.FieldOf(name)
	if f == logrec.NoField {
		return ""
	}
	for c := range columns {
		if logrec.FieldOf(c) == f {
			return c
		}
	}
	return ""
}

// IsText tells whether the column holds texts; attributes do.
func (c *Column) IsText() bool { return c.Name == attributesColumn || columns[c.Name] == Text }

// Label is the name that a group's label has: the column's, or the attribute's with all but letters, digits and _ replaced by _.
func (c *Column) Label() string {
	if c.Name != attributesColumn {
		return c.Name
	}
	b := []byte(c.Attribute)
	for i, x := range b {
		if !isLetter(x) && !isDigit(x) {
			b[i] = '_'
		}
	}
	return string(b)
}
