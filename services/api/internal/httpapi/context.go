package httpapi

import (
	"context"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/logrec"
)

// contextJSON is the answer of GET /api/logs/context: lines in order of time.
type contextJSON struct {
	Before  []logJSON `json:"before"`
	Line    logJSON   `json:"line"`
	After   []logJSON `json:"after"`
	Partial bool      `json:"partial"`
	Reason  string    `json:"partial_reason"`
}

// context is a line with those before and after it, of the same service and host.
func (s *server) context(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("id", "before", "after")
	before, after := p.number("before", defaultContext, maxContext), p.number("after", defaultContext, maxContext)
	id, err := logrec.ParseID(c.QueryParam("id"))
	if err != nil {
		p.wrong("id", "is not the id of a line: take it from its field id")
	}
	if err := p.err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	line, err := s.line(ctx, id)
	if err != nil {
		return err
	}
	out := contextJSON{Line: render(line)}
	if out.After, err = s.beside(ctx, line, true, after, &out); err != nil {
		return err
	}
	if out.Before, err = s.beside(ctx, line, false, before, &out); err != nil {
		return err
	}
	slices.Reverse(out.Before)
	return c.JSON(http.StatusOK, out)
}

// line is the one with an id.
func (s *server) line(ctx context.Context, id logrec.ID) (*search.Hit, error) {
	q := everything(1)
	q.Filter = query.Equal(query.Field{Name: "id"}, id.String())
	res, err := s.Search.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(res.Hits) == 0 && res.Partial {
		return nil, fault.Unavailable(nil, "the line %s cannot be had: %s", id, res.Reason)
	}
	if len(res.Hits) == 0 {
		return nil, fault.NotFound("there is no line %s, or not any more", id)
	}
	return &res.Hits[0], nil
}

// beside are the next lines in one direction, of the line's service and host.
func (s *server) beside(ctx context.Context, line *search.Hit, later bool, n int, out *contextJSON) ([]logJSON, error) {
	lines := make([]logJSON, 0, n)
	if n == 0 {
		return lines, nil
	}
	q := everything(n)
	q.Oldest, q.After = later, &line.Key
	host := query.Field{Name: "host"}
	onHost := query.Node(&query.Not{X: &query.Term{Field: host, Pred: query.Exists{}}})
	if line.Record.Host != "" {
		onHost = query.Equal(host, line.Record.Host)
	}
	q.Filter = query.AllOf(query.Equal(query.Field{Name: "service"}, line.Record.Service), onHost)
	res, err := s.Search.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range res.Hits {
		lines = append(lines, render(&res.Hits[i]))
	}
	if res.Partial {
		out.Partial, out.Reason = true, res.Reason
	}
	return lines, nil
}
