package expr

import (
	"fmt"
	"slices"
)

// scalar is a function of one row.
type scalar struct {
	least, most int
	args        []Type // of each argument, the last one repeated
	result      Type   // Free: the type that the arguments have in common
}

func (s scalar) arity() string {
	switch {
	case s.least == s.most && s.least == 1:
		return "one argument"
	case s.least == s.most:
		return fmt.Sprintf("%d arguments", s.least)
	}
	return fmt.Sprintf("%d to %d arguments", s.least, s.most)
}

var scalars = map[string]scalar{
	"coalesce":    {1, maxArgs, []Type{Free}, Free},
	"ifnull":      {2, 2, []Type{Free}, Free},
	"nullif":      {2, 2, []Type{Free}, Free},
	"if":          {3, 3, []Type{Number, Free}, Free},
	"abs":         {1, 1, []Type{Number}, Number},
	"floor":       {1, 1, []Type{Number}, Number},
	"ceil":        {1, 1, []Type{Number}, Number},
	"ceiling":     {1, 1, []Type{Number}, Number},
	"greatest":    {2, maxArgs, []Type{Number}, Number},
	"least":       {2, maxArgs, []Type{Number}, Number},
	"mod":         {2, 2, []Type{Number}, Number},
	"lower":       {1, 1, []Type{Text}, Text},
	"upper":       {1, 1, []Type{Text}, Text},
	"trim":        {1, 1, []Type{Text}, Text},
	"concat":      {1, maxArgs, []Type{Text}, Text},
	"char_length": {1, 1, []Type{Text}, Number},
	"length":      {1, 1, []Type{Text}, Number},
}

// percentiles that have a name of their own.
var percentiles = map[string]float64{"p50": .5, "median": .5, "p75": .75, "p90": .9, "p95": .95, "p99": .99, "p999": .999}

var plainAggregates = []string{"count", "sum", "avg", "min", "max"}

// aggregateOf makes the aggregate that t names; ok is false when t names none.
func aggregateOf(t token, args []Node) (agg *Aggregate, ok bool, err *Error) {
	a := &Aggregate{pos: pos(t.pos), Name: t.value}
	if q, named := percentiles[t.value]; named {
		a.Name, a.Quantile = "percentile", q
	} else if t.value == "approx_percentile" || t.value == "quantile" || t.value == "percentile" {
		return quantileOf(t, args)
	} else if !slices.Contains(plainAggregates, t.value) {
		return nil, false, nil
	}
	if len(args) != 1 {
		return nil, false, errorAt(t, "%s takes one argument", t.text)
	}
	a.X = args[0]
	return a, true, nil
}

// quantileOf reads APPROX_PERCENTILE(x, q) and QUANTILE(q, x).
func quantileOf(t token, args []Node) (*Aggregate, bool, *Error) {
	if len(args) != 2 {
		return nil, false, errorAt(t, "%s takes a column and a number between 0 and 1", t.text)
	}
	x, q := args[0], args[1]
	if t.value == "quantile" {
		x, q = q, x
	}
	lit, ok := q.(*Literal)
	v, isNumber := 0.0, false
	if ok {
		v, isNumber = lit.Value.(float64)
	}
	if !isNumber || v < 0 || v > 1 {
		return nil, false, errorAt(t, "the quantile of %s must be a number between 0 and 1", t.text)
	}
	return &Aggregate{pos: pos(t.pos), Name: "percentile", X: x, Quantile: v}, true, nil
}

// refusal says why a well-known function of SQL is not here.
func refusal(name string) string {
	switch name {
	case "now", "rand", "uuid", "sysdate", "curdate", "curtime", "current_timestamp", "unix_timestamp":
		return ": rules have no clock and no chance, so that a backtest says what will happen"
	case "sleep", "benchmark", "load_file", "user", "version", "database":
		return ": rules see nothing but the record"
	}
	return ""
}

func functionNames() []string {
	out := slices.Clone(plainAggregates)
	for n := range scalars {
		out = append(out, n)
	}
	for n := range percentiles {
		out = append(out, n)
	}
	slices.Sort(out)
	return append(out, "approx_percentile", "quantile")
}
