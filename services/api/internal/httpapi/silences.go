package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// Silences keeps the silences.
type Silences interface {
	Silence(ctx context.Context, id int64) (store.SilenceRow, error)
	Silences(ctx context.Context, f store.SilenceFilter) ([]store.SilenceRow, error)
	ChangeSilence(ctx context.Context, c store.SilenceChange) (store.SilenceRow, error)
	Covered(ctx context.Context, matchers []rule.Matcher) (store.Covered, error)
}

// writtenSilence is the body of POST and PUT: what GET answers may come back, with the fields that only we set. Moments are texts or numbers as in parameters: RFC 3339, Unix time, now+2h.
type writtenSilence struct {
	Matchers  []rule.Matcher  `json:"matchers"`
	StartsAt  json.RawMessage `json:"starts_at"`
	EndsAt    json.RawMessage `json:"ends_at"`
	CreatedBy string          `json:"created_by"`
	Comment   string          `json:"comment"`
	ID        json.RawMessage `json:"id"`
	Version   json.RawMessage `json:"version"`
	State     json.RawMessage `json:"state"`
	Created   json.RawMessage `json:"created_at"`
	Updated   json.RawMessage `json:"updated_at"`
}

// silencesJSON is the answer of GET /api/silences.
type silencesJSON struct {
	Silences   []store.SilenceRow `json:"silences"`
	NextCursor string             `json:"next_cursor"`
}

var silenceStates = []string{store.SilencePending, store.SilenceActive, store.SilenceExpired}

// moment reads a time of a body; absent is the zero time.
func moment(raw json.RawMessage, now time.Time) (time.Time, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return time.Time{}, nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return time.Time{}, err
		}
	}
	ns, err := query.ParseTime(text, now)
	return time.Unix(0, ns).UTC(), err
}

// silenceBody reads a silence. What depends on the clock is checked where it is stored.
func (s *server) silenceBody(c echo.Context) (rule.Silence, error) {
	var b writtenSilence
	if err := readBody(c, "silence", &b); err != nil {
		return rule.Silence{}, err
	}
	out := rule.Silence{Matchers: b.Matchers, CreatedBy: says(c, b.CreatedBy), Comment: b.Comment}
	var problems []fault.Field
	for _, m := range []struct {
		name string
		raw  json.RawMessage
		into *time.Time
	}{{"starts_at", b.StartsAt, &out.StartsAt}, {"ends_at", b.EndsAt, &out.EndsAt}} {
		var err error
		if *m.into, err = moment(m.raw, s.Now()); err != nil {
			problems = append(problems, fault.Field{Name: m.name, Reason: err.Error()})
		}
	}
	if out.EndsAt.IsZero() && len(problems) == 0 {
		problems = append(problems, fault.Field{Name: "ends_at", Reason: `is missing: a silence ends, say when (RFC 3339, or "now+2h")`})
	}
	if len(problems) > 0 {
		return out, fault.Invalid("the silence has mistakes", problems...)
	}
	return out, nil
}

// changeSilence stores a change. Mistakes that the store finds in fields are the caller's.
func (s *server) changeSilence(c echo.Context, change store.SilenceChange) (store.SilenceRow, error) {
	row, err := s.Silences.ChangeSilence(c.Request().Context(), change)
	return row, mistakes("silence", err)
}

func silenceAnswer(c echo.Context, code int, row store.SilenceRow) error {
	return tagged(c, code, row.Version, row.State, row)
}

func (s *server) createSilence(c echo.Context) error {
	body, err := s.silenceBody(c)
	if err != nil {
		return err
	}
	row, err := s.changeSilence(c, store.SilenceChange{Silence: body, Author: body.CreatedBy})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", fmt.Sprintf("/api/silences/%d", row.ID))
	return silenceAnswer(c, http.StatusCreated, row)
}

// previewSilence tells what a silence would cover now. Nothing is stored.
func (s *server) previewSilence(c echo.Context) error {
	var b struct {
		Matchers []rule.Matcher `json:"matchers"`
	}
	if err := readBody(c, "silence", &b); err != nil {
		return err
	}
	got, err := s.Silences.Covered(c.Request().Context(), b.Matchers)
	if err != nil {
		return mistakes("silence", err)
	}
	return c.JSON(http.StatusOK, got)
}

func (s *server) listSilences(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("state", "created_by", "limit", "cursor")
	f := store.SilenceFilter{States: p.oneOf("state", silenceStates), CreatedBy: c.QueryParam("created_by"), Limit: p.number("limit", defaultLimit, maxLimit)}
	p.cursor("silences", &f.Before)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := s.Silences.Silences(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := silencesJSON{Silences: rows}
	if len(rows) == f.Limit && f.Limit > 0 {
		out.NextCursor = seal("silences", rows[f.Limit-1].ID)
	}
	return c.JSON(http.StatusOK, out)
}

func (s *server) getSilence(c echo.Context) error {
	id, err := idOf(c, "silence")
	if err != nil {
		return err
	}
	row, err := s.Silences.Silence(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return silenceAnswer(c, http.StatusOK, row)
}

func (s *server) putSilence(c echo.Context) error {
	id, err := idOf(c, "silence")
	if err != nil {
		return err
	}
	body, err := s.silenceBody(c)
	if err != nil {
		return err
	}
	author := who(c)
	if author == "" {
		author = body.CreatedBy
	}
	row, err := s.changeSilence(c, store.SilenceChange{ID: id, Seen: ifMatch(c), Silence: body, Author: author})
	if err != nil {
		return err
	}
	return silenceAnswer(c, http.StatusOK, row)
}

// expireSilence ends a silence now. It stays readable.
func (s *server) expireSilence(c echo.Context) error {
	id, err := idOf(c, "silence")
	if err != nil {
		return err
	}
	if _, err := s.changeSilence(c, store.SilenceChange{ID: id, Seen: ifMatch(c), Expire: true, Author: who(c)}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
