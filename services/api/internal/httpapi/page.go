package httpapi

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
)

var (
	//go:embed page/status.html
	statusPage []byte
	//go:embed page/status.js
	statusScript []byte
)

// page is the status page, until the web UI takes its place.
func page(c echo.Context) error { return c.HTMLBlob(http.StatusOK, statusPage) }

func script(c echo.Context) error {
	return c.Blob(http.StatusOK, "text/javascript; charset=utf-8", statusScript)
}
