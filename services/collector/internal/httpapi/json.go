package httpapi

import (
	"fmt"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

// accepted is the answer of POST /api/logs.
type accepted struct {
	Accepted int `json:"accepted"`
}

// rejected is a 400 of POST /api/logs: what could be read is stored, the rest is named. Sending the whole body again would store the accepted
// records twice: mend and send the named ones.
type rejected struct {
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail"`
	Accepted int           `json:"accepted"`
	Rejected int           `json:"rejected"`
	Errors   []fault.Field `json:"errors"`
}

func (s *Server) postJSON(c echo.Context) error {
	if err := jsonContent(c.Request()); err != nil {
		return err
	}
	return s.receive(c, (*contract.Batch).DecodeJSON, func(b *contract.Batch) error {
		if len(b.Rejected) > 0 {
			return s.rejected(c, b)
		}
		if len(b.Records) == 0 {
			return fault.Invalid("the body holds no record")
		}
		return c.JSON(http.StatusOK, accepted{len(b.Records)})
	})
}

func jsonContent(r *http.Request) error {
	ct := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(ct)
	switch media {
	case "application/json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-www-form-urlencoded": // the last is curl -d
		return nil
	case "":
		if ct == "" {
			return nil
		}
	}
	return fault.Unsupported("content type %q is not understood (application/json, application/x-ndjson)%s", ct, detail(err))
}

func detail(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func (s *Server) rejected(c echo.Context, b *contract.Batch) error {
	r := rejected{
		Type: "about:blank", Title: http.StatusText(http.StatusBadRequest), Status: http.StatusBadRequest,
		Accepted: len(b.Records), Rejected: len(b.Rejected),
		Detail: fmt.Sprintf("%d of %d records were rejected; the others are stored: send only the named ones again", len(b.Rejected), len(b.Records)+len(b.Rejected)),
	}
	for _, x := range b.Rejected[:min(len(b.Rejected), maxErrors)] {
		r.Errors = append(r.Errors, fault.Field{Line: x.Line, Name: x.Field, Reason: x.Reason})
	}
	c.Response().Header().Set(echo.HeaderContentType, "application/problem+json")
	return c.JSON(http.StatusBadRequest, r)
}
