package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// pipeline never fails: what could not be asked is in its errors.
func (s *server) pipeline(c echo.Context) error {
	p := &params{c: c, now: s.Now()}
	p.only()
	if err := p.err(); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.Line.Now())
}
