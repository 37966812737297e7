package httpapi

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/status"
	"github.com/logmill/logmill/shared/logrec"
)

// logJSON is a record as answers show it. Absent fields are left out.
type logJSON struct {
	ID             string                     `json:"id"`
	Timestamp      time.Time                  `json:"timestamp"`
	Observed       time.Time                  `json:"observed"`
	Level          string                     `json:"level"`
	Service        string                     `json:"service"`
	Message        string                     `json:"message"`
	TraceID        string                     `json:"trace_id,omitempty"`
	SpanID         string                     `json:"span_id,omitempty"`
	UserID         string                     `json:"user_id,omitempty"`
	RequestMethod  string                     `json:"request_method,omitempty"`
	RequestPath    string                     `json:"request_path,omitempty"`
	ResponseStatus int32                      `json:"response_status,omitempty"`
	ResponseTimeMS *float64                   `json:"response_time_ms,omitempty"`
	Team           string                     `json:"team,omitempty"`
	Env            string                     `json:"env,omitempty"`
	Host           string                     `json:"host,omitempty"`
	Attributes     map[string]json.RawMessage `json:"attributes"`
}

// logsJSON is the answer of the log routes.
type logsJSON struct {
	Logs       []logJSON    `json:"logs"`
	NextCursor string       `json:"next_cursor"` // "" at the end
	Total      *int64       `json:"total,omitempty"`
	Partial    bool         `json:"partial"`
	Reason     string       `json:"partial_reason"`
	Stats      search.Stats `json:"stats"`
	Lag        status.Lag   `json:"lag"`

	Hints   []query.Hint    `json:"hints,omitempty"`   // what probably means something else than was meant
	Explain *search.Explain `json:"explain,omitempty"` // when asked for
}

func (s *server) logs(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only(append(queryNames, "limit", "offset", "cursor", "order", "count", "explain")...)
	q, hints := p.filter()
	p.page(q)
	if err := p.err(); err != nil {
		return err
	}
	return s.answer(c, q, hints)
}

// trace is all lines of one trace, oldest first.
func (s *server) trace(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("start", "end", "limit", "cursor", "count", "explain")
	q, _ := p.filter()
	q.Filter, q.Oldest = query.Equal(query.Field{Name: "trace_id"}, logrec.NormalID(c.Param("traceID"), 32)), true
	q.Limit, q.Count, q.Explain = p.number("limit", maxLimit, maxLimit), p.yes("count"), p.yes("explain")
	p.place(q)
	if err := p.err(); err != nil {
		return err
	}
	return s.answer(c, q, nil)
}

func (s *server) answer(c echo.Context, q *query.Query, hints []query.Hint) error {
	res, err := s.Search.Search(c.Request().Context(), q)
	if err != nil {
		return err
	}
	out := logsJSON{Logs: make([]logJSON, 0, len(res.Hits)), Partial: res.Partial, Reason: res.Reason, Stats: res.Stats, Lag: s.Status.Lag(), Hints: hints, Explain: res.Explain}
	for i := range res.Hits {
		out.Logs = append(out.Logs, render(&res.Hits[i]))
	}
	if res.Next != nil {
		out.NextCursor = q.Cursor(*res.Next)
	}
	if q.Count {
		out.Total = &res.Total
	}
	return c.JSON(http.StatusOK, out)
}

func render(h *search.Hit) logJSON {
	r := h.Record
	out := logJSON{
		ID: h.Key.ID.String(), Timestamp: time.Unix(0, r.Timestamp).UTC(), Observed: time.Unix(0, r.Observed).UTC(), Level: r.Level.String(), Service: r.Service,
		Message: r.Message, TraceID: r.TraceID, SpanID: r.SpanID, UserID: r.UserID, RequestMethod: r.RequestMethod, RequestPath: r.RequestPath,
		ResponseStatus: r.ResponseStatus, Team: r.Team, Env: r.Env, Host: r.Host, Attributes: make(map[string]json.RawMessage, len(r.Attributes)),
	}
	if r.HasResponseTime {
		out.ResponseTimeMS = &r.ResponseTimeMS
	}
	for _, a := range r.Attributes {
		out.Attributes[a.Key] = attribute(a)
	}
	return out
}

func attribute(a logrec.Attr) json.RawMessage {
	if a.Kind == logrec.JSON && json.Valid([]byte(a.Value)) {
		return json.RawMessage(a.Value)
	}
	text, err := json.Marshal(a.Value)
	if err != nil { // cannot happen: any string has a JSON form
		return json.RawMessage(`""`)
	}
	return text
}
