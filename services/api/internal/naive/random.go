package naive

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/logrec"
)

// Random makes lines, and queries that find some of them.
type Random struct {
	*rand.Rand
	Span int64 // ns: timestamps lie in [0, Span)
	many bool  // attributes: more names than a block has columns for
}

// NewRandom is seeded: the same seed gives the same lines and queries.
func NewRandom(seed uint64) *Random {
	r := &Random{Rand: rand.New(rand.NewPCG(seed, 11)), Span: 1_000_000}
	r.many = seed%4 == 0
	return r
}

func pick[T any](r *Random, of ...T) T { return of[r.IntN(len(of))] }

var texts = []string{"payment", "Declined", "TIMEOUT", "of", "upstream", "naïve", "NAÏVE", "retry", "failed", "order_id", "kelvin", "\u212aelvin", "paſſ", "pass", "İstanbul", "istanbul", "größe", "GRÖßE",
	"10.1.2.3", "10.1.2.3:8080", "10.200.0.1.", "192.168.0.7", "fe80::1", "x10.1.2.3", "dead:beef", "a", "b", "ab", "aab", "zz", "42", "7", "-", "->", "(x)", "[main]", `"quoted"`, `c:\temp`, "key=value", "a*b", "/api/v1", "\t"}

var separators = []string{" ", " ", " ", " ", "", ".", ",", "_", "-", "=", ": ", "  ", "\n"}

// Text is a message.
func (r *Random) Text() string {
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(pick(r, texts...))
		b.WriteString(pick(r, separators...))
	}
	return b.String()
}

func (r *Random) maybe(oneIn int, s string) string {
	if r.IntN(oneIn) > 0 {
		return ""
	}
	return s
}

func (r *Random) traceID() string {
	if r.IntN(30) == 0 {
		return "No-Hex"
	}
	return fmt.Sprintf("%032x", r.IntN(20)+1)
}

// Record is a line; the caller sets where it comes from.
func (r *Random) Record() logrec.Record {
	rec := logrec.Record{
		Timestamp: r.Int64N(r.Span), Observed: r.Int64N(r.Span), Level: pick(r, logrec.Levels...), Service: fmt.Sprintf("svc-%d", min(r.IntN(9), r.IntN(9))), Message: r.Text(),
		TraceID: r.maybe(2, r.traceID()), SpanID: r.maybe(3, fmt.Sprintf("%016x", r.IntN(9)+1)), UserID: r.maybe(4, fmt.Sprintf("U%d", r.IntN(6))),
		RequestMethod: r.maybe(3, pick(r, "GET", "POST")), RequestPath: r.maybe(3, fmt.Sprintf("/api/v%d/%s", r.IntN(3), pick(r, "users", "orders"))),
		ResponseStatus: int32(r.IntN(2) * pick(r, 200, 204, 404, 500, 503)), PatternID: int64(r.IntN(3) * r.IntN(5)), Team: r.maybe(2, pick(r, "core", "shop")), Env: r.maybe(9, "prod"),
		Host: r.maybe(2, pick(r, "h1", "h2", "10.0.0.5")),
	}
	if r.IntN(2) == 0 {
		rec.HasResponseTime, rec.ResponseTimeMS = true, float64(r.IntN(40))/4
	}
	names := 5
	if r.many {
		names = 150
	}
	for i := range names {
		if r.IntN(4) == 0 {
			rec.Attributes = append(rec.Attributes, r.attribute(fmt.Sprintf("k%d", i)))
		}
	}
	return rec
}

func (r *Random) attribute(key string) logrec.Attr {
	if r.IntN(3) == 0 {
		return logrec.Attr{Key: key, Value: pick(r, "1", "2.5", "10", "true", `{"a":"b"}`, "[1]", "-3"), Kind: logrec.JSON}
	}
	return logrec.Attr{Key: key, Value: pick(r, "", "1", "10", "9", "x", "X", `a "b"`, "10.0.0.9", "::1", "größe", "eu", "x y")}
}

// Filter is a filter of some depth. Its text is read again, so that the parser is in the comparison.
func (r *Random) Filter(depth int) query.Node {
	n := r.filter(depth)
	p, err := query.Parse(query.Print(n))
	if err != nil {
		panic(fmt.Sprintf("%q: %v", query.Print(n), err)) // only tests run this
	}
	return p.Filter
}

func (r *Random) filter(depth int) query.Node {
	if depth > 0 {
		switch r.IntN(5) {
		case 0:
			return query.AllOf(r.filter(depth-1), r.filter(depth-1))
		case 1:
			return query.AnyOf(r.filter(depth-1), r.filter(depth-1), r.filter(depth-1))
		case 2:
			return &query.Not{X: r.filter(depth - 1)}
		}
	}
	f := r.field()
	return &query.Term{Field: f, Pred: r.pred(f)}
}

func (r *Random) field() query.Field {
	switch r.IntN(4) {
	case 0:
		return query.Message
	case 1:
		return query.Field{Name: fmt.Sprintf("k%d", r.IntN(6)), Attribute: true}
	}
	return query.Field{Name: pick(r, query.Columns()...)}
}

