package httpapi

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/windows"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
)

// params reads query parameters and keeps everything that is wrong with them.
type params struct {
	c        echo.Context
	now      time.Time
	problems []fault.Field
}

func (p *params) wrong(name, format string, args ...any) {
	p.problems = append(p.problems, fault.Field{Name: name, Reason: fmt.Sprintf(format, args...)})
}

func (p *params) err() error {
	if len(p.problems) == 0 {
		return nil
	}
	return fault.Invalid("the request has mistakes", p.problems...)
}

// only refuses parameters that the route does not know: a misspelt filter must not answer everything. Nor may values be other than text.
func (p *params) only(names ...string) {
	for name, values := range p.c.QueryParams() {
		if !utf8.ValidString(strings.Join(values, "")) {
			p.wrong(name, "is not valid UTF-8")
		}
		known := false
		for _, n := range names {
			known = known || n == name
		}
		if !known {
			p.wrong(name, "is not a parameter of this route (%s)", strings.Join(names, ", "))
		}
	}
}

func (p *params) number(name string, fallback, most int) int {
	text := p.c.QueryParam(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		p.wrong(name, "%q is not a number from 0 to %d", text, most)
		return fallback
	}
	return n
}

func (p *params) time(name string, fallback int64) int64 {
	text := p.c.QueryParam(name)
	if text == "" {
		return fallback
	}
	ns, err := query.ParseTime(text, p.now)
	if err != nil {
		p.wrong(name, "%v", err)
	}
	return ns
}

func (p *params) yes(name string) bool {
	text := p.c.QueryParam(name)
	b, err := strconv.ParseBool(text)
	if text != "" && err != nil {
		p.wrong(name, "%q is neither true nor false", text)
	}
	return b
}

// list is a comma-separated list, or a parameter given several times.
func (p *params) list(name string) []string {
	var out []string
	for _, v := range p.c.QueryParams()[name] {
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

// queryNames are the parameters that say which lines are meant.
var queryNames = []string{"q", "level", "service", "trace_id", "user_id", "search", "start", "end"}

// filter reads q and the parameters that are short for parts of it, and a range of time.
func (p *params) filter() (q *query.Query, hints []query.Hint) {
	parsed, err := query.Parse(p.c.QueryParam("q"))
	if err != nil {
		p.problems = append(p.problems, queryProblem(err))
	}
	levels, err := query.Levels(p.list("level")...)
	if err != nil {
		p.wrong("level", "%v", err)
	}
	if len(p.c.QueryParam("search")) > maxSearchBytes {
		p.wrong("search", "is longer than %d bytes", maxSearchBytes)
	}
	of := []query.Node{parsed.Filter, levels, query.Equal(query.Field{Name: "service"}, p.list("service")...), query.Contains(p.c.QueryParam("search"))}
	if id := p.c.QueryParam("trace_id"); id != "" {
		of = append(of, query.Equal(query.Field{Name: "trace_id"}, logrec.NormalID(id, 32)))
	}
	if id := p.c.QueryParam("user_id"); id != "" {
		of = append(of, query.Equal(query.Field{Name: "user_id"}, id))
	}
	q = &query.Query{Filter: query.AllOf(of...), Start: p.time("start", math.MinInt64), End: p.time("end", math.MaxInt64)}
	if q.Start >= q.End {
		p.wrong("start", "is not before end")
	}
	return q, parsed.Hints
}

// queryProblem says what is wrong with q, and where.
func queryProblem(err error) fault.Field {
	f := fault.Field{Name: "q", Reason: err.Error()}
	var at *query.Error
	if errors.As(err, &at) {
		f.Pos, f.Len = at.Pos+1, at.Len
	}
	return f
}

// page reads which part of the lines is wanted, and in which order.
func (p *params) page(q *query.Query) {
	q.Limit, q.Offset, q.Count, q.Explain = p.number("limit", defaultLimit, maxLimit), p.number("offset", 0, maxOffset), p.yes("count"), p.yes("explain")
	switch order := p.c.QueryParam("order"); order {
	case "", "desc":
	case "asc":
		q.Oldest = true
	default:
		p.wrong("order", "%q is neither asc nor desc", order)
	}
	p.place(q)
}

// place reads the cursor; it must be read last: it belongs to the query and its order.
func (p *params) place(q *query.Query) {
	text := p.c.QueryParam("cursor")
	if text == "" || len(p.problems) > 0 {
		return
	}
	k, err := q.ParseCursor(text)
	if err != nil {
		p.wrong("cursor", "%v", err)
	}
	q.After = &k
}

// window reads start and end for the window tables: whole windows of 10 s, an hour by default.
func (p *params) window() (start, end time.Time) {
	const window = 10 * time.Second
	endNS := p.time("end", p.now.UnixNano())
	startNS := p.time("start", endNS-int64(defaultRange))
	start = time.Unix(0, startNS).UTC().Truncate(window)
	end = time.Unix(0, endNS).UTC().Add(window - 1).Truncate(window)
	if !start.Before(end) {
		p.wrong("start", "is not before end")
	} else if end.Sub(start) > maxRange {
		p.wrong("start", "the range is longer than %s", maxRange)
	}
	return start, end
}

// windows is what figures are asked for: start and end are widened to whole windows, of 10 s, or of minutes or hours where the step is one of these.
func (p *params) windows() windows.Query {
	start, end := p.window()
	q := windows.Query{Start: start, End: end, Step: p.step(start, end), Service: p.c.QueryParam("service")}
	for _, width := range []time.Duration{time.Minute, time.Hour} {
		if q.Step > 0 && q.Step%width == 0 {
			q.Start, q.End = q.Start.Truncate(width), q.End.Add(width-1).Truncate(width)
		}
	}
	return q
}

// servicesIn is a range for the list of services: one of more than an hour is widened to whole minutes, one of more than a day to
// hours, of which memory has more.
func (p *params) servicesIn() windows.Query {
	start, end := p.window()
	width := 10 * time.Second
	switch d := end.Sub(start); {
	case d > 24*time.Hour:
		width = time.Hour
	case d > defaultRange:
		width = time.Minute
	}
	return windows.Query{Start: start.Truncate(width), End: end.Add(width - 1).Truncate(width), Step: width}
}

// steps are those that people read well.
var steps = []time.Duration{10 * time.Second, 20 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// step is the width of a point of a series: given, or the first of steps that makes no more than 120 points.
func (p *params) step(start, end time.Time) time.Duration {
	if text := p.c.QueryParam("step"); text != "" {
		d, err := query.ParseDuration(text)
		if err != nil {
			p.wrong("step", "%v", err)
		}
		return d
	}
	for _, d := range steps {
		if end.Sub(start) <= 120*d {
			return d
		}
	}
	return steps[len(steps)-1]
}
