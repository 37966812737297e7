package query

import (
	"fmt"
	"strconv"
	"strings"
)

// Func is what a Measure does with a field's values.
type Func uint8

// The functions.
const (
	Count Func = iota + 1 // lines that have the field
	Sum
	Avg
	Min
	Max
	Percentile
	Distinct // different values
)

var funcs = map[string]Func{"count": Count, "sum": Sum, "avg": Avg, "min": Min, "max": Max, "distinct": Distinct}

// Measure is a figure of some lines: a function over the values of a field. Lines without the field do not count.
type Measure struct {
	Func  Func
	P     float64 // of a Percentile: 0 … 100
	Field Field
}

func (m Measure) String() string {
	name := "p" + strconv.FormatFloat(m.P, 'f', -1, 64)
	for text, f := range funcs {
		if f == m.Func {
			name = text
		}
	}
	return name + "(" + m.Field.String() + ")"
}

// ParseMeasure reads avg(response_time_ms), p95(response_time_ms), distinct(user_id), in any case. The error is for people.
func ParseMeasure(text string) (Measure, error) {
	name, rest, ok := strings.Cut(strings.TrimSpace(text), "(")
	inside, closed := strings.CutSuffix(rest, ")")
	if !ok || !closed {
		return Measure{}, fmt.Errorf("%q is not a figure: avg(response_time_ms), p95(response_time_ms), distinct(user_id)", clip(text))
	}
	m, err := parseFunc(strings.ToLower(strings.TrimSpace(name)))
	if err != nil {
		return m, err
	}
	if m.Field, err = ParseField(strings.TrimSpace(inside)); err != nil {
		return m, err
	}
	return m, m.check()
}

func parseFunc(name string) (Measure, error) {
	if f, ok := funcs[name]; ok {
		return Measure{Func: f}, nil
	}
	if digits, ok := strings.CutPrefix(name, "p"); ok {
		if p, err := strconv.ParseFloat(digits, 64); err == nil && p >= 0 && p <= 100 {
			return Measure{Func: Percentile, P: p}, nil
		}
	}
	return Measure{}, fmt.Errorf("%q is not a function: count, sum, avg, min, max, distinct, p50, p95, p99.9", clip(name))
}

// check refuses what makes no sense: the sum of services.
func (m Measure) check() error {
	switch kind := m.Field.Kind(); {
	case m.Field.Name == "":
		return fmt.Errorf("%s lacks a field", m)
	case !m.Field.Groups():
		return fmt.Errorf("%s cannot be had: %s is no field to count by", m, m.Field)
	case m.Func == Count || m.Func == Distinct || m.Field.Attribute || kind == KindNumber:
		return nil
	}
	return fmt.Errorf("%s cannot be had: %s is not a number", m, m.Field)
}

// Groups tells whether lines can be grouped by f: not by moments, nor by what is each line's own.
func (f Field) Groups() bool {
	kind := f.Kind()
	return kind != KindTime && kind != KindID && kind != KindAddress
}