func (r *Random) pred(f query.Field) query.Pred {
	switch f.Kind() {
	case query.KindMessage:
		return r.messagePred()
	case query.KindLevel:
		return pick[query.Pred](r, query.Is{Text: r.level()}, query.Range{Lo: query.Bound{Text: r.level(), Exclusive: r.IntN(2) == 0}, Hi: query.Bound{Open: true}},
			query.Range{Lo: query.Bound{Open: true}, Hi: query.Bound{Text: r.level(), Exclusive: r.IntN(2) == 0}}, query.Wildcard{Parts: []string{"", "r", ""}}, query.Regexp{Source: "^(e|w)"})
	case query.KindNumber:
		return pick[query.Pred](r, query.Is{Text: r.numberOf(f)}, r.between(func() string { return r.numberOf(f) }), query.Exists{}, query.Wildcard{Parts: []string{"5", ""}}, query.Regexp{Source: "0.$"})
	case query.KindTime:
		return r.between(func() string { return "1970-01-01T00:00:00." + fmt.Sprintf("%09d", r.Int64N(r.Span)) + "Z" })
	case query.KindID:
		return query.Is{Text: fmt.Sprintf("%d-%d-%d", r.IntN(2), r.IntN(20), r.IntN(20))}
	case query.KindAddress:
		return query.Network{CIDR: pick(r, "10.0.0.0/8", "10.1.2.3/32", "10.0.0.0/7", "192.168.0.0/16", "fe80::/10", "::1/128", "0.0.0.0/0")}
	}
	if f.Name == "request_path" {
		return pick[query.Pred](r, query.Is{Text: "/api/v1/users"}, query.Wildcard{Parts: []string{"/api/", "/orders"}}, query.Wildcard{Parts: []string{"", "v1", ""}}, query.Regexp{Source: "v[12]"}, query.Exists{})
	}
	preds := []query.Pred{query.Is{Text: r.value(f)}, query.Is{Text: r.value(f)}, query.Wildcard{Parts: []string{r.value(f)[:1], ""}}, query.Regexp{Source: pick(r, "1", "^.$", "(?i)X", "svc-[0-3]", "^[^1]")}, query.Exists{},
		r.between(func() string { return r.value(f) })}
	if f.Attribute || f.Name == "host" {
		preds = append(preds, query.Network{CIDR: pick(r, "10.0.0.0/24", "::/0")})
	}
	if f.Attribute {
		preds = append(preds, r.between(func() string { return strconv.Itoa(r.IntN(11)) }))
	}
	return pick(r, preds...)
}

func (r *Random) level() string { return pick(r, logrec.Levels...).String() }

func (r *Random) numberOf(f query.Field) string {
	switch f.Name {
	case "response_status":
		return pick(r, "200", "404", "500", "450.5", "-1", "5e2")
	case "pattern_id":
		return strconv.Itoa(r.IntN(9))
	}
	return pick(r, "0", "2.5", "3.1", "9.75", "100")
}

// value is one that the field may have.
func (r *Random) value(f query.Field) string {
	switch f.Name {
	case "trace_id":
		return r.traceID()
	case "span_id":
		return fmt.Sprintf("%016x", r.IntN(9)+1)
	case "service":
		return fmt.Sprintf("svc-%d", r.IntN(10))
	case "user_id":
		return fmt.Sprintf("U%d", r.IntN(7))
	}
	return pick(r, "GET", "core", "prod", "h1", "10.0.0.5", "1", "10", "x", `a "b"`, "2.5", "true", "10.0.0.9", "eu")
}

func (r *Random) between(bound func() string) query.Pred {
	b := query.Range{Lo: query.Bound{Text: bound(), Exclusive: r.IntN(3) == 0}, Hi: query.Bound{Text: bound(), Exclusive: r.IntN(3) == 0}}
	switch r.IntN(3) {
	case 0:
		b.Lo = query.Bound{Open: true}
	case 1:
		b.Hi = query.Bound{Open: true}
	}
	return b
}

func (r *Random) messagePred() query.Pred {
	words := func() string {
		s := pick(r, texts...)
		for range r.IntN(2) {
			s += pick(r, separators...) + pick(r, texts...)
		}
		return s
	}
	piece := func() string {
		s := []rune(words())
		return string(s[r.IntN(len(s)):])
	}
	switch r.IntN(6) {
	case 0, 1:
		return query.Is{Text: words()}
	case 2:
		return query.Is{Text: piece()}
	case 3:
		return query.Wildcard{Parts: pick(r, []string{piece(), ""}, []string{"", piece()}, []string{"", piece(), ""})}
	case 4:
		return query.Wildcard{Parts: []string{piece(), piece()}}
	}
	return query.Regexp{Source: pick(r, "time", "(?i)timeout", "(?i)pass", "(?i)kelvin", `\d+\.\d+`, "failed|declined|Declined", "(?i:retry) f", "^payment", "order_id$", "[a-z]{9}", "naïve", "(?i)naïve", `x\)`, "zz.*zz", "(ab)+", "^of upstream")}
}
