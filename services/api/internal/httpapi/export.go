package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/export"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/logrec"
)

// everything is a query without a filter.
func everything(limit int) *query.Query {
	return &query.Query{Filter: query.All{}, Start: math.MinInt64, End: math.MaxInt64, Limit: limit}
}

// Trailers of an export: what is known only at its end.
const (
	trailerCursor  = "Logmill-Next-Cursor"
	trailerLines   = "Logmill-Lines"
	trailerPartial = "Logmill-Partial-Reason"
)

// exporting is what is asked of an export.
type exporting struct {
	format export.Format
	fields []query.Field
	limit  int
	after  string // a line's id
}

func (p *params) export() (*query.Query, exporting) {
	p.only(append(queryNames, "format", "fields", "limit", "order", "cursor", "after")...)
	q, _ := p.filter()
	x := exporting{limit: p.number("limit", maxExport, maxExport), after: p.c.QueryParam("after")}
	var err error
	if x.format, err = export.ParseFormat(p.c.QueryParam("format")); err != nil {
		p.wrong("format", "%v", err)
	}
	switch order := p.c.QueryParam("order"); order {
	case "", "asc":
		q.Oldest = true
	case "desc":
	default:
		p.wrong("order", "%q is neither asc nor desc", order)
	}
	if q.End == math.MaxInt64 && q.Oldest {
		q.End = p.now.UnixNano() + 1 // else it would run after the lines that come
	}
	for _, text := range p.list("fields") {
		f, err := query.ParseField(text)
		if err != nil || f.Kind() == query.KindAddress {
			p.wrong("fields", "%q is not a column or an attribute", text)
		}
		x.fields = append(x.fields, f)
	}
	if len(x.fields) > 0 && x.format != export.CSV {
		p.wrong("fields", "are chosen for format=csv; the others have all of a line")
	}
	if len(x.fields) > export.MaxFields {
		p.wrong("fields", "has %d fields, at most %d are taken", len(x.fields), export.MaxFields)
	}
	if x.after != "" && p.c.QueryParam("cursor") != "" {
		p.wrong("after", "says where to go on, and so does cursor")
	}
	p.place(q)
	return q, x
}

// export streams all lines that a query finds. It goes on behind a cursor, or behind the line with an id.
func (s *server) export(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	q, x := p.export()
	var after logrec.ID
	if x.after != "" {
		var err error
		if after, err = logrec.ParseID(x.after); err != nil {
			p.wrong("after", "is not the id of a line: take it from its field id")
		}
	}
	if err := p.err(); err != nil {
		return err
	}
	if x.after != "" {
		line, err := s.line(c.Request().Context(), after)
		if err != nil {
			return err
		}
		q.After = &line.Key
	}
	first, err := s.exportPage(c, q, x.limit)
	if err != nil {
		return err // before anything is sent, an error is an answer
	}
	s.send(c, q, x, first)
	return nil
}

func (s *server) exportPage(c echo.Context, q *query.Query, left int) (search.Result, error) {
	q.Limit = min(left, exportPage)
	return s.Search.Search(c.Request().Context(), q)
}

// send writes page after page. When something fails in the middle the connection is cut: the client must not take a part for the whole.
func (s *server) send(c echo.Context, q *query.Query, x exporting, res search.Result) {
	w := c.Response()
	h := w.Header()
	h.Set("Trailer", strings.Join([]string{trailerCursor, trailerLines, trailerPartial}, ", "))
	h.Set(echo.HeaderContentType, x.format.ContentType())
	h.Set(echo.HeaderContentDisposition, `attachment; filename="logs.`+string(x.format)+`"`)
	w.WriteHeader(http.StatusOK)
	out := export.New(x.format, w, x.fields, func(h *search.Hit) any { return render(h) })
	control := http.NewResponseController(w)
	lines, until, reason := 0, s.Now().Add(exportTime), ""
	var err error
	for {
		if err = control.SetWriteDeadline(time.Now().Add(stuckAfter)); err == nil {
			err = out.Write(res.Hits)
		}
		lines += len(res.Hits)
		if res.Damaged {
			reason = res.Reason
		}
		if err != nil || res.Next == nil || lines >= x.limit || !s.Now().Before(until) {
			break
		}
		if err = control.Flush(); err != nil {
			break
		}
		q.After = res.Next
		if res, err = s.exportPage(c, q, x.limit-lines); err != nil {
			break
		}
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		s.Log.Warn().Err(err).Int("lines", lines).Msg("an export was cut off")
		panic(http.ErrAbortHandler)
	}
	h.Set(trailerLines, fmt.Sprint(lines))
	if res.Next != nil {
		h.Set(trailerCursor, q.Cursor(*res.Next))
	}
	if reason != "" {
		h.Set(trailerPartial, strings.ReplaceAll(reason, "\n", " "))
	}
}
