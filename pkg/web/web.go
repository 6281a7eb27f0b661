// Package web sets up echo once, the same for every program: problem details, request ids, limits, an access log, health
// and metrics.
package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/telemetry"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

const (
	requestTimeout = 20 * time.Second // of the context that handlers are given
	shutdownWithin = 10 * time.Second
	readyTimeout   = 2 * time.Second
	headerLimit    = 32 << 10
	bodyLimit      = "1M"
)

// Config is what differs between servers.
type Config struct {
	Name       string
	Addr       string
	DrainDelay time.Duration // between going unready and refusing connections
	Log        *slog.Logger
	Metrics    http.Handler                // of /metrics; nil for a port that the public reaches
	Ready      func(context.Context) error // nil: ready as long as it is not draining
	Report     func() map[string]any       // further members of /readyz, such as the state of the broker
	Timeouts   Timeouts
	Proxies    Proxies // whose X-Forwarded headers are trusted; empty: none
	Outside    bool    // requests come from outside, so the traces that they name are not continued

	// Outer is middleware for every answer, also for those that refuse a request because of its size.
	Outer []echo.MiddlewareFunc
	// Page writes a Problem as a page for a person, after the header was set; nil: people get JSON, too.
	Page func(c echo.Context, p Problem) error
}

// Timeouts are limits for clients that are slow, on purpose or not. A field that is zero has its default. The tags let a
// program embed Timeouts in its settings.
type Timeouts struct {
	Header time.Duration `env:"HEADER_TIMEOUT"` // until a request's header has arrived; default 5s
	Read   time.Duration `env:"READ_TIMEOUT"`   // until a request's body has arrived; default 15s
	Write  time.Duration `env:"WRITE_TIMEOUT"`  // until the client has taken the answer, which does not hold for streams; default 30s
	Idle   time.Duration `env:"IDLE_TIMEOUT"`   // between two requests on one connection; default 2m
}

// Server is an echo instance on its own http.Server. Routes are added to Echo before Run.
type Server struct {
	*echo.Echo
	cfg      Config
	queries  map[string][]string // see Takes
	requests *telemetry.Requests
	draining atomic.Bool
}

// New returns a server with /livez, /readyz and /metrics and with the middleware that all requests pass through.
func New(cfg Config) *Server {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	s := &Server{Echo: e, cfg: cfg, queries: map[string][]string{}, requests: telemetry.ServerRequests()}
	e.HTTPErrorHandler = s.problem
	e.IPExtractor = cfg.Proxies.ClientIP
	e.OnAddRouteHandler = answerHead(e)
	e.Use(requestID, s.observed, s.recovered)
	e.Use(cfg.Outer...)
	e.Use(headerSize, middleware.BodyLimit(bodyLimit), s.query, deadline)
	e.GET("/livez", func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"status": "alive"}) })
	e.GET("/readyz", s.readyz)
	if cfg.Metrics != nil {
		e.GET("/metrics", echo.WrapHandler(cfg.Metrics))
	}
	return s
}

// Run serves until ctx ends. Then it answers "not ready" for DrainDelay, so that load balancers send requests elsewhere,
// and at last lets the requests in hand finish.
func (s *Server) Run(ctx context.Context) error {
	listeners, err := listen(ctx, s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	limits := s.cfg.Timeouts
	server := &http.Server{
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.WithoutCancel(ctx), stoppingKey{}, stopping)
		},
		Handler:           s.Handler(),
		ReadHeaderTimeout: cmp.Or(limits.Header, 5*time.Second),
		ReadTimeout:       cmp.Or(limits.Read, 15*time.Second),
		WriteTimeout:      cmp.Or(limits.Write, 30*time.Second),
		IdleTimeout:       cmp.Or(limits.Idle, 2*time.Minute),
		MaxHeaderBytes:    8 * headerLimit,                                         // net/http refuses in plain text, so headerSize refuses most before that
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug), // mostly clients that hang up
	}
	failed := make(chan error, len(listeners))
	for _, listener := range listeners {
		go func() { failed <- server.Serve(listener) }()
		s.cfg.Log.InfoContext(ctx, "serving", "addr", listener.Addr().String())
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	time.Sleep(s.cfg.DrainDelay)
	stop()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	if err := server.Shutdown(last); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}

// Handler returns the handler that Run serves.
func (s *Server) Handler() http.Handler { return s.Echo }

// readyz answers 200 while the program can do its own work: it is not stopping and its database, if it has one, answers.
// Upstreams and the broker are only reported: orders are accepted without them.
func (s *Server) readyz(c echo.Context) error {
	body := map[string]any{"status": "ready"}
	if s.cfg.Report != nil {
		maps.Copy(body, s.cfg.Report())
	}
	status := http.StatusOK
	if s.draining.Load() {
		body["status"], status = "draining", http.StatusServiceUnavailable
	} else if s.cfg.Ready != nil {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyTimeout)
		defer cancel()
		if err := s.cfg.Ready(ctx); err != nil {
			s.cfg.Log.WarnContext(ctx, "not ready", "error", err)
			body["status"], status = "not ready", http.StatusServiceUnavailable
		}
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(status, body)
}
