package contract

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// single is the last field of an AnyValue, which is the one that counts.
func single(data []byte) (last field, ok bool, err error) {
	for len(data) > 0 {
		if data, err = last.read(data); err != nil {
			return last, false, err
		}
		ok = true
	}
	return last, ok, nil
}

// anyValue reads an AnyValue; ok is false for an empty one.
func anyValue(data []byte) (v logrec.Value, ok bool, err error) {
	f, ok, err := single(data)
	if err != nil || !ok {
		return v, false, err
	}
	return valueOf(f)
}

// valueOf is the value of an AnyValue's field; ok is false for one that is not known.
func valueOf(f field) (v logrec.Value, ok bool, err error) {
	switch {
	case f.tag == 1 && f.wire == wireBytes:
		return logrec.Value{Kind: logrec.TextValue, Text: text(f.data)}, true, nil
	case f.tag == 2 && f.wire == wireVarint:
		return logrec.Value{Kind: logrec.RawValue, Text: strconv.FormatBool(f.num != 0)}, true, nil
	case f.tag == 3 && f.wire == wireVarint:
		return logrec.Value{Kind: logrec.IntValue, Int: int64(f.num)}, true, nil
	case f.tag == 4 && f.wire == wireFixed64:
		return logrec.Value{Kind: logrec.FloatValue, Float: math.Float64frombits(f.num)}, true, nil
	case f.wire != wireBytes:
		return v, false, nil
	}
	raw, err := appendJSON(nil, f, 1)
	if err != nil {
		return v, false, err
	}
	return logrec.Value{Kind: logrec.RawValue, Text: string(raw)}, true, nil
}

var errDeep = errors.New("a value is nested too deep")

// appendJSON appends the JSON of an AnyValue's field: maps with their names in order, bytes as base64, as OTLP/JSON does.
func appendJSON(dst []byte, f field, depth int) ([]byte, error) {
	if depth > logrec.MaxDepth {
		return nil, errDeep
	}
	switch f.tag {
	case 1:
		return appendQuoted(dst, text(f.data)), nil
	case 2:
		return strconv.AppendBool(dst, f.num != 0), nil
	case 3:
		return strconv.AppendInt(dst, int64(f.num), 10), nil
	case 4:
		return appendFloat(dst, math.Float64frombits(f.num)), nil
	case 5:
		return appendArray(dst, f.data, depth)
	case 6:
		return appendMap(dst, f.data, depth)
	case 7:
		return appendQuoted(dst, base64.StdEncoding.EncodeToString(f.data)), nil
	}
	return append(dst, "null"...), nil
}

func appendQuoted(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // cannot happen: any string has a JSON form
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// appendFloat writes what JSON has no number for as text.
func appendFloat(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return appendQuoted(dst, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

func appendArray(dst, data []byte, depth int) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	err := each(data, func(f field) (err error) {
		if f.tag != 1 || f.wire != wireBytes {
			return nil
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst, err = appendAny(dst, f.data, depth)
		return err
	})
	return append(dst, ']'), err
}

func appendAny(dst, data []byte, depth int) ([]byte, error) {
	f, ok, err := single(data)
	if err != nil {
		return nil, err
	}
	if !ok {
		return append(dst, "null"...), nil
	}
	return appendJSON(dst, f, depth+1)
}

func appendMap(dst, data []byte, depth int) ([]byte, error) {
	type member struct {
		key   string
		value []byte
	}
	var members []member
	err := each(data, func(f field) error {
		if f.tag != 1 || f.wire != wireBytes {
			return nil
		}
		var m member
		err := each(f.data, func(f field) error {
			switch {
			case f.tag == 1 && f.wire == wireBytes:
				m.key = text(f.data)
			case f.tag == 2 && f.wire == wireBytes:
				m.value = f.data
			}
			return nil
		})
		members = append(members, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, m.key), ':')
		if dst, err = appendAny(dst, m.value, depth); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
