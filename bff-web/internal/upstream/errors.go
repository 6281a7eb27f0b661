package upstream

import (
	"errors"
	"net/http"
	"strings"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// StatusOf returns the HTTP status for an error, of an upstream or our own.
func StatusOf(err error) int {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Status
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		return e.Code
	}
	switch fault.KindOf(err) {
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.Malformed, fault.Invalid:
		return http.StatusBadRequest
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unavailable, fault.Timeout, fault.BadGateway:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// ReasonOf returns the part of an error that a person may see.
func ReasonOf(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Detail
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f.Detail
	}
	return ""
}

// Sentence writes the text of an error as a sentence.
func Sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
