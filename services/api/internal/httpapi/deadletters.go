package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/deadletter"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/fault"
)

// DeadLetters tells of what could not be processed, and sends it back.
type DeadLetters interface {
	List(ctx context.Context, f deadletter.Filter) (deadletter.List, error)
	Get(ctx context.Context, offset int64) (e deadletter.Entry, payload string, whole bool, err error)
	Replay(ctx context.Context, r deadletter.Request) (deadletter.Outcome, error)
}

// letterJSON is a dead letter. Payloads are as they came, before redaction: without the scope admin they are left out.
type letterJSON struct {
	ID          string      `json:"id"`
	Time        time.Time   `json:"time"`
	Received    *time.Time  `json:"received,omitempty"`
	Kind        string      `json:"kind"`
	Reason      string      `json:"reason"`
	Component   string      `json:"component"`
	Topic       string      `json:"topic"`
	Partition   int32       `json:"partition"`
	Offset      int64       `json:"offset"`
	Size        int         `json:"size"`
	ContentType string      `json:"content_type"`
	Hidden      bool        `json:"payload_hidden"`
	Excerpt     string      `json:"excerpt"`
	State       string      `json:"state"`
	Replayable  bool        `json:"replayable"`
	WhyNot      string      `json:"not_replayable_because,omitempty"`
	Replay      *replayJSON `json:"replay,omitempty"`
	ReplayOf    string      `json:"replay_of,omitempty"` // id, when that letter is still known
	Payload     *string     `json:"payload,omitempty"`
	Whole       *bool       `json:"payload_whole,omitempty"`
}

type replayJSON struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Offset int64     `json:"offset"`           // on logs.raw
	Letter string    `json:"letter,omitempty"` // that it became
}

type lettersJSON struct {
	Letters    []letterJSON       `json:"letters"`
	Counts     []deadletter.Count `json:"counts"`
	NextCursor string             `json:"next_cursor"`
	Partial    bool               `json:"partial"`
	Reason     string             `json:"partial_reason"`
}

func letterAnswer(e *deadletter.Entry, hidden bool) letterJSON {
	out := letterJSON{ID: e.ID(), Time: e.Time, Kind: e.Where.Kind, Reason: e.Reason, Component: e.Where.Component, Topic: e.Where.Topic, Partition: e.Where.Partition, Offset: e.Where.Offset,
		Size: e.Size, ContentType: e.ContentType, Hidden: hidden, State: e.State, Replayable: e.WhyNot == "", WhyNot: e.WhyNot, ReplayOf: e.FirstLetter}
	if !hidden {
		out.Excerpt = e.Excerpt
	}
	if e.Where.Time != 0 {
		at := time.Unix(0, e.Where.Time).UTC()
		out.Received = &at
	}
	if e.ReplayedAs >= 0 {
		out.Replay = &replayJSON{By: e.ReplayedBy, At: e.ReplayedAt, Offset: e.ReplayedAs, Letter: e.NextLetter}
	}
	return out
}

func hidden(c echo.Context) bool { return !auth.CallerOf(c.Request()).May(auth.Admin) }

func (s *server) listDeadLetters(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("kind", "component", "state", "start", "end", "limit", "cursor")
	f := deadletter.Filter{Kinds: p.list("kind"), Components: p.list("component"), States: p.oneOf("state", deadletter.States), Limit: p.number("limit", defaultLimit, maxLimit), Before: math.MaxInt64,
		Start: time.Unix(0, p.time("start", 0)), End: time.Unix(0, p.time("end", s.Now().Add(time.Hour).UnixNano()))} // an hour, because Kafka's clock is another one
	p.cursor("dead-letters", &f.Before)
	if err := p.err(); err != nil {
		return err
	}
	list, err := s.DeadLetters.List(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := lettersJSON{Letters: make([]letterJSON, len(list.Entries)), Counts: list.Counts, Partial: list.Rest != "", Reason: list.Rest}
	for i := range list.Entries {
		out.Letters[i] = letterAnswer(&list.Entries[i], hidden(c))
	}
	if n := len(list.Entries); list.More && n > 0 {
		out.NextCursor = seal("dead-letters", list.Entries[n-1].Offset)
	}
	return c.JSON(http.StatusOK, out)
}

func (s *server) getDeadLetter(c echo.Context) error {
	offset, ok := deadletter.ParseID(c.Param("id"))
	if !ok {
		return fault.NotFound("there is no dead letter %q: ids are as in the list", c.Param("id"))
	}
	e, payload, whole, err := s.DeadLetters.Get(c.Request().Context(), offset)
	if err != nil {
		return err
	}
	out := letterAnswer(&e, hidden(c))
	if !out.Hidden {
		out.Payload, out.Whole = &payload, &whole
	}
	return c.JSON(http.StatusOK, out)
}

// writtenReplay is the body of POST /api/dead-letters/replay.
type writtenReplay struct {
	IDs     []string `json:"ids"`
	Kind    string   `json:"kind"`
	Through string   `json:"through"`
	Who     string   `json:"who"`
	Note    string   `json:"note"`
}

func (s *server) replayDeadLetters(c echo.Context) error {
	var b writtenReplay
	if err := readBody(c, "replay", &b); err != nil {
		return err
	}
	r, problems := b.request()
	if r.Who = says(c, b.Who); len(r.Who) > maxWho {
		problems = append(problems, fault.Field{Name: "who", Reason: fmt.Sprintf("is longer than %d bytes", maxWho)})
	}
	if len(problems) > 0 {
		return fault.Invalid("the replay has mistakes", problems...)
	}
	out, err := s.DeadLetters.Replay(c.Request().Context(), r)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, out)
}

func (b *writtenReplay) request() (r deadletter.Request, problems []fault.Field) {
	wrong := func(name, format string, args ...any) {
		problems = append(problems, fault.Field{Name: name, Reason: fmt.Sprintf(format, args...)})
	}
	r = deadletter.Request{Kind: b.Kind, Note: b.Note}
	var ok bool
	switch {
	case (len(b.IDs) == 0) == (b.Kind == ""):
		wrong("ids", "say either ids, or kind and through")
	case len(b.IDs) > deadletter.MaxReplay:
		wrong("ids", "are more than %d: send them in parts", deadletter.MaxReplay)
	case b.Kind == "idempotency_conflict":
		wrong("kind", "many of these are other renderings of lines that are stored, by clients that sent them again: choose letters by their ids")
	case b.Kind != "":
		if r.Through, ok = deadletter.ParseID(b.Through); !ok {
			wrong("through", "%q is not the id of a letter: all of the kind up to it are sent, so that none is that you have not seen", b.Through)
		}
	case b.Through != "":
		wrong("through", "goes with kind, not with ids")
	}
	for _, id := range b.IDs {
		offset, ok := deadletter.ParseID(id)
		if !ok {
			wrong("ids", "%q is not the id of a letter", id)
			break
		}
		r.Letters = append(r.Letters, offset)
	}
	if len(b.Note) > maxNote {
		wrong("note", "is longer than %d bytes", maxNote)
	}
	return r, problems
}
