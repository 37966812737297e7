package httpapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/store"
)

// Storage knows what stored lines take.
type Storage interface {
	Storage(ctx context.Context) (search.Storage, error)
}

// Keeping knows what retention leaves.
type Keeping interface {
	Kept(ctx context.Context) (store.Kept, error)
}

const defaultSizes = 20 // columns and services shown

// storageJSON is the answer of GET /api/storage. Sizes of columns and services are estimates.
type storageJSON struct {
	search.Taken
	Days          []search.DaySize     `json:"days"`
	Columns       []search.ColumnSize  `json:"columns"`
	ColumnsTotal  int                  `json:"columns_total"`
	Services      []search.ServiceSize `json:"services"`
	ServicesTotal int                  `json:"services_total"`
	Sampled       search.Taken         `json:"sampled"`
	Removed       removedJSON          `json:"removed"`
	RetainedFrom  time.Time            `json:"retained_from,omitzero"`
	WindowsFrom   time.Time            `json:"windows_from,omitzero"`
	Tables        []store.TableSize    `json:"tables"`
	Partial       bool                 `json:"partial"`
	Reason        string               `json:"partial_reason"`
}

type removedJSON struct {
	Blocks int   `json:"blocks"`
	Bytes  int64 `json:"bytes"`
}

func (s *server) storage(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only("limit")
	limit := p.number("limit", defaultSizes, maxLimit)
	if err := p.err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	kept, err := s.Keeping.Kept(ctx)
	if err != nil {
		return err
	}
	st, err := s.Storage.Storage(ctx)
	if err != nil {
		return err
	}
	out := storageJSON{Taken: st.Taken, Days: st.Days, Columns: first(st.Columns, limit), ColumnsTotal: len(st.Columns), Services: first(st.Services, limit), ServicesTotal: len(st.Services),
		Sampled: st.Sampled, Removed: removedJSON{kept.RemovedBlocks, kept.RemovedBytes}, RetainedFrom: kept.BlocksFrom, WindowsFrom: kept.WindowsFrom, Tables: kept.Tables,
		Partial: len(st.Damaged) > 0, Reason: strings.Join(st.Damaged, "; ")}
	return c.JSON(http.StatusOK, out)
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }
