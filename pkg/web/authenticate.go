package web

import (
	"context"
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
			r := c.Request()
			scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
			if !strings.EqualFold(scheme, "Bearer") || token == "" {
				return fault.New(fault.Unauthorized, "a bearer token is needed")
			}
			caller, err := v.Verify(r.Context(), strings.TrimSpace(token))
			if err != nil {
				return err
			}
			if !caller.Has(scope) {
				return fault.New(fault.Forbidden, "the token lacks the scope %q", scope)
			}
			c.SetRequest(r.WithContext(identity.With(r.Context(), caller)))
			return next(c)
		}
	}
}
