package web

import (
	"context"
	"net/http"
	"strings"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"github.com/labstack/echo/v4"
)

// Verifier checks a token and returns its caller, as identity.Verifier does. Its error is Unauthorized for a bad token and
// Unavailable when it has no keys to check with.
type Verifier interface {
	Verify(ctx context.Context, token string) (identity.Caller, error)
}

// Authenticate lets requests pass that carry a good bearer token (RFC 6750) with a scope, and keeps their caller in the
// context.
func Authenticate(v Verifier, scope string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			caller, err := callerOf(c.Request(), v)
			if err != nil {
				return err
			}
			if !caller.Has(scope) {
				return fault.New(fault.Forbidden, "the token lacks the scope %q", scope)
			}
			return as(c, caller, next)
		}
	}
}

// Identify is for a path that is public and tells some callers more. A request without a token passes, and has no caller. A
// token must be good, so that its owner never gets the public answer by mistake, but it needs no scope. The handler has to
// answer with Vary: Authorization.
func Identify(v Verifier) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if c.Request().Header.Get(echo.HeaderAuthorization) == "" {
				return next(c)
			}
			caller, err := callerOf(c.Request(), v)
			if err != nil {
				return err
			}
			return as(c, caller, next)
		}
	}
}

// callerOf returns the caller whom a request's token names.
func callerOf(r *http.Request, v Verifier) (identity.Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return identity.Caller{}, fault.New(fault.Unauthorized, "a bearer token is needed")
	}
	return v.Verify(r.Context(), strings.TrimSpace(token))
}

// as passes a request on with its caller in the context.
func as(c echo.Context, caller identity.Caller, next echo.HandlerFunc) error {
	r := c.Request()
	c.SetRequest(r.WithContext(identity.With(r.Context(), caller)))
	return next(c)
}
