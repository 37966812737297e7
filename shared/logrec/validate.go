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
	truncate(rec)
	if n := size(rec); n > MaxRecordBytes {
		return tooLong(n)
	}
	return nil
}

// size is about what the record takes on its way to Kafka, bytes.
func size(rec *Record) int {
	n := len(rec.Message) + len(rec.Service) + len(rec.RequestPath)
	for i := range rec.Attributes {
		n += len(rec.Attributes[i].Key) + len(rec.Attributes[i].Value)
	}
	return n
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

// truncate cuts the message and says how long it was, unless there is no place left to say it in.
func truncate(rec *Record) {
	if len(rec.Message) <= MaxMessageBytes {
		return
	}
	was := len(rec.Message)
	rec.Message = rec.Message[:runeStart(rec.Message, MaxMessageBytes)]
	if len(rec.Attributes) < MaxAttributes {
		rec.Attributes = append(rec.Attributes, Attr{Key: TruncatedAttribute, Value: strconv.Itoa(was), Kind: JSON})
	}
}
