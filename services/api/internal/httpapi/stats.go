package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/status"
	"github.com/logmill/logmill/services/api/internal/tally"
	"github.com/logmill/logmill/shared/fault"
)

// sumsJSON is what the answers of stats, histogram and facets have in common.
type sumsJSON struct {
	Start      time.Time    `json:"start"`
	End        time.Time    `json:"end"`
	Covered    coveredJSON  `json:"covered"`     // what the counts are complete for
	NextCursor string       `json:"next_cursor"` // goes on with what is not covered; "" at the end
	Source     string       `json:"source"`
	Partial    bool         `json:"partial"`
	Reason     string       `json:"partial_reason"`
	Stats      search.Stats `json:"stats"`
	Lag        status.Lag   `json:"lag"`

	Hints   []query.Hint    `json:"hints,omitempty"`
	Explain *search.Explain `json:"explain,omitempty"`
}

type coveredJSON struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

func utc(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// rest is the place of a cursor: the part of the range that was not covered.
type rest struct{ Start, End int64 }

// sumsOf says which lists of sums a cursor belongs to: of this route and filter.
func sumsOf(route string, q *query.Query) string { return fmt.Sprintf("%s.%x", route, q.Fingerprint()) }

// sumsQuery reads what all three have in common.
func (p *params) sumsQuery(route string, own ...string) (*query.Query, []query.Hint) {
	p.only(append(append(own, "limit", "cursor", "explain", "source"), queryNames...)...)
	q, hints := p.filter()
	q.Explain, q.Source = p.yes("explain"), p.c.QueryParam("source")
	if !slices.Contains([]string{"", search.FromBlocks, search.FromWindows}, q.Source) {
		p.wrong("source", "%q is neither blocks nor windows", q.Source)
	}
	var r rest
	if len(p.problems) == 0 && p.cursor(sumsOf(route, q), &r) {
		q.Start, q.End = r.Start, r.End
	}
	return q, hints
}

// aggregate asks for tables and renders what their answers have in common.
func (s *server) aggregate(c echo.Context, route string, q *query.Query, hints []query.Hint, wanted []search.Wanted) (search.Sums, sumsJSON, error) {
	sums, err := s.Search.Aggregate(c.Request().Context(), q, wanted)
	if errors.Is(err, search.ErrSteps) {
		return sums, sumsJSON{}, fault.Invalid("the request has mistakes", fault.Field{Name: "step", Reason: err.Error()})
	}
	if err != nil {
		return sums, sumsJSON{}, err
	}
	out := sumsJSON{Start: utc(sums.Start), End: utc(sums.End), Covered: coveredJSON{utc(sums.From), utc(sums.End)}, Source: sums.Source, Partial: sums.Partial, Reason: sums.Reason,
		Stats: sums.Stats, Lag: s.Status.Lag(), Hints: hints, Explain: sums.Explain}
	if sums.From > sums.Start {
		out.NextCursor = seal(sumsOf(route, q), rest{sums.Start, sums.From})
	}
	return sums, out, nil
}

// stats is figures of groups, over time when a step is given.
func (s *server) stats(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	q, hints := p.sumsQuery("stats", "by", "metrics", "step")
	w := search.Wanted{By: p.fields("by", maxBy), Measures: p.measures(), Step: p.stepNS(), Limit: p.number("limit", defaultLimit, maxLimit)}
	if err := p.err(); err != nil {
		return err
	}
	sums, out, err := s.aggregate(c, "stats", q, hints, []search.Wanted{w})
	if err != nil {
		return err
	}
	table := sums.Tables[0]
	if n := len(table.Groups); w.Step > 0 && n > 0 && n*len(table.Groups[0].Points) > maxCells {
		return fault.Invalid("the request has mistakes", fault.Field{Name: "limit", Reason: fmt.Sprintf("%d groups of %d points are more than one answer has (%d points)", n, len(table.Groups[0].Points), maxCells)})
	}
	head, err := json.Marshal(statsJSON{out, float64(w.Step) / 1e9, table.Total, table.Known, table.Others})
	if err != nil {
		return fmt.Errorf("rendering statistics: %w", err)
	}
	g := newGroups(w, &sums)
	body := append(slices.Grow(head[:len(head)-1], g.size(table.Groups)), `,"groups":`...)
	body = append(g.append(body, table.Groups), "}\n"...)
	return c.JSONBlob(http.StatusOK, body)
}

// statsJSON is the answer of GET /api/logs/stats, but for groups.
type statsJSON struct {
	sumsJSON
	StepS  float64 `json:"step_s"`       // 0: no points
	Total  int64   `json:"total"`        // lines
	Known  int     `json:"groups_total"` // groups, shown or not
	Others int64   `json:"others"`       // lines that are in none of groups
}

// groups renders groups: hundreds of thousands of points, each a small object, are what encoding/json is slow at.
type groups struct {
	by, figures []string // names as they stand in JSON, with quotes and colon
	times       []string // beginnings of points
}

func newGroups(w search.Wanted, sums *search.Sums) *groups {
	g := &groups{}
	for _, f := range w.By {
		g.by = append(g.by, quoted(f.String())+":")
	}
	for _, m := range w.Measures {
		g.figures = append(g.figures, quoted(m.String())+":")
	}
	if w.Step > 0 {
		for at := sums.Starts[0]; at < sums.End; at += w.Step {
			g.times = append(g.times, `{"time":"`+utc(at).Format(time.RFC3339Nano)+`",`)
		}
	}
	return g
}

// size is about what append will append, bytes: growing megabytes step by step costs a quarter of the answer.
func (g *groups) size(of []*tally.Group) int {
	const group, point, figure = 256, 56, 24
	n := 64
	for _, of := range of {
		n += group + len(of.Points)*(point+figure*len(g.figures))
	}
	return n
}

// quoted is a text in JSON.
func quoted(s string) string {
	raw, err := json.Marshal(s)
	if err != nil { // cannot happen: any string has a JSON form
		return `""`
	}
	return string(raw)
}

func (g *groups) append(b []byte, of []*tally.Group) []byte {
	b = append(b, '[')
	for i, group := range of {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"by":{`...)
		for k, v := range group.Values {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(append(b, g.by[k]...), valueJSON(v)...)
		}
		b = g.point(append(b, "},"...), &group.Point)
		if len(group.Points) > 0 {
			b = append(b, `,"points":[`...)
			for k := range group.Points {
				if k > 0 {
					b = append(b, ',')
				}
				b = append(g.point(append(b, g.times[k]...), &group.Points[k]), '}')
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

// valueJSON is a group's value of a field: null when its lines have none.
func valueJSON(v tally.Value) string {
	if v.None {
		return "null"
	}
	return quoted(v.Text)
}

// point renders count and figures; a figure that no line has a value for is null.
func (g *groups) point(b []byte, p *tally.Point) []byte {
	b = strconv.AppendInt(append(b, `"count":`...), p.Count, 10)
	if len(g.figures) == 0 {
		return b
	}
	b = append(b, `,"values":{`...)
	for i, name := range g.figures {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, name...)
		if v := p.Figures[i]; math.IsNaN(v) || math.IsInf(v, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		}
	}
	return append(b, '}')
}

// histogramJSON is the answer of GET /api/logs/histogram.
type histogramJSON struct {
	sumsJSON
	StepS  float64   `json:"step_s"`
	By     string    `json:"by"`
	Total  int64     `json:"total"`
	Points []barJSON `json:"points"`
}

// barJSON is a bar: By has its parts by value, of the most frequent ones.
type barJSON struct {
	Time  time.Time        `json:"time"`
	Count int64            `json:"count"`
	By    map[string]int64 `json:"by,omitempty"`
}

func (s *server) histogram(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	q, hints := p.sumsQuery("histogram", "by", "step", "points")
	limit := p.number("limit", defaultTop, maxLimit)
	w := search.Wanted{Step: p.stepNS(), Limit: 1}
	if w.Step == 0 {
		w.Points = max(1, p.number("points", defaultBars, search.MaxPoints))
	}
	wanted := []search.Wanted{w}
	by := p.fields("by", 1)
	if len(by) > 0 {
		w.By, w.Limit = by, limit
		wanted = append(wanted, w)
	}
	if err := p.err(); err != nil {
		return err
	}
	sums, head, err := s.aggregate(c, "histogram", q, hints, wanted)
	if err != nil {
		return err
	}
	out := histogramJSON{sumsJSON: head, StepS: float64(sums.Steps[0]) / 1e9, Total: sums.Tables[0].Total, Points: []barJSON{}}
	for at := sums.Starts[0]; at < sums.End; at += sums.Steps[0] {
		out.Points = append(out.Points, barJSON{Time: utc(at)})
	}
	for _, g := range sums.Tables[0].Groups {
		for i := range g.Points {
			out.Points[i].Count = g.Points[i].Count
		}
	}
	if len(by) > 0 {
		out.By = by[0].String()
		out.parts(sums.Tables[1].Groups)
	}
	return c.JSON(http.StatusOK, out)
}

// parts adds to each bar what it is made of.
func (h *histogramJSON) parts(groups []*tally.Group) {
	for _, g := range groups {
		for i := range g.Points {
			if n := g.Points[i].Count; n > 0 && !g.Values[0].None {
				if h.Points[i].By == nil {
					h.Points[i].By = map[string]int64{}
				}
				h.Points[i].By[g.Values[0].Text] = n
			}
		}
	}
}

// facetsJSON is the answer of GET /api/logs/facets.
type facetsJSON struct {
	sumsJSON
	Total  int64       `json:"total"`
	Facets []facetJSON `json:"facets"`
}

// facetJSON is a field's most frequent values.
type facetJSON struct {
	Field    string    `json:"field"`
	Values   []topJSON `json:"values"`
	Distinct int       `json:"distinct"` // values, shown or not
	Missing  int64     `json:"missing"`  // lines without the field
	Others   int64     `json:"others"`   // lines with other values
}

type topJSON struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

func (s *server) facets(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	q, hints := p.sumsQuery("facets", "fields")
	limit := p.number("limit", defaultTop, maxLimit)
	fields := p.fields("fields", maxFacets)
	if c.QueryParam("fields") == "" {
		fields = defaultFacets
	}
	if err := p.err(); err != nil {
		return err
	}
	wanted := make([]search.Wanted, len(fields))
	for i, f := range fields {
		wanted[i] = search.Wanted{By: []query.Field{f}, Limit: limit + 1} // one of them may be the lines without
	}
	sums, head, err := s.aggregate(c, "facets", q, hints, wanted)
	if err != nil {
		return err
	}
	out := facetsJSON{sumsJSON: head, Total: sums.Tables[0].Total, Facets: []facetJSON{}}
	for i, f := range fields {
		out.Facets = append(out.Facets, facetOf(f, &sums.Tables[i], limit))
	}
	return c.JSON(http.StatusOK, out)
}

func facetOf(f query.Field, t *tally.Result, limit int) facetJSON {
	out := facetJSON{Field: f.String(), Values: []topJSON{}, Distinct: t.Known, Others: t.Total, Missing: t.None}
	if t.None > 0 {
		out.Distinct--
	}
	out.Others -= out.Missing
	for _, g := range t.Groups {
		if len(out.Values) == limit {
			break
		}
		if !g.Values[0].None {
			out.Values = append(out.Values, topJSON{g.Values[0].Text, g.Count})
			out.Others -= g.Count
		}
	}
	return out
}

// defaultFacets are what most lines have, and have few values of.
var defaultFacets = []query.Field{{Name: "level"}, {Name: "service"}, {Name: "host"}, {Name: "env"}, {Name: "team"}, {Name: "request_method"}, {Name: "response_status"}}

// fields reads a list of fields to group by.
func (p *params) fields(name string, most int) (out []query.Field) {
	for _, text := range p.list(name) {
		f, err := query.ParseField(text)
		switch {
		case err != nil:
			p.wrong(name, "%v", err)
		case !f.Groups():
			p.wrong(name, "lines cannot be counted by %s: each has its own", f)
		default:
			out = append(out, f)
		}
	}
	if len(out) > most {
		p.wrong(name, "has %d fields, at most %d are taken", len(out), most)
	}
	return out
}

func (p *params) measures() (out []query.Measure) {
	for _, text := range p.list("metrics") {
		m, err := query.ParseMeasure(text)
		if err != nil {
			p.wrong("metrics", "%v", err)
		}
		out = append(out, m)
	}
	if len(out) > maxMeasures {
		p.wrong("metrics", "has %d figures, at most %d are worked out", len(out), maxMeasures)
	}
	return out
}

// stepNS is the parameter step, 0 without one.
func (p *params) stepNS() int64 {
	text := p.c.QueryParam("step")
	if text == "" {
		return 0
	}
	d, err := query.ParseDuration(text)
	if err != nil {
		p.wrong("step", "%v", err)
	} else if d < time.Millisecond {
		p.wrong("step", "%q is below 1ms", text)
	}
	return int64(d)
}
