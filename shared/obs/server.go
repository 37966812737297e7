package obs

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/config"
)

// Server serves a program's health and metrics, for programs that serve nothing else.
type Server struct {
	echo *echo.Echo
	log  zerolog.Logger
}

// NewServer binds the port and reads the tokens.
func NewServer(cfg config.HTTP, port int, h *Health, reg *prometheus.Registry, log zerolog.Logger) (*Server, error) {
	gate, err := auth.NewGate(cfg, log)
	if err != nil {
		return nil, err
	}
	l, err := Listen(cfg, port)
	if err != nil {
		return nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort, e.Listener = true, true, l
	e.HTTPErrorHandler = ProblemHandler(log)
	e.Use(gate.Middleware(auth.ReadOnly))
	Mount(e, h, reg)
	return &Server{echo: e, log: log}, nil
}

// Listener is what the server listens on.
func (s *Server) Listener() net.Listener { return s.echo.Listener }

// Start serves in the background.
func (s *Server) Start() {
	go func() {
		if err := s.echo.Start(""); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error().Err(err).Msg("health and metrics stopped")
		}
	}()
}

// Shutdown ends serving, requests under way included.
func (s *Server) Shutdown(ctx context.Context) error {
	return errors.Join(s.echo.Shutdown(ctx), closed(s.echo.Listener.Close()))
}

// closed passes over that a listener was closed already.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
