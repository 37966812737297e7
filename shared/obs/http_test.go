package obs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/fault"
)

// TestTheCauseOf503IsLoggedOnceInAWhile, and not shown to the caller.
func TestTheCauseOf503IsLoggedOnceInAWhile(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := echo.New()
	e.HTTPErrorHandler = ProblemHandler(zerolog.New(&log))
	e.GET("/", func(echo.Context) error { return fault.Unavailable(errors.New("dial tcp: refused"), "Kafka is away") })
	e.GET("/bad", func(echo.Context) error { return fault.Invalid("no") })
	for _, path := range []string{"/bad", "/", "/", "/"} {
		answer := httptest.NewRecorder()
		e.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		require.NotContains(t, answer.Body.String(), "dial tcp")
		if path == "/" {
			require.Equal(t, http.StatusServiceUnavailable, answer.Code)
			require.Contains(t, answer.Body.String(), "Kafka is away")
		}
	}
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.Contains(t, log.String(), "dial tcp: refused")
}

// TestWhoHasGoneIsNoError: a browser gives up what it asked for with each key that is typed.
func TestWhoHasGoneIsNoError(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e := echo.New()
	e.HTTPErrorHandler = ProblemHandler(zerolog.New(&log))
	ctx, leave := context.WithCancel(t.Context())
	e.GET("/", func(c echo.Context) error {
		leave()
		return fmt.Errorf("reading: %w", c.Request().Context().Err())
	})
	answer := httptest.NewRecorder()
	e.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", http.NoBody))
	require.Equal(t, statusGone, answer.Code)
	require.Empty(t, log.String())
}
