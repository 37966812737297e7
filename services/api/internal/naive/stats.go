package naive

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/logrec"
)

// Lines are what Stats sums up: records that a filter let through.
type Lines []*logrec.Record

// Value is a field's text as statistics group by it, false without one.
func Value(f query.Field, r *logrec.Record) (string, bool) {
	if !f.Attribute {
		switch f.Name {
		case "message":
			return r.Message, true
		case "level":
			return r.Level.String(), true
		case "response_status":
			return strconv.Itoa(int(r.ResponseStatus)), r.ResponseStatus != 0
		case "pattern_id":
			return strconv.FormatInt(r.PatternID, 10), r.PatternID != 0
		case "response_time_ms":
			return strconv.FormatFloat(r.ResponseTimeMS, 'f', -1, 64), r.HasResponseTime
		}
	}
	return text(f, r)
}

// Groups are lines by the values of fields, written as Go would print them.
func Groups(lines Lines, by []query.Field) map[string]Lines {
	out := map[string]Lines{}
	for _, r := range lines {
		key := ""
		for _, f := range by {
			v, ok := Value(f, r)
			if !ok {
				v = ""
			}
			key += fmt.Sprintf("%q %v;", v, ok)
		}
		out[key] = append(out[key], r)
	}
	return out
}

// Steps are lines by the beginning of their step, ns.
func Steps(lines Lines, step int64) map[int64]Lines {
	out := map[int64]Lines{}
	for _, r := range lines {
		at := int64(math.Floor(float64(r.Timestamp)/float64(step))) * step
		out[at] = append(out[at], r)
	}
	return out
}

// Figure is a measure of lines, and how far another answer may be off; NaN for none.
func Figure(lines Lines, m query.Measure) (value, off float64) {
	var texts []string
	var numbers []float64
	for _, r := range lines {
		v, ok := Value(m.Field, r)
		if !ok {
			continue
		}
		texts = append(texts, v)
		if x, ok := query.ParseNumber(v); ok {
			numbers = append(numbers, x)
		}
	}
	sum := 0.0
	for _, x := range numbers {
		sum += x
	}
	switch slices.Sort(numbers); {
	case m.Func == query.Count:
		return float64(len(texts)), 0
	case m.Func == query.Distinct:
		slices.Sort(texts)
		return float64(len(slices.Compact(texts))), 0
	case m.Func == query.Sum:
		return sum, 1e-9 * (1 + math.Abs(sum))
	case len(numbers) == 0:
		return math.NaN(), 0
	case m.Func == query.Avg:
		return sum / float64(len(numbers)), 1e-9 * (1 + math.Abs(sum))
	case m.Func == query.Min:
		return numbers[0], 0
	case m.Func == query.Max:
		return numbers[len(numbers)-1], 0
	}
	x := numbers[int(m.P/100*float64(len(numbers)-1))]
	return x, 0.0101*math.Abs(x) + 1e-9
}

// Measure is a random one.
func (r *Random) Measure() query.Measure {
	m := query.Measure{Func: pick(r, query.Count, query.Sum, query.Avg, query.Min, query.Max, query.Percentile, query.Distinct), Field: r.groupField()}
	if m.Func == query.Percentile {
		m.P = pick(r, 0.0, 50, 95, 99.9, 100)
	}
	if m.Func != query.Count && m.Func != query.Distinct {
		m.Field = pick(r, query.Field{Name: "response_time_ms"}, query.Field{Name: "response_status"}, query.Field{Name: "pattern_id"}, query.Field{Name: "k1", Attribute: true}, query.Field{Name: "k4", Attribute: true})
	}
	return m
}

// By is up to three random fields to group by.
func (r *Random) By() []query.Field {
	var out []query.Field
	for range r.IntN(4) {
		if f := r.groupField(); !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out
}

func (r *Random) groupField() query.Field {
	for {
		if f := pick(r, query.Field{Name: "service"}, query.Field{Name: "level"}, r.field()); f.Groups() {
			return f
		}
	}
}
