package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/telemetry"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

const requestIDMax = 64

// requestID keeps the caller's X-Request-Id when it is harmless and makes a new one otherwise. The answer has it, too.
func requestID(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := c.Request().Header.Get(echo.HeaderXRequestID)
		if !harmless(id) {
			id = uuid.NewString()
		}
		ids := []string{id}
		c.Request().Header[echo.HeaderXRequestID] = ids // a gateway passes it on
		c.Response().Header()[echo.HeaderXRequestID] = ids
		return next(c)
	}
}

func harmless(id string) bool {
	if id == "" || len(id) > requestIDMax {
		return false
	}
	for _, r := range id {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
		default:
			return false
		}
	}
	return true
}

// observed puts a request into its trace. When the request is over it ends its span, counts it and writes a line of the access
// log, without its query and its headers, which may hold secrets.
func (s *Server) observed(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun := time.Now()
		r := c.Request()
		health := isHealth(r)
		body := counted{ReadCloser: r.Body}
		var span telemetry.Span
		if !health {
			var ctx context.Context
			if s.cfg.Outside {
				ctx, span = telemetry.BeginOutside(r.Context(), r.Header)
			} else {
				ctx, span = telemetry.Begin(r.Context(), r.Header)
			}
			r = r.WithContext(ctx)
			if r.Body != nil && r.Body != http.NoBody {
				r.Body = &body
			}
			c.SetRequest(r)
		}
		if err := next(c); err != nil {
			c.Error(err) // so that the status is known here
		}
		if health {
			return nil
		}
		took, answer := time.Since(begun), c.Response()
		span.Answered(r, c.Path(), answer.Status)
		about := telemetry.Request{Method: r.Method, Route: c.Path(), Status: answer.Status, Proto: r.Proto, TLS: r.TLS != nil}
		s.requests.Record(r.Context(), about, took, body.read, answer.Size)
		s.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", r.Method), slog.String("route", c.Path()),
			slog.Int("status", answer.Status), slog.Int64("ms", took.Milliseconds()), slog.Int64("bytes", answer.Size),
			slog.String("request_id", answer.Header().Get(echo.HeaderXRequestID)))
		return nil
	}
}

// counted is a request's body that counts how much of it was read.
type counted struct {
	io.ReadCloser
	read int64
}

func (b *counted) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

// isHealth reports whether a request only asks for the program's health or metrics: such requests are neither logged nor
// counted.
func isHealth(r *http.Request) bool {
	switch r.URL.Path {
	case "/livez", "/readyz", "/metrics":
		return true
	}
	return false
}

// recovered turns a panic into an internal error with its stack in our log.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch r := recover(); r {
			case nil:
			case http.ErrAbortHandler: // compared by identity, as net/http does
				panic(r)
			default:
				s.cfg.Log.ErrorContext(c.Request().Context(), "panic", "value", fmt.Sprint(r), "stack", string(debug.Stack()))
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		return next(c)
	}
}

// headerSize refuses a request whose first line and header together are too big.
func headerSize(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		size := len(c.Request().RequestURI)
		for name, values := range c.Request().Header {
			for _, value := range values {
				size += len(name) + len(value)
			}
		}
		if size > headerLimit {
			return fault.New(fault.HeaderTooBig, "the header has more than %d bytes", headerLimit)
		}
		return next(c)
	}
}

// answerHead adds HEAD to every path that has GET, as RFC 9110, 9.1, requires. The server drops the body of its answer; a
// handler that makes a stream has to end by itself.
func answerHead(e *echo.Echo) func(string, echo.Route, echo.HandlerFunc, []echo.MiddlewareFunc) {
	return func(_ string, route echo.Route, handler echo.HandlerFunc, middleware []echo.MiddlewareFunc) {
		if route.Method == http.MethodGet {
			e.HEAD(route.Path, handler, middleware...)
		}
	}
}
