package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
	"github.com/labstack/echo/v4"
)

// Problem is the body of every error (RFC 9457).
type Problem struct {
	Type      string        `json:"type"` // "urn:orderflow:problem:" and the fault's name or kind
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Instance  string        `json:"instance"`
	RequestID string        `json:"request_id"`
	TraceID   string        `json:"trace_id,omitempty"` // finds the request in logs and traces
	Errors    []fault.Field `json:"errors,omitempty"`

	More map[string]any `json:"-"` // extension members (RFC 9457, 3.2)
}

// MarshalJSON adds the extension members after the others.
func (p Problem) MarshalJSON() ([]byte, error) {
	type plain Problem
	body, err := json.Marshal(plain(p))
	if err != nil || len(p.More) == 0 {
		return body, err
	}
	more, err := json.Marshal(p.More)
	if err != nil {
		return nil, err
	}
	return append(append(body[:len(body)-1], ','), more[1:]...), nil
}

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// statuses is the one place where a kind of fault becomes an HTTP status.
var statuses = map[fault.Kind]int{
	fault.Internal:      http.StatusInternalServerError,
	fault.Malformed:     http.StatusBadRequest,
	fault.Unauthorized:  http.StatusUnauthorized,
	fault.Forbidden:     http.StatusForbidden,
	fault.NotFound:      http.StatusNotFound,
	fault.NotAllowed:    http.StatusMethodNotAllowed,
	fault.NotAcceptable: http.StatusNotAcceptable,
	fault.Conflict:      http.StatusConflict,
	fault.Stale:         http.StatusPreconditionFailed,
	fault.TooLarge:      http.StatusRequestEntityTooLarge,
	fault.Unsupported:   http.StatusUnsupportedMediaType,
	fault.Invalid:       http.StatusUnprocessableEntity,
	fault.HeaderTooBig:  http.StatusRequestHeaderFieldsTooLarge,
	fault.TooMany:       http.StatusTooManyRequests,
	fault.BadGateway:    http.StatusBadGateway,
	fault.Unavailable:   http.StatusServiceUnavailable,
	fault.Timeout:       http.StatusGatewayTimeout,
}

const retryAfterDefault = 2 * time.Second

// problem is echo's error handler: every error of every handler, and echo's own, becomes a Problem here.
func (s *Server) problem(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	f := faultOf(err)
	status := statuses[f.Kind]
	if status >= http.StatusInternalServerError {
		telemetry.Current(c.Request().Context()).Note(err)
		s.cfg.Log.ErrorContext(c.Request().Context(), "request failed", "route", c.Path(), "status", status, "error", err,
			"request_id", c.Response().Header().Get(echo.HeaderXRequestID))
	}
	h := c.Response().Header()
	if f.RetryAfter == 0 && (f.Kind == fault.Unavailable || f.Kind == fault.TooMany) {
		f.RetryAfter = retryAfterDefault
	}
	if f.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if f.Kind == fault.Unauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="orderflow"`)
	}
	h.Set("Cache-Control", "no-store")
	p := Problem{
		Type:      "urn:orderflow:problem:" + cmp.Or(f.Name, string(f.Kind)),
		Title:     http.StatusText(status),
		Status:    status,
		Detail:    f.Detail,
		Instance:  c.Request().URL.Path,
		RequestID: h.Get(echo.HeaderXRequestID),
		TraceID:   telemetry.TraceID(c.Request().Context()),
		Errors:    f.Fields,
		More:      f.More,
	}
	if s.cfg.Page != nil {
		h.Add(echo.HeaderVary, echo.HeaderAccept)
		if WantsPage(c.Request()) {
			_ = s.cfg.Page(c, p) // if this fails, the client has gone
			return
		}
	}
	h.Set(echo.HeaderContentType, ProblemType)
	c.Response().WriteHeader(status)
	_ = c.Echo().JSONSerializer.Serialize(c, p, "") // likewise; and the server drops the body of an answer to HEAD
}

// faultOf returns the fault that the caller gets for an error. The text of an internal error is not passed on.
func faultOf(err error) fault.Error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return *f
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		for kind, status := range statuses {
			if status == e.Code {
				return *fault.New(kind, "%s", echoDetail(e.Code))
			}
		}
	}
	switch {
	case errors.Is(err, context.Canceled): // the client has gone, so this is not read
		return *fault.New(fault.Unavailable, "the request was given up")
	case postgres.Unavailable(err), postgres.Waited(err):
		return *fault.New(fault.Unavailable, "the service cannot answer now, please try again")
	}
	return *fault.New(fault.Internal, "something went wrong on our side; nothing in the request caused it")
}

func echoDetail(status int) string {
	switch status {
	case http.StatusNotFound:
		return "there is nothing at this path"
	case http.StatusMethodNotAllowed:
		return "this path has other methods, see Allow"
	case http.StatusRequestEntityTooLarge:
		return "the body is too large"
	}
	return http.StatusText(status)
}
