package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/tail"
	"github.com/logmill/logmill/shared/fault"
)

// Tail shows lines as they come.
type Tail interface {
	Watch(filter query.Node, rate int) (*tail.Viewer, error)
}

// tail streams the lines that a query finds from now on, as server-sent events.
func (s *server) tail(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("q", "level", "service", "trace_id", "user_id", "search", "lines", "rate")
	q, _ := p.filter()
	q.Limit = p.number("lines", defaultTailLines, maxLimit)
	rate := max(1, p.number("rate", tail.DefaultRate, tail.MaxRate))
	if err := p.err(); err != nil {
		return err
	}
	v, err := s.Tail.Watch(q.Filter, rate)
	switch {
	case errors.Is(err, tail.ErrFull):
		return fault.Overloaded(tailAgain, "as many are watching already as may")
	case errors.Is(err, tail.ErrClosed):
		return fault.Unavailable(err, "the api stops")
	case err != nil:
		return err
	}
	defer v.Close()
	return s.follow(c, v, q)
}

// events is a stream of server-sent events.
type events struct {
	w       *echo.Response
	control *http.ResponseController
	buf     []byte
	shown   map[string]bool // ids of lines that were there at the start: they may come again
	dropped int64
}

func newEvents(c echo.Context) *events {
	e := &events{w: c.Response(), control: http.NewResponseController(c.Response()), shown: map[string]bool{}}
	h := e.w.Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies that keep answers back would keep all of it
	e.w.WriteHeader(http.StatusOK)
	return e
}

// event adds one; without a name it is a message, as browsers call it.
func (e *events) event(name, id string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("rendering an event: %w", err)
	}
	if name != "" {
		e.buf = fmt.Appendf(e.buf, "event: %s\n", name)
	}
	if id != "" {
		e.buf = fmt.Appendf(e.buf, "id: %s\n", id)
	}
	e.buf = append(append(append(e.buf, "data: "...), raw...), "\n\n"...)
	return nil
}

// send writes what was added; a client that takes nothing for too long is an error.
func (e *events) send() error {
	if err := e.control.SetWriteDeadline(time.Now().Add(stuckAfter)); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	_, err := e.w.Write(e.buf)
	if e.buf = e.buf[:0]; err == nil {
		err = e.control.Flush()
	}
	return err
}

func (e *events) lines(hits []*search.Hit) error {
	for _, h := range hits {
		id := h.Key.ID.String()
		if e.shown[id] {
			delete(e.shown, id)
			continue
		}
		if err := e.event("", id, render(h)); err != nil {
			return err
		}
		if len(e.buf) > flushBytes {
			if err := e.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

// startJSON says that lines are being read.
type startJSON struct {
	Time time.Time `json:"time"`
}

// problemJSON says that they are not, at the moment.
type problemJSON struct {
	Detail string `json:"detail"`
}

// droppedJSON says that lines were left out because the client, or its rate, was too slow.
type droppedJSON struct {
	Lines int64 `json:"lines"`
	Total int64 `json:"total"`
}

// follow sends what comes until the client goes, or is stuck. An error of a write is the client's going: nobody is there to be told.
func (s *server) follow(c echo.Context, v *tail.Viewer, q *query.Query) error {
	ctx := c.Request().Context()
	e := newEvents(c)
	if err := s.past(ctx, e, v, q); err != nil {
		return nil
	}
	for {
		wait, cancel := context.WithTimeout(ctx, heartbeatEvery)
		n, err := v.Next(wait)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			err = e.event("heartbeat", "", startJSON{s.Now().UTC()})
		case err != nil:
			_ = e.event("problem", "", problemJSON{err.Error()})
			_ = e.send()
			return nil
		default:
			err = s.news(e, n)
		}
		if err == nil {
			err = e.send()
		}
		if err != nil {
			return nil
		}
	}
}

func (s *server) news(e *events, n tail.News) error {
	if n.Changed && n.Live {
		if err := e.event("start", "", startJSON{s.Now().UTC()}); err != nil {
			return err
		}
	}
	if n.Changed && n.Problem != nil {
		s.Log.Warn().Err(n.Problem).Msg("the tail cannot read")
		if err := e.event("problem", "", problemJSON{"Kafka does not answer: lines that come are shown when it does"}); err != nil {
			return err
		}
	}
	if err := e.lines(n.Lines); err != nil {
		return err
	}
	if n.Dropped == 0 {
		return nil
	}
	e.dropped += n.Dropped
	return e.event("dropped", "", droppedJSON{n.Dropped, e.dropped})
}

// past sends the last lines that are stored. They are searched for when the reading has begun: what is stored later comes over Kafka.
func (s *server) past(ctx context.Context, e *events, v *tail.Viewer, q *query.Query) error {
	wait, cancel := context.WithTimeout(ctx, connectWithin)
	first, err := v.Next(wait)
	cancel()
	if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
		return err
	}
	if q.Limit > 0 {
		q.Start, q.End = math.MinInt64, math.MaxInt64
		res, err := s.Search.Search(ctx, q)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil || res.Partial {
			if err := e.event("problem", "", problemJSON{"the lines before cannot be had, or not all of them"}); err != nil {
				return err
			}
		}
		slices.Reverse(res.Hits)
		for i := range res.Hits {
			h := &res.Hits[i]
			if err := e.lines([]*search.Hit{h}); err != nil {
				return err
			}
			e.shown[h.Key.ID.String()] = true
		}
	}
	if err := s.news(e, first); err != nil {
		return err
	}
	return e.send()
}
