package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/store"
)

// Audit tells who changed what.
type Audit interface {
	Audit(ctx context.Context, f store.AuditFilter) ([]store.AuditRow, error)
}

// auditJSON is the answer of GET /api/audit.
type auditJSON struct {
	Entries    []store.AuditRow `json:"entries"`
	NextCursor string           `json:"next_cursor"`
}

var (
	auditKinds   = []string{store.AuditRule, store.AuditSilence, store.AuditAlert, store.AuditLetters}
	auditActions = []string{store.ActionCreate, store.ActionUpdate, store.ActionDelete, store.ActionExpire, store.ActionReplay, store.KindAcknowledge, store.KindResolve, store.KindNote}
)

func (s *server) listAudit(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("kind", "action", "id", "who", "start", "end", "limit", "cursor")
	f := store.AuditFilter{Kinds: p.oneOf("kind", auditKinds), Actions: p.oneOf("action", auditActions), ID: c.QueryParam("id"), Who: c.QueryParam("who"), Limit: p.number("limit", defaultLimit, maxLimit),
		Start: time.Unix(0, p.time("start", 0)).UTC(), End: time.Unix(0, p.time("end", s.Now().Add(time.Hour).UnixNano())).UTC()} // an hour, because MySQL's clock is another one
	p.cursor("audit", &f.Before)
	if err := p.err(); err != nil {
		return err
	}
	rows, err := s.Audit.Audit(c.Request().Context(), f)
	if err != nil {
		return err
	}
	out := auditJSON{Entries: rows}
	if len(rows) == f.Limit && f.Limit > 0 {
		out.NextCursor = seal("audit", rows[f.Limit-1].Seq)
	}
	return c.JSON(http.StatusOK, out)
}
