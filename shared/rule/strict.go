package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/logmill/logmill/shared/rule/expr"
)

// Strict reads one JSON value into a struct. Unknown fields, values of another type and whatever follows are errors: all of them, joined, each a
// *FieldError that names its field, or the byte of the text.
func Strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return syntaxError(err, len(data))
	}
	if end := d.InputOffset(); len(bytes.TrimSpace(data[end:])) > 0 {
		return &FieldError{Field: "body", Message: "something follows the JSON value", Pos: int(end), Len: 1}
	}
	return strict("", raw, reflect.ValueOf(into).Elem())
}

func syntaxError(err error, size int) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset < int64(size) {
		return &FieldError{Field: "body", Message: "is not JSON: " + syntax.Error(), Pos: int(max(0, syntax.Offset-1)), Len: 1}
	}
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &FieldError{Field: "body", Message: "is not JSON: it ends too soon", Pos: size}
	}
	return fieldError("body", "%v", err)
}

// strict fills v, which is at path, from raw.
func strict(path string, raw json.RawMessage, v reflect.Value) error {
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		return prefixed(path, u.UnmarshalJSON(raw))
	}
	switch v.Kind() {
	case reflect.Struct:
		return strictObject(path, raw, v)
	case reflect.Slice:
		return strictList(path, raw, v)
	case reflect.Map:
		return strictMap(path, raw, v)
	case reflect.Pointer:
		if string(raw) == "null" {
			return nil
		}
		v.Set(reflect.New(v.Type().Elem()))
		return strict(path, raw, v.Elem())
	}
	return within(path, json.Unmarshal(raw, v.Addr().Interface()))
}

func strictObject(path string, raw json.RawMessage, v reflect.Value) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields == nil {
		return within(path, &json.UnmarshalTypeError{Value: kindOf(raw), Type: v.Type()})
	}
	known := map[string]reflect.Value{}
	var names []string
	collect(v, known, &names)
	var problems []error
	for _, name := range names { // in the struct's order, so that errors come in one
		if value, given := fields[name]; given {
			problems = append(problems, strict(join(path, name), value, known[name]))
			delete(fields, name)
		}
	}
	for name := range fields {
		problems = append(problems, fieldError(join(path, clip(name)), "unknown field%s", expr.DidYouMean(name, names)))
	}
	return errors.Join(problems...)
}

func strictList(path string, raw json.RawMessage, v reflect.Value) error {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return within(path, &json.UnmarshalTypeError{Value: kindOf(raw), Type: v.Type()})
	}
	if items == nil {
		return nil
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	var problems []error
	for i, item := range items {
		problems = append(problems, strict(path+"["+strconv.Itoa(i)+"]", item, v.Index(i)))
	}
	return errors.Join(problems...)
}

// strictMap fills a map of texts.
func strictMap(path string, raw json.RawMessage, v reflect.Value) error {
	var items map[string]json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		return within(path, &json.UnmarshalTypeError{Value: kindOf(raw), Type: v.Type()})
	}
	v.Set(reflect.MakeMap(v.Type()))
	var problems []error
	for _, k := range slices.Sorted(maps.Keys(items)) {
		item := reflect.New(v.Type().Elem()).Elem()
		problems = append(problems, strict(join(path, clip(k)), items[k], item))
		v.SetMapIndex(reflect.ValueOf(k), item)
	}
	return errors.Join(problems...)
}

// collect finds the fields of a struct by their JSON names, those of embedded structs included.
func collect(v reflect.Value, into map[string]reflect.Value, names *[]string) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			collect(v.Field(i), into, names)
		case name != "" && name != "-":
			into[name] = v.Field(i)
			*names = append(*names, name)
		}
	}
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// prefixed puts a path before the fields that a value's own UnmarshalJSON names.
func prefixed(path string, err error) error {
	var joined interface{ Unwrap() []error }
	var f *FieldError
	switch {
	case errors.As(err, &joined):
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, prefixed(path, e))
		}
		return errors.Join(all...)
	case errors.As(err, &f):
		return &FieldError{Field: join(path, strings.TrimPrefix(f.Field, "body")), Message: f.Message, Pos: f.Pos, Len: f.Len}
	}
	return within(path, err)
}

// within says at which path an error is.
func within(path string, err error) error {
	var f *FieldError
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case path == "":
		path = "body"
	}
	switch {
	case errors.As(err, &f):
		return err
	case errors.As(err, &typ) && strings.HasPrefix(typ.Value, "number ") && wanted(typ.Type) == "a number":
		return fieldError(path, "%s is out of range", typ.Value)
	case errors.As(err, &typ):
		return fieldError(join(path, typ.Field), "must be %s, not %s", wanted(typ.Type), typ.Value)
	}
	return fieldError(path, "%v", err)
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a number"
}

func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}
