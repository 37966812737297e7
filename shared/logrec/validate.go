package logrec

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Validate makes rec fit for storage. It mends what loses nothing but form (invalid UTF-8 becomes U+FFFD, a missing service is
// "unknown"), cuts what is only long (a message over its limit keeps its beginning and says so in the attribute "truncated"), and
// returns a *FieldError for what cannot be kept as it was meant.
func Validate(rec *Record) error {
	if rec.Service == "" {
		rec.Service = UnknownService
	}
	rec.Service = clean(rec.Service)
	if len(rec.Service) > MaxServiceBytes {
		return tooMany("service", len(rec.Service), MaxServiceBytes)
	}
	rec.Message = clean(rec.Message)
	for _, t := range [...]struct {
		name  string
		value *string
		most  int
	}{
		{"trace_id", &rec.TraceID, MaxIDBytes}, {"span_id", &rec.SpanID, MaxIDBytes}, {"user_id", &rec.UserID, MaxIDBytes},
		{"request_method", &rec.RequestMethod, MaxMethodBytes}, {"request_path", &rec.RequestPath, MaxPathBytes},
		{"host", &rec.Host, MaxServiceBytes}, {"env", &rec.Env, MaxServiceBytes}, {"team", &rec.Team, MaxServiceBytes},
	} {
		if *t.value == "" {
			continue
		}
		if *t.value = clean(*t.value); len(*t.value) > t.most {
			return tooMany(t.name, len(*t.value), t.most)
		}
	}
	if err := validateAttributes(rec); err != nil {
		return err
	}
	return truncate(rec)
}

func tooMany(field string, n, most int) error {
	return &FieldError{field, fmt.Sprintf("%d bytes, at most %d are accepted", n, most)}
}

func clean(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func validateAttributes(rec *Record) error {
	if len(rec.Attributes) > MaxAttributes {
		return &FieldError{"attributes", fmt.Sprintf("%d attributes, at most %d are accepted", len(rec.Attributes), MaxAttributes)}
	}
	for i := range rec.Attributes {
		a := &rec.Attributes[i]
		a.Key, a.Value = clean(a.Key), clean(a.Value)
		if a.Key == "" {
			return &FieldError{"attributes", "an attribute has no name"}
		}
		if len(a.Key) > MaxAttributeKey {
			return tooMany("name of attribute "+clip(a.Key, 32), len(a.Key), MaxAttributeKey)
		}
		if len(a.Value) > MaxAttributeValue {
			return tooMany(a.Key, len(a.Value), MaxAttributeValue)
		}
	}
	return nil
}

func truncate(rec *Record) error {
	if len(rec.Message) <= MaxMessageBytes {
		return nil
	}
	was := len(rec.Message)
	rec.Message = rec.Message[:runeStart(rec.Message, MaxMessageBytes)]
	return rec.SetAttribute(TruncatedAttribute, Value{Kind: RawValue, Text: strconv.Itoa(was)})
}
